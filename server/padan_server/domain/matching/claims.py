"""Which comparison serves which claim."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from padan_server.domain.claims import ClaimValue
from padan_server.domain.matching.comparison import ABSENT, OTHER, SAME, TRANSPOSED, Comparison
from padan_server.domain.matching.text import compare_text
from padan_server.domain.person import Record


def compare(record: Record, claims: dict[str, ClaimValue]) -> dict[str, Comparison]:
    """Compare each claim with the record; keys and order are the claims'."""
    return {name: _COMPARE[name](record, value) for name, value in claims.items()}


def _text(read: Callable[[Record], str]) -> Callable[[Record, ClaimValue], Comparison]:
    def compare(record: Record, claimed: ClaimValue) -> Comparison:
        assert isinstance(claimed, str)
        return compare_text(read(record), claimed)

    return compare


def _code(read: Callable[[Record], str | int]) -> Callable[[Record, ClaimValue], Comparison]:
    def compare(record: Record, claimed: ClaimValue) -> Comparison:
        recorded = read(record)
        if not recorded:
            return ABSENT
        return SAME if recorded == claimed else OTHER

    return compare


def _unit(read: Callable[[Record], str]) -> Callable[[Record, ClaimValue], Comparison]:
    def compare(record: Record, claimed: ClaimValue) -> Comparison:
        assert isinstance(claimed, str)
        recorded = read(record).lstrip("0")
        if not recorded:
            return ABSENT
        return SAME if recorded == claimed.lstrip("0") else OTHER

    return compare


def _region(digits: int) -> Callable[[Record, ClaimValue], Comparison]:
    def compare(record: Record, claimed: ClaimValue) -> Comparison:
        if len(record.village_code) < digits:
            return ABSENT
        return SAME if record.village_code[:digits] == claimed else OTHER

    return compare


def _birth_date(record: Record, claimed: ClaimValue) -> Comparison:
    assert isinstance(claimed, date)
    born = record.birth_date
    if born == claimed:
        return SAME
    if (born.year, born.month, born.day) == (claimed.year, claimed.day, claimed.month):
        return TRANSPOSED
    return OTHER


def _born_on_or_before(record: Record, claimed: ClaimValue) -> Comparison:
    assert isinstance(claimed, date)
    return SAME if record.birth_date <= claimed else OTHER


_COMPARE: dict[str, Callable[[Record, ClaimValue], Comparison]] = {
    "full_name": _text(lambda record: record.full_name),
    "birth_place": _text(lambda record: record.birth_place),
    "birth_date": _birth_date,
    "sex": _code(lambda record: record.sex),
    "mother_name": _text(lambda record: record.mother_name),
    "father_name": _text(lambda record: record.father_name),
    "family_card_number": _code(lambda record: record.family_card_number),
    "address": _text(lambda record: record.address),
    "rt": _unit(lambda record: record.rt),
    "rw": _unit(lambda record: record.rw),
    "province_code": _region(2),
    "regency_code": _region(4),
    "district_code": _region(6),
    "village_code": _region(10),
    "marital_status": _code(lambda record: record.marital_status),
    "born_on_or_before": _born_on_or_before,
}
