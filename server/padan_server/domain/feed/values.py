"""One column's value as a source writes it, read into ours. Pure, and the hot part of a feed.

A reader takes what JSON, CSV or Parquet gave (never None or blank), and raises Unfit with a text
that holds no value. Absence is the columns' matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from padan_server.domain.feed import Reason
from padan_server.domain.nik import MalformedNik, parse
from padan_server.domain.window import JAKARTA

Reader = Callable[[Any], Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_DAY = date(1970, 1, 1).toordinal()
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

DAY_MIN = date(1800, 1, 1)
"""Nobody on record was born before."""
MOMENT_MIN = datetime(1900, 1, 1, tzinfo=UTC)
_DAYS_MAX = 2_000_000
_MICROSECONDS_MIN = 10**14
"""As milliseconds this is the year 5138, as microseconds 1973: larger numbers are the latter."""
_WHOLE_MAX = 2**53


class Unfit(Exception):
    """A value that its column cannot take."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


def text(limit: int) -> Reader:
    """Read a text of at most so many characters."""

    def read(value: Any) -> Any:
        if type(value) is not str:
            if type(value) is not int:
                raise Unfit(Reason.VALUE_UNFIT, "is no text")
            value = str(value)
        if len(value) > limit:
            raise Unfit(Reason.TEXT_TOO_LONG, f"is longer than {limit} characters")
        if "\x00" in value:
            raise Unfit(Reason.VALUE_UNFIT, "has a character that no text holds")
        return value

    return read


def digits(length: int) -> Reader:
    """Read exactly so many digits; a shorter number had its zeros in front lost."""

    def read(value: Any) -> str:
        if type(value) is int and value >= 0:
            value = f"{value:0{length}d}"
        if type(value) is not str or len(value) != length or not _all_digits(value):
            raise Unfit(Reason.VALUE_UNFIT, f"is not {length} digits")
        return value

    return read


def nik(value: Any) -> str:
    """Read a NIK."""
    try:
        return parse(str(value) if type(value) is int else value)
    except (MalformedNik, TypeError):
        raise Unfit(Reason.NIK_MALFORMED, "is no NIK") from None


def code(last: int) -> Reader:
    """Read a code from 1 to `last`, or 0 where nothing is on record."""

    def read(value: Any) -> int:
        number = _number(value)
        if number is None or not 0 <= number <= last:
            raise Unfit(Reason.CODE_UNKNOWN, f"is no code from 1 to {last}")
        return number

    return read


def code_on_record(last: int) -> Reader:
    """Read a code from 1 to `last`."""
    of_any = code(last)

    def read(value: Any) -> int:
        number: int = of_any(value)
        if number == 0:
            raise Unfit(Reason.CODE_UNKNOWN, f"is no code from 1 to {last}")
        return number

    return read


def word(*words: str) -> Reader:
    """Read one of some words, in any case."""
    known = {one: one for one in words} | {one.lower(): one for one in words}

    def read(value: Any) -> str:
        if type(value) is str:
            found = known.get(value) or known.get(value.lower())
            if found is not None:
                return found
        raise Unfit(Reason.CODE_UNKNOWN, "is none of its words")

    return read


def day(value: Any) -> date:
    """Read a date: YYYY-MM-DD, or days since 1970-01-01."""
    try:
        if type(value) is str and _ISO_DATE.fullmatch(value):
            found = date.fromisoformat(value)
        elif type(value) is int and abs(value) < _DAYS_MAX:
            found = date.fromordinal(EPOCH_DAY + value)
        else:
            raise Unfit(Reason.DATE_IMPOSSIBLE, "is no date")
    except ValueError:
        raise Unfit(Reason.DATE_IMPOSSIBLE, "is no possible date") from None
    if found < DAY_MIN:
        raise Unfit(Reason.DATE_IMPOSSIBLE, "is too long ago")
    return found


def moment(value: Any) -> datetime:
    """Read a time: ISO 8601, in Asia/Jakarta without an offset; or epoch milli- or microseconds."""
    try:
        if type(value) is str:
            found = datetime.fromisoformat(value)
            if found.tzinfo is None:
                found = found.replace(tzinfo=JAKARTA)
        elif type(value) is int:
            if abs(value) < _MICROSECONDS_MIN:
                value *= 1000
            found = EPOCH + timedelta(microseconds=value)
        else:
            raise Unfit(Reason.DATE_IMPOSSIBLE, "is no time")
    except (ValueError, OverflowError):
        raise Unfit(Reason.DATE_IMPOSSIBLE, "is no possible time") from None
    if found < MOMENT_MIN:
        raise Unfit(Reason.DATE_IMPOSSIBLE, "is too long ago")
    return found


def whole(value: Any) -> int:
    """Read a count."""
    number = _number(value)
    if number is None or not 0 <= number < _WHOLE_MAX:
        raise Unfit(Reason.VALUE_UNFIT, "is no count")
    return number


def of_epoch_ms(milliseconds: int) -> datetime:
    """Give the time of epoch milliseconds. Raises OverflowError past the year 9999."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def _number(value: Any) -> int | None:
    if type(value) is int:
        return value
    if type(value) is str and len(value) <= 16 and _all_digits(value):
        return int(value)
    return None


def _all_digits(value: str) -> bool:
    return value.isascii() and value.isdigit()
