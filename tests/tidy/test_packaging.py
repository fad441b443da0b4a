"""The three distributions: what they hold, what they need, and the locks that pin it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

from scripts import locks
from tests.tidy import repository

ROOT = repository.ROOT
DISTRIBUTIONS = ("protos/gen", "server", "clients/python")


def project(directory: str) -> dict[str, Any]:
    text = (ROOT / directory / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)["project"]
    return table


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement.lower())[0] for requirement in requirements}


@pytest.mark.parametrize("lock", locks.LOCKS, ids=lambda lock: lock.path)
def test_lock_is_fresh_hashed_and_names_no_address(lock: locks.Lock) -> None:
    assert not list(locks.faults(lock, ROOT))


def test_changed_dependency_makes_the_lock_stale(tmp_path: Path) -> None:
    lock = next(lock for lock in locks.LOCKS if lock.path == "requirements/bootstrap.txt")
    for name in (lock.path, *lock.inputs):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    assert not list(locks.faults(lock, tmp_path))

    with (tmp_path / lock.inputs[0]).open("a", encoding="utf-8") as requirements:
        requirements.write("another\n")

    assert ["older than" in fault for fault in locks.faults(lock, tmp_path)] == [True]


def test_lock_with_an_address_or_without_a_hash_is_refused(tmp_path: Path) -> None:
    lock = locks.Lock(path="lock.txt", inputs=())
    header = f"{locks.DIGEST_LINE}{locks.digest(lock, tmp_path)}\n"

    for text in ("-i somewhere\n", "a==1 @ file\n", "a==1\n", "a @ https://example.test/a\n"):
        (tmp_path / "lock.txt").write_text(header + text, encoding="utf-8")
        assert list(locks.faults(lock, tmp_path)), text


def test_parts_pin_the_versions_that_the_whole_pins() -> None:
    pins = [
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / lock.path).read_text("utf-8"), re.MULTILINE))
        for lock in locks.LOCKS
    ]

    assert all(part <= pins[0] for part in pins[1:])


def test_distributions_share_one_version() -> None:
    versions = {project(directory)["version"] for directory in DISTRIBUTIONS}
    pins = {
        requirement
        for directory in DISTRIBUTIONS
        for group in (
            project(directory)["dependencies"],
            *project(directory).get("optional-dependencies", {}).values(),
        )
        for requirement in group
        if requirement.startswith("padan-")
    }

    assert len(versions) == 1
    assert {pin.partition("==")[2] for pin in pins} == versions


def test_client_needs_no_server_code() -> None:
    needed = names(project("clients/python")["dependencies"])

    assert "padan-server" not in needed
    assert not needed & {"sqlalchemy", "asyncpg", "redis", "psycopg", "alembic"}


@pytest.mark.parametrize("directory", DISTRIBUTIONS)
def test_wheel_holds_every_file_of_its_package(directory: str) -> None:
    builder = WheelBuilder(str(ROOT / directory))
    package = builder.config.packages[0]
    shipped = {Path(file.path) for file in builder.recurse_included_files()}

    expected = set(repository.files(f"{directory}/{package}/**"))
    assert expected
    assert expected <= shipped
