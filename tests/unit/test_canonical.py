"""Canonical JSON: one value, one sequence of bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain import canonical
from tests.support.builders import canonical_json

INTEGER_MAX = 2**53 - 1
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
LEAVES = st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | TEXT
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)


def typed(value: object) -> object:
    """Give a form in which 1 and True differ, and the order of keys does not matter."""
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


@given(OBJECTS)
def test_parsing_gives_back_what_was_written(value: dict[str, Any]) -> None:
    assert typed(canonical.loads(canonical.dumps(value))) == typed(value)


@given(OBJECTS, OBJECTS)
def test_two_values_have_the_same_bytes_only_if_they_are_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (canonical.dumps(one) == canonical.dumps(other)) is (typed(one) == typed(other))


@given(OBJECTS)
def test_the_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    assert canonical.dumps(dict(reversed(value.items()))) == canonical.dumps(value)


@given(OBJECTS)
def test_the_bytes_are_those_of_rfc_8785(value: dict[str, Any]) -> None:
    assert canonical.dumps(value) == canonical_json(value)


def test_control_characters_are_escaped_as_rfc_8785_says() -> None:
    value = {"text": "".join(map(chr, range(0x20))) + '"\\/\x7f\u2028\u00e9\U0001f600'}
    short = {8: rb"\b", 9: rb"\t", 10: rb"\n", 12: rb"\f", 13: rb"\r"}
    controls = b"".join(short.get(code, b"\\u%04x" % code) for code in range(0x20))
    rest = rb"\"\\/" + "\x7f\u2028\u00e9\U0001f600".encode()
    assert canonical.dumps(value) == b'{"text":"' + controls + rest + b'"}'


@given(OBJECTS, st.data())
def test_changed_bytes_are_no_other_spelling_of_the_same_value(
    value: dict[str, Any], data: st.DataObject
) -> None:
    written = bytearray(canonical.dumps(value))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = canonical.loads(bytes(written))
    except ValueError:
        return
    assert typed(read) != typed(value)


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("nothing", b""),
        ("no JSON", b"{"),
        ("an array", b"[]"),
        ("a string", b'"a"'),
        ("white space", b'{"a": 1}'),
        ("white space after", b'{"a":1}\n'),
        ("keys out of order", b'{"b":1,"a":2}'),
        ("a key twice", b'{"a":1,"a":1}'),
        ("a key that is not ASCII", '{"é":1}'.encode()),
        ("null", b'{"a":null}'),
        ("null in an array", b'{"a":[null]}'),
        ("a fraction", b'{"a":1.5}'),
        ("a whole number as a fraction", b'{"a":1.0}'),
        ("an exponent", b'{"a":1e2}'),
        ("minus zero", b'{"a":-0}'),
        ("a leading zero", b'{"a":01}'),
        ("an integer of 54 bits", b'{"a":9007199254740993}'),
        ("a negative integer of 54 bits", b'{"a":-9007199254740993}'),
        ("an integer of 65 bits", b'{"a":18446744073709551616}'),
        ("NaN", b'{"a":NaN}'),
        ("a needless escape", rb'{"a":"\u0041"}'),
        ("an upper-case escape", rb'{"a":"\u001F"}'),
        ("an escaped slash", rb'{"a":"\/"}'),
        ("half a surrogate pair", rb'{"a":"\ud800"}'),
        ("a raw control character", b'{"a":"\x01"}'),
        ("bytes that are not UTF-8", b'{"a":"\xff"}'),
        ("arrays 300 deep", b'{"a":' + b"[" * 300 + b"]" * 300 + b"}"),
        ("arrays 1,000 deep", b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bytes_outside_the_canonical_subset_are_refused(what: str, data: bytes) -> None:
    try:
        canonical.loads(data)
    except ValueError:
        return
    pytest.fail("it was read")
