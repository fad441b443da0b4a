"""What the repository holds: its files as git sees them, and nothing about their content."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py", "_pb2_grpc.pyi")


def files(pattern: str = "*") -> list[Path]:
    """Return the files that are, or are about to be, committed; sorted, links left out.

    Raises CalledProcessError outside a git work tree.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = {ROOT / name for name in listed.stdout.decode().split("\0") if name}
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def modules() -> list[Path]:
    """Return every Python module that a person wrote."""
    return [path for path in files("*.py") if not path.name.endswith(GENERATED)]
