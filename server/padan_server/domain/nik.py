"""The NIK: its form, and what its digits say.

`PPKKCC DDMMYY SSSS`: region of first registration, birth date (day + 40 for women), serial from
0001; no check digit. A NIK never changes, so what its digits say may contradict the record: that
is a signal in an answer, never a refusal.
"""

from __future__ import annotations

import re
from datetime import date
from typing import NewType

Nik = NewType("Nik", str)
"""16 ASCII digits that passed `parse`."""

_FORM = re.compile(
    r"[0-9]{6}(?:0[1-9]|[12][0-9]|3[01]|4[1-9]|[56][0-9]|7[01])(?:0[1-9]|1[0-2])[0-9]{2}"
    r"(?!0000)[0-9]{4}"
)


class MalformedNik(ValueError):
    """The text is not a NIK. The message tells the rule, never the value."""


def parse(text: str) -> Nik:
    """Check the form of a NIK.

    Raises MalformedNik for anything but 16 ASCII digits, serial 0000, day 00, 32-40 or 72 and
    more, month 00 or 13 and more. An unknown or retired region code passes.
    """
    if _FORM.fullmatch(text) is None:
        raise MalformedNik("must be 16 digits with a possible day, month and serial")
    return Nik(text)


def prefix(nik: Nik) -> str:
    """Give the six-digit code of the district of first registration."""
    return nik[:6]


def regency(nik: Nik) -> str:
    """Give the four-digit code of the regency or city of first registration."""
    return nik[:4]


def is_female(nik: Nik) -> bool:
    """Tell the sex that the day digits say: women have 40 added."""
    return nik[6] >= "4"


def contradicts_birth_date(nik: Nik, born: date) -> bool:
    """Tell whether the NIK's day, month and two-digit year differ from a birth date."""
    day = int(nik[6:8])
    if day > 40:
        day -= 40
    return (day, int(nik[8:10]), int(nik[10:12])) != (born.day, born.month, born.year % 100)
