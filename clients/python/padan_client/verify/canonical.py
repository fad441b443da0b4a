"""Canonical JSON as entries and statements are written: one value, one sequence of bytes.

The subset of RFC 8785 with strings, integers within 2^53, booleans, arrays, and objects with ASCII
keys; so two readers can never read two different things.
"""

from __future__ import annotations

import json
from typing import Any

from padan_client.verify.errors import Unreadable

INTEGER_MAX = 2**53 - 1
"""Beyond it, readers with floating-point numbers disagree (RFC 8785)."""

DEPTH_MAX = 32
"""Objects and arrays within each other: a statement has under ten."""

JsonObject = dict[str, Any]


def dumps(value: JsonObject) -> bytes:
    """Give the canonical bytes of an object of the subset; its values are not checked here."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8")


def loads(data: bytes, where: str) -> JsonObject:
    """Parse canonical bytes. Raises Unreadable for any others."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Unreadable(where, "is no JSON") from None
    if not isinstance(value, dict):
        raise Unreadable(where, "is no JSON object")
    check_subset(value, where)
    try:
        canonical = dumps(value)
    except UnicodeEncodeError:
        raise Unreadable(where, "holds half a character") from None
    if canonical != data:
        raise Unreadable(where, "is not in canonical form")
    return value


def check_subset(value: object, where: str, depth: int = DEPTH_MAX) -> None:
    """Check that a value is of the subset, and nested no deeper than `depth`. Raises Unreadable."""
    if depth == 0:
        raise Unreadable(where, "is nested too deep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not key.isascii():
                raise Unreadable(where, "has a key that is not ASCII")
            check_subset(item, where, depth - 1)
    elif isinstance(value, list):
        for item in value:
            check_subset(item, where, depth - 1)
    elif not isinstance(value, str | int) or (isinstance(value, int) and abs(value) > INTEGER_MAX):
        raise Unreadable(where, "holds a value that canonical JSON here never has")
