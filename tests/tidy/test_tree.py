"""No file names a place packages came from or a path of the machine it was written on."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy import repository

# Put together here so that this file does not name them either.
HOSTS = re.compile(
    "|".join(
        re.escape(".".join(host))
        for host in (
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("crates", "io"),
            ("proxy", "golang", "org"),
            ("deb", "debian", "org"),
            ("maven", "apache", "org"),
            ("maven", "org"),
        )
    )
)
HOMES = re.compile(r"(?<![\w.])/(?:" + "|".join(("root", "home/\\w+", "Users/\\w+")) + ")/")
DOCSTRING_LINES_MAX = 6


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield from enumerate(text.splitlines(), start=1)


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(repository.ROOT)}:{line}"


def test_no_file_names_a_package_registry() -> None:
    assert not [
        place(path, number)
        for path in repository.files()
        for number, line in lines_of(path)
        if HOSTS.search(line)
    ]


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    here = str(repository.ROOT)
    assert not [
        place(path, number)
        for path in repository.files()
        for number, line in lines_of(path)
        if here in line or HOMES.search(line)
    ]


@pytest.mark.parametrize(
    "path", repository.modules(), ids=lambda path: str(path.relative_to(repository.ROOT))
)
def test_module_says_in_six_lines_at_most_what_lives_there(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert docstring, "no module docstring"
    assert len(docstring.splitlines()) <= DOCSTRING_LINES_MAX
