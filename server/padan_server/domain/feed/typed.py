"""The short way for rows in the form that connectors send: types and limits checked while decoding.

It takes a row only if nothing about it is odd; whatever it gives back, person.py gives for the
same row. A test holds the two equal.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from padan_server.domain.feed import PersonChange
from padan_server.domain.feed.columns import (
    ADDRESS_MAX,
    BIODATA,
    CARD_STATUSES,
    CHANNELS,
    NAME_MAX,
    NUMBER_MAX,
    PERSON,
    RESIDENCE,
    RESIDENCE_WHOLE,
    TITLE_MAX,
)
from padan_server.domain.feed.person import Horizon, KnownRegions
from padan_server.domain.feed.values import DAY_MIN, EPOCH_DAY, MOMENT_MIN, Unfit, moment
from padan_server.domain.nik import MalformedNik, parse


def _text(length: int) -> Any:
    return Annotated[str, Meta(min_length=1, max_length=length)]


_Name = _text(NAME_MAX)
_Title = _text(TITLE_MAX)
_Number = _text(NUMBER_MAX)
_Nik = _text(16)
_Moment = Annotated[datetime, Meta(tz=True)] | int
_Day = Annotated[int, Meta(ge=DAY_MIN.toordinal() - EPOCH_DAY, lt=2_000_000)] | date
_Part = Annotated[str, Meta(min_length=2, max_length=2)]
_Long = Annotated[str, Meta(min_length=16, max_length=16)]
_Short = _text(3)


def _code(last: int, first: int = 0) -> Any:
    return Annotated[int, Meta(ge=first, le=last)]


_SHAPES: dict[str, Any] = {
    "NIK": _Long,
    "NO_KK": _Long,
    "NAMA_LGKP": _Name,
    "GLR_AGAMA": _Title | None,
    "GLR_AKADEMIS": _Title | None,
    "GLR_BANGSAWAN": _Title | None,
    "TMPT_LHR": _Name,
    "TGL_LHR": _Day,
    "JENIS_KLMIN": _code(2, 1),
    "GOL_DRH": _code(13),
    "AGAMA": _code(7),
    "STAT_KWN": _code(4),
    "STAT_HBKEL": _code(11),
    "PDDK_AKH": _code(10),
    "JENIS_PKRJN": _code(99),
    "KEBANGSAAN": _Name,
    "NO_AKTA_LHR": _Number | None,
    "NO_AKTA_KWN": _Number | None,
    "TGL_KWN": _Day | None,
    "NO_AKTA_CRAI": _Number | None,
    "TGL_CRAI": _Day | None,
    "NIK_IBU": _Nik | None,
    "NAMA_LGKP_IBU": _Name | None,
    "NIK_AYAH": _Nik | None,
    "NAMA_LGKP_AYAH": _Name | None,
    "ALAMAT": _text(ADDRESS_MAX),
    "NO_RT": _Short,
    "NO_RW": _Short,
    "DUSUN": _Name | None,
    "KODE_POS": _text(5) | None,
    "STAT_HIDUP": _code(2, 1),
    "FLAG_STATUS": _code(3, 1),
    "EKTP_CURRENT_STATUS_CODE": Literal[CARD_STATUSES],
    "CHANNEL": Literal[CHANNELS],
    "TGL_ENTRI": _Moment,
    "HAPPENED_AT": _Moment,
    "NO_PROP": _Part,
    "NO_KAB": _Part,
    "NO_KEC": _Part,
    "NO_KEL": Annotated[str, Meta(min_length=4, max_length=4)],
}
"""Every column is there, and those with something to put in their place are not null."""

_Row = msgspec.defstruct(
    "_Row",
    # The residence in one column takes the long way.
    [*_SHAPES.items(), (RESIDENCE_WHOLE, None, None)],
    gc=False,
)
_decode = msgspec.json.Decoder(_Row).decode
_values = msgspec.structs.astuple

_ODD = (b"\\", b'" ', b' "')
"""Escapes, and blanks at a text's ends (or between a row's parts, as some write)."""

_NIK, _CARD = PERSON.index("nik"), PERSON.index("family_card_number")
_BORN = PERSON.index("birth_date")
_DAYS = tuple(PERSON.index(name) for name in ("birth_date", "marriage_date", "divorce_date"))
_MOMENTS = tuple(PERSON.index(name) for name in ("entered_at", "happened_at"))

assert tuple(_SHAPES) == (
    *(column.siak for column in BIODATA),
    *(name for name, _ in RESIDENCE),
), "values stand in the order of columns.PERSON"


def read_typed(row: bytes, *, regions: KnownRegions, horizon: Horizon) -> PersonChange | None:
    """Read a row of biodata in JSON; None if it has to take the long way."""
    escape, blank_after, blank_before = _ODD
    if not row.isascii() or escape in row or blank_after in row or blank_before in row:
        return None
    try:
        *values, province, regency, district, village, _ = _values(_decode(row))
        parse(values[_NIK])
        for at in _MOMENTS:
            if type(values[at]) is int:
                values[at] = moment(values[at])
            elif values[at] < MOMENT_MIN:
                return None
    except (msgspec.MsgspecError, MalformedNik, Unfit):
        return None
    for at in _DAYS:
        day = values[at]
        if type(day) is int:
            values[at] = date.fromordinal(EPOCH_DAY + day)
        elif day is not None and day < DAY_MIN:
            return None
    code = province + regency + district + village
    if (
        not (code + values[_CARD]).isdigit()
        or values[_BORN] > horizon.day
        or values[_MOMENTS[0]] > horizon.moment
        or values[_MOMENTS[1]] > horizon.moment
        or not regions.lived_in(code)
    ):
        return None
    values.append(code)
    return PersonChange(values[_NIK], tuple(values))
