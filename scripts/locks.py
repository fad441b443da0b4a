"""The locks: requirements/*.txt from the distributions' pyproject.toml files and requirements/*.in.

A lock names versions and hashes, never where they come from. Its first line holds a digest of its
inputs, so that a stale lock is found without a network.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"
OWN = ("padan-protos", "padan-server", "padan-client")
DIGEST_LINE = "# Inputs: sha256:"
REMEDY = "run `make lock` and commit what it writes"


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock file: what it is compiled from, and the lock whose versions it must share."""

    path: str
    inputs: tuple[str, ...]
    extras: tuple[str, ...] = ()
    constraint: str | None = None


# The first holds everything; the others are parts of it, so that what is tested is what is shipped.
LOCKS = (
    Lock(
        path="requirements/dev.txt",
        inputs=(
            "protos/gen/pyproject.toml",
            "server/pyproject.toml",
            "clients/python/pyproject.toml",
            "requirements/bootstrap.in",
            "requirements/dev.in",
        ),
        extras=("demo", "parquet"),
    ),
    Lock(
        path="requirements/server.txt",
        inputs=("server/pyproject.toml",),
        extras=("parquet",),
        constraint="requirements/dev.txt",
    ),
    Lock(
        path="requirements/client.txt",
        inputs=("clients/python/pyproject.toml",),
        constraint="requirements/dev.txt",
    ),
    Lock(
        path="requirements/bootstrap.txt",
        inputs=("requirements/bootstrap.in",),
        constraint="requirements/dev.txt",
    ),
)


def digest(lock: Lock, root: Path) -> str:
    """Return the digest of what the lock was compiled from, its own options included."""
    hashed = hashlib.sha256(repr(lock).encode())
    for name in lock.inputs:
        hashed.update(name.encode() + b"\0" + (root / name).read_bytes())
    return hashed.hexdigest()


def compile_lock(lock: Lock, root: Path, *, upgrade: bool) -> None:
    """Resolve one lock and write it. Needs a package index; raises CalledProcessError."""
    arguments: list[str] = [str(UV), "pip", "compile", *lock.inputs, "--output-file", lock.path]
    arguments += ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header"]
    arguments += ["--no-annotate", "--quiet"]
    for name in OWN:
        arguments += ["--no-emit-package", name]
    for extra in lock.extras:
        arguments += ["--extra", extra]
    if lock.constraint:
        arguments += ["--constraints", lock.constraint]
    if upgrade:
        arguments.append("--upgrade")
    subprocess.run(arguments, cwd=root, check=True)
    path = root / lock.path
    header = f"{DIGEST_LINE}{digest(lock, root)}\n# Written by `make lock`; never edited.\n"
    path.write_text(header + path.read_text(encoding="utf-8"), encoding="utf-8")


def faults(lock: Lock, root: Path) -> Iterator[str]:
    """Yield what is wrong with a lock, as sentences."""
    path = root / lock.path
    if not path.is_file():
        yield f"{lock.path} is missing; {REMEDY}"
        return
    text = path.read_text(encoding="utf-8")
    if not text.startswith(f"{DIGEST_LINE}{digest(lock, root)}\n"):
        yield f"{lock.path} is older than {', '.join(lock.inputs)}; {REMEDY}"
    if re.search(r"://|^\s*-(?!-hash=)|@ ", text, re.MULTILINE):
        yield f"{lock.path} names an address or an option; a lock holds versions and hashes"
    for requirement in re.split(r"\n(?=[A-Za-z0-9])", text)[1:]:
        if "--hash=sha256:" not in requirement:
            yield f"{lock.path}: {requirement.split()[0]} has no hash"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check every lock; 0 when all hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("write", "check"))
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    options = parser.parse_args(arguments)
    if options.command == "write":
        for lock in LOCKS:
            compile_lock(lock, ROOT, upgrade=options.upgrade)
    found = [fault for lock in LOCKS for fault in faults(lock, ROOT)]
    for fault in found:
        print(f"locks: {fault}", file=sys.stderr)
    if not found:
        print(f"locks: {len(LOCKS)} fresh, all hashed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
