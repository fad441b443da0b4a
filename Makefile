# Only Python >= 3.11 and make are needed; everything else is installed from the locks into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PADAN_DATA_DIR ?= .padan
# How long `make chaos` keeps killing processes. The short form in `make test` takes seconds.
PADAN_CHAOS_SECONDS ?= 600

DISTRIBUTIONS := protos/gen server clients/python
INPUTS := requirements/bootstrap.txt requirements/dev.txt $(DISTRIBUTIONS:=/pyproject.toml)
# The stamp's name holds the inputs' checksum: the same locks are never installed twice.
INSTALLED := $(VENV)/installed-$(shell cat $(INPUTS) 2>/dev/null | cksum | tr ' ' '-')

.DEFAULT_GOAL := help
.PHONY: help install demo test check bench bench-scale chaos protos lock format clean

help: ## Lists these targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Makes .venv with the locked requirements and this repository's packages.

$(INSTALLED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Padan needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing the locked requirements into $(VENV); the next time this is skipped."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation \
		$(foreach distribution,$(DISTRIBUTIONS),--editable $(distribution))
	@rm -f $(VENV)/installed-*
	@touch $@

demo: $(INSTALLED) ## Starts everything with synthetic people, verifies some, then serves (DEMO_ONCE=1: stops).
	@PADAN_DATA_DIR=$(PADAN_DATA_DIR) $(BIN)/padan-server demo

test: $(INSTALLED) ## Runs every suite; what needs a toolchain that is not here is skipped and says so.
	@$(BIN)/python -m pytest -q $(PYTEST_ARGUMENTS)

check: $(INSTALLED) ## Lints, types, floors, contract, locks and Dockerfile.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/protos.py check
	@$(BIN)/python scripts/locks.py check
	@$(BIN)/hadolint Dockerfile

bench: $(INSTALLED) ## Measures Padan beside a bare gRPC echo, then how fresh its answers are.
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.registry

bench-scale: $(INSTALLED) ## Measures calls at 100,000 to 10 million people: 25 GB, half an hour.
	@$(BIN)/python -m benchmarks.scale

chaos: $(INSTALLED) ## Kills workers and notaries for PADAN_CHAOS_SECONDS and checks the ledger.
	@PADAN_CHAOS_SECONDS=$(PADAN_CHAOS_SECONDS) $(BIN)/python -m pytest -q --timeout=0 tests/chaos

protos: $(INSTALLED) ## Regenerates stubs and descriptors; refuses a contract that breaks partners.
	@$(BIN)/python scripts/protos.py write

lock: $(INSTALLED) ## Resolves the locks anew after a change of dependencies (LOCK_ARGUMENTS=--upgrade: newest).
	@$(BIN)/python scripts/locks.py write $(LOCK_ARGUMENTS)

format: $(INSTALLED) ## Formats the code and mends what the linter can.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean: ## Removes caches and builds; .venv and the demo's data stay.
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
