"""The entry: the code's fields are the document's, and its bytes are canonical."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain import canonical, entry

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "entry.md"
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def fields_under(heading: str) -> tuple[str, ...]:
    _, found, rest = DOCUMENT.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    assert found, f"docs/entry.md has no {heading}"
    return tuple(ROW.findall(re.split(r"^#+ ", rest, maxsplit=1, flags=re.MULTILINE)[0]))


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("## The entry", entry.FIELDS),
        ("### `ask`", entry.ASK_FIELDS),
        ("### `answer`", entry.ANSWER_FIELDS),
    ],
)
def test_fields_are_those_of_the_document(heading: str, fields: tuple[str, ...]) -> None:
    assert fields_under(heading) == fields
    assert fields == tuple(sorted(fields)), "canonical order"


names = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-./_", min_size=1, max_size=20)
numbers = st.integers(min_value=0, max_value=2**53 - 1)
values = st.one_of(st.booleans(), numbers, st.text(max_size=10), st.lists(st.text(max_size=5)))


def documents(fields: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(fields), values)


@given(
    parts=st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["ANSWER", "REFUSAL", "CONTROL"]),
            "log": names,
            "index": numbers,
            "time": st.integers(min_value=0, max_value=4_000_000_000_000_000).map(entry.timestamp),
            "partner": names,
            "partner_seq": numbers,
            "partner_previous": st.sampled_from([b"", bytes(32)]),
            "draft_id": st.binary(min_size=16, max_size=16),
            "nonce": st.binary(min_size=16, max_size=16),
        },
        optional={
            "ask": documents(entry.ASK_FIELDS).map(canonical.dumps),
            "answer": documents(entry.ANSWER_FIELDS).map(canonical.dumps),
            "control": st.dictionaries(names, values).map(canonical.dumps),
            "attempt": numbers,
            "charge": st.tuples(numbers, st.lists(names, max_size=2).map(tuple)),
            "count": numbers,
            "reason": names,
            "replay_of": numbers,
            "subject": st.binary(min_size=32, max_size=32),
            "subject_epoch": numbers,
        },
    )
)
def test_assembled_entry_is_canonical_and_says_what_it_was_given(parts: dict[str, Any]) -> None:
    read = entry.parse(entry.assemble(**parts))

    assert read["index"] == parts["index"]
    assert read["draft_id"] == parts["draft_id"].hex()
    assert read["time"] == parts["time"]
    for name in ("ask", "answer", "control"):
        given_part = parts.get(name, b"")
        assert (name in read) == bool(given_part)
        assert not given_part or canonical.dumps(read[name]) == given_part
    if "charge" in parts and parts["charge"][1]:
        assert read["charge"] == {"price": parts["charge"][0], "windows": [*parts["charge"][1]]}


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b'{"version":1, "index":0}',
        b'{"index":0,"version":2}',
        b'{"other":0,"version":1}',
        b'{"ask":{"nik":"0"},"version":1}',
        b'{"index":0.5,"version":1}',
        b'{"index":null,"version":1}',
        b'{"version":1,"index":0}',
        b"{",
    ],
)
def test_bytes_that_are_no_entry_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        entry.parse(data)


def test_subject_of_one_person_differs_from_entry_to_entry() -> None:
    mac = bytes(32)

    assert entry.subject(b"a" * 16, mac) != entry.subject(b"b" * 16, mac)
