"""A row of `biodata` into a person's record, or into everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from padan_server.domain.feed import PersonChange, Reason, Rejected, sentence
from padan_server.domain.feed.columns import (
    BIODATA,
    CHANGED,
    PERSON,
    RESIDENCE,
    RESIDENCE_WHOLE,
)
from padan_server.domain.feed.values import EPOCH, Unfit, digits, moment
from padan_server.domain.region import RegionTable, Standing

_AHEAD_HOURS = 24
"""How far a time may be past its source's: clocks and time zones differ, days do not."""
_HOUR_MS = 3_600_000

_NIK = PERSON.index("nik")
_BIRTH_DATE = PERSON.index("birth_date")
_CHANNEL = PERSON.index("channel")
_ENTERED_AT = PERSON.index("entered_at")
_HAPPENED_AT = PERSON.index("happened_at")
_PARTS = tuple((name, digits(length)) for name, length in RESIDENCE)
_WHOLE_LENGTHS = (4, 6, 10)

Problem = tuple[Reason, str]


class Horizon(msgspec.Struct, frozen=True):
    """What lies past it has not happened yet."""

    day: date
    moment: datetime


class Horizons:
    """Gives the horizon of a moment, to the hour: the next line's is mostly the same."""

    def __init__(self) -> None:
        self._hour = -1
        self._horizon = Horizon(date.min, datetime.min)

    def at(self, epoch_ms: int) -> Horizon:
        """Give the horizon as seen at a moment. Raises OverflowError past the year 9999."""
        hour = epoch_ms // _HOUR_MS
        if hour != self._hour:
            moment = EPOCH + timedelta(hours=hour + 1 + _AHEAD_HOURS)
            self._horizon = Horizon(moment.date(), moment)
            self._hour = hour
        return self._horizon


class KnownRegions:
    """Tells which regions exist or have existed, by any edition of the code list."""

    def __init__(self, table: RegionTable) -> None:
        self._table = table
        self._known: set[str] = set()
        """Districts that were asked about: as many as there are, at most."""

    def lived_in(self, code: str) -> bool:
        """Tell whether someone can have lived in a code of 4, 6 or 10 digits."""
        district = code[:6]
        if district in self._known:
            return True
        if len(district) < 6:
            return self.regency(district)
        if self._table.lookup(district).standing is Standing.UNKNOWN:
            return False
        self._known.add(district)
        return True

    def regency(self, code: str) -> bool:
        """Tell whether this is a regency's or city's code, of any edition."""
        found = self._table.get(code)
        return found is not None and found.level == "regency"


def read_person(
    row: Mapping[str, Any], *, regions: KnownRegions, horizon: Horizon
) -> PersonChange | Rejected:
    """Read a row of biodata, names in any case. All that is wrong stands in the detail."""
    if not "".join(row).isupper():
        row = {name.upper(): value for name, value in row.items()}
    values: list[Any] = []
    problems: list[Problem] = []
    for siak, _, read, required, absent in BIODATA:
        value = row.get(siak)
        if type(value) is str:
            value = value.strip()
        elif type(value) is float and value.is_integer():
            value = int(value)
        if value is None or value == "":
            if required:
                problems.append((Reason.COLUMN_MISSING, f"{siak} is missing"))
            values.append(absent)
            continue
        try:
            values.append(read(value))
        except Unfit as unfit:
            problems.append((unfit.reason, f"{siak} {unfit.text}"))
            values.append(None)
    values.append(_residence(row, regions, problems))
    _check_times(values, row, horizon, problems)
    if problems:
        return Rejected(
            problems[0][0], sentence(text for _, text in problems), values[_NIK] or ""
        )  # fmt: skip
    return PersonChange(values[_NIK], tuple(values))


def _residence(row: Mapping[str, Any], regions: KnownRegions, problems: list[Problem]) -> str:
    """Give the code of where someone lives: to the village, or as far as it is known."""
    whole = row.get(RESIDENCE_WHOLE)
    try:
        code = _joined(row) if whole is None or whole == "" else _undotted(whole)
    except Unfit as unfit:
        problems.append((unfit.reason, unfit.text))
        return ""
    if not regions.lived_in(code):
        problems.append((Reason.REGION_UNKNOWN, "the region of residence is in no edition"))
    return code


def _joined(row: Mapping[str, Any]) -> str:
    code = ""
    ended = ""
    for name, read in _PARTS:
        value = row.get(name)
        if type(value) is str:
            value = value.strip()
        if value is None or value == "":
            ended = ended or name
            continue
        if ended:
            raise Unfit(Reason.COLUMN_MISSING, f"{ended} is missing, and {name} is not")
        try:
            code += read(value)
        except Unfit as unfit:
            raise Unfit(unfit.reason, f"{name} {unfit.text}") from None
    if len(code) < _WHOLE_LENGTHS[0]:
        raise Unfit(Reason.COLUMN_MISSING, f"{ended} is missing")
    return code


def _undotted(whole: Any) -> str:
    code = str(whole).strip().replace(".", "")
    if len(code) not in _WHOLE_LENGTHS or not (code.isascii() and code.isdigit()):
        raise Unfit(Reason.VALUE_UNFIT, f"{RESIDENCE_WHOLE} is not 4, 6 or 10 digits")
    return code


def _check_times(
    values: list[Any], row: Mapping[str, Any], horizon: Horizon, problems: list[Problem]
) -> None:
    """Fill in when it happened, and refuse what has not happened yet."""
    if values[_HAPPENED_AT] is None and not row.get("HAPPENED_AT"):
        if values[_CHANNEL] == "OUTREACH":
            problems.append((Reason.COLUMN_MISSING, "HAPPENED_AT is missing, with OUTREACH"))
        values[_HAPPENED_AT] = _changed(row, problems) or values[_ENTERED_AT]
    if values[_BIRTH_DATE] is not None and values[_BIRTH_DATE] > horizon.day:
        problems.append((Reason.DATE_IMPOSSIBLE, "TGL_LHR is yet to come"))
    for name, at in (("TGL_ENTRI", _ENTERED_AT), ("HAPPENED_AT", _HAPPENED_AT)):
        if values[at] is not None and values[at] > horizon.moment:
            problems.append((Reason.DATE_IMPOSSIBLE, f"{name} is yet to come"))


def _changed(row: Mapping[str, Any], problems: list[Problem]) -> datetime | None:
    value = row.get(CHANGED)
    if value is None or value == "":
        return None
    try:
        read: datetime = moment(value)
    except Unfit as unfit:
        problems.append((unfit.reason, f"{CHANGED} {unfit.text}"))
        return None
    return read
