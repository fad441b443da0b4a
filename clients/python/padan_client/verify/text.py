"""Bytes and numbers in texts, each in its one spelling: a second one would be a second document."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode

from padan_client.verify.errors import Unreadable

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")

NUMBER_MAX = 2**63 - 1
"""Sizes, indexes and times are signed 64-bit numbers wherever they are stored."""


def read_base64(text: str, where: str) -> bytes:
    """Read standard base64 with padding, whose unused bits are zero. Raises Unreadable."""
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise Unreadable(where, "holds something else than base64") from None
    if b64encode(data).decode("ascii") != text:
        raise Unreadable(where, "holds base64 in another form")
    return data


def read_number(text: str, where: str) -> int:
    """Read a decimal number from 0 to 2^63 - 1, without leading zeros. Raises Unreadable."""
    if _NUMBER.fullmatch(text) is None or (number := int(text)) > NUMBER_MAX:
        raise Unreadable(where, "holds no number from 0 to 2^63 - 1")
    return number
