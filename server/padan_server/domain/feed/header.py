"""Whether a file's columns are those of people's records, told in one sentence before any row."""

from __future__ import annotations

from collections.abc import Iterable

from padan_server.domain.feed.columns import (
    BIODATA_NAMES,
    BIODATA_REQUIRED,
    NOT_KEPT,
    PROTECTED,
    RESIDENCE,
    RESIDENCE_WHOLE,
)

_NAMES_TOLD_MAX = 20
_NAME_CHARACTERS_MAX = 40

_RESIDENCE_REQUIRED = tuple(name for name, _ in RESIDENCE[:2])


def fault(names: Iterable[str]) -> str | None:
    """Tell which columns are missing, unknown or there twice; None if the header is right.

    Names are SIAK's, in any case. Columns that SIAK has and Padan does not keep are no fault.
    """
    given = [name.strip().upper() for name in names]
    there = set(given)
    missing = sorted(BIODATA_REQUIRED - there)
    if RESIDENCE_WHOLE not in there:
        missing += [name for name in _RESIDENCE_REQUIRED if name not in there]
    unknown = sorted(there - BIODATA_NAMES - NOT_KEPT - PROTECTED)
    twice = sorted({name for name in there if given.count(name) > 1})
    told = [
        f"{what}: {_told(found)}"
        for what, found in (
            ("missing columns", missing),
            ("unknown columns", unknown),
            ("columns there twice", twice),
        )
        if found
    ]
    return "; ".join(told) or None


def _told(names: list[str]) -> str:
    # A file without a header shows its first row here: long values are no names.
    shown = ", ".join(
        name[:_NAME_CHARACTERS_MAX] or "(no name)" for name in names[:_NAMES_TOLD_MAX]
    )
    return shown + (
        f" and {len(names) - _NAMES_TOLD_MAX} more" if len(names) > _NAMES_TOLD_MAX else ""
    )
