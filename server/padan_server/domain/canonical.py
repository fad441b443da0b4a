"""Canonical JSON: one value, one sequence of bytes.

The subset of RFC 8785 (JCS) with strings, integers within 2^53, booleans, arrays and objects with
ASCII keys. On this subset sorting keys by UTF-8 equals RFC 8785's sorting by UTF-16.
"""

from __future__ import annotations

from typing import Any

import orjson

INTEGER_MAX = 2**53 - 1
"""RFC 8785: beyond it, readers with floating-point numbers disagree."""

DEPTH_MAX = 32
"""Objects and arrays within each other: an entry has under ten."""

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def dumps(value: dict[str, Any]) -> bytes:
    """Give the canonical bytes of an object of the subset; its values are not checked here."""
    return orjson.dumps(value, option=_OPTIONS)


def loads(data: bytes) -> dict[str, Any]:
    """Parse canonical bytes.

    Raises ValueError if the bytes are not an object of the subset in canonical form.
    """
    value = orjson.loads(data)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    _check(value, DEPTH_MAX)
    if dumps(value) != data:
        raise ValueError("not in canonical form")
    return value


def _check(value: object, depth: int) -> None:
    if depth == 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not key.isascii():
                raise ValueError("a key is not ASCII")
            _check(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth - 1)
    elif not isinstance(value, str | int) or (isinstance(value, int) and abs(value) > INTEGER_MAX):
        raise ValueError("holds a value outside the subset")
