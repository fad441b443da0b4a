"""Outcomes: what comes of a finding and its comparisons, what it tells, and whether it is charged.

The rule that keeps answers from leaking stands at `verified`: a record's status, the person's
signals, and which claims were wrong are told only to callers who knew the name or the birth date.
"""

from __future__ import annotations

import msgspec

from padan_server.domain import nik as niks
from padan_server.domain.agreement import PartnerKind
from padan_server.domain.claims import ClaimValue
from padan_server.domain.coverage import Coverage
from padan_server.domain.matching import MATCH, Comparison, compare
from padan_server.domain.person import Finding, LifeStatus, Record, RecordStatus
from padan_server.domain.region import Standing

MATCHED = "MATCHED"
MISMATCHED = "MISMATCHED"
NOT_FOUND = "NOT_FOUND"
DECEASED = "DECEASED"
DUPLICATE = "DUPLICATE"
INACTIVE = "INACTIVE"
NOT_YET_REPLICATED = "NOT_YET_REPLICATED"
FOUND = "FOUND"

REGION_BEHIND = "REGION_BEHIND"
OUTREACH_PENDING = "OUTREACH_PENDING"

BILLABLE = frozenset({MATCHED, MISMATCHED, NOT_FOUND, DECEASED, INACTIVE, FOUND})
"""Outcomes that are charged (PP 10/2023: per access); a mismatch in a region behind is not."""

RETRY_AFTER_SECONDS = 3600.0
"""When to ask again for a person who may not have arrived: regions report at least hourly."""


class Judgement(msgspec.Struct, frozen=True):
    """What came of a call: the outcome, comparisons and signals in the contract's order.

    `fields` has a comparison per claim, or is empty where none is to be told. `record` is the
    record found, or None. `retry_after_seconds` is set for NOT_YET_REPLICATED.
    """

    outcome: str
    as_of: float
    billable: bool
    record: Record | None = None
    fields: dict[str, Comparison] = {}
    signals: tuple[str, ...] = ()
    retry_after_seconds: float = 0.0


class RegionState(msgspec.Struct, frozen=True):
    """What is known of a region code: how the code list has it, and the copy's coverage.

    `coverage` is None where the copy claims nothing about the region. `behind` tells whether the
    region is not centralised yet, or its watermark too old.
    """

    standing: Standing
    coverage: Coverage | None
    behind: bool


def absent(finding: Finding, origin: RegionState) -> Judgement:
    """Judge a NIK that has no record: not found, or not yet here.

    That results of outreach teams are still to come from its region is told, and changes nothing
    else: they are few beside the region's people.
    """
    if origin.behind:
        return Judgement(
            NOT_YET_REPLICATED, finding.as_of, False, retry_after_seconds=RETRY_AFTER_SECONDS
        )
    signals = _prefix_signals(origin) + _outreach_signals(origin)
    return Judgement(NOT_FOUND, finding.as_of, True, signals=signals)


def verified(
    nik: niks.Nik,
    claims: dict[str, ClaimValue],
    finding: Finding,
    *,
    origin: RegionState,
    residence: RegionState,
    kind: PartnerKind,
) -> Judgement:
    """Judge claims about a NIK. `residence` is the region of the record's present residence.

    A private partner knows the person if its claim of the full name or of the birth date matches;
    a government partner always does. To a partner who does not, a status counts as a mismatch, and
    a mismatch is told bare: without comparisons, and without signals that depend on the record. So
    a hidden status cannot be told from a wrong claim, nor by the charge. The charge tells only that
    the region is behind, as a mismatch there must be free whoever asks.
    """
    record = finding.record
    if record is None:
        return absent(finding, origin)
    fields = compare(record, claims)
    known = kind is PartnerKind.GOVERNMENT or _knows_person(fields)
    status = _status(record)
    if status and known:
        outcome = status
    elif not status and all(c.result == MATCH for c in fields.values()):
        outcome = MATCHED
    else:
        outcome = MISMATCHED
    return Judgement(
        outcome,
        finding.as_of,
        outcome in BILLABLE and not (outcome == MISMATCHED and residence.behind),
        record,
        fields if known or outcome == MATCHED else {},
        _signals(nik, record, fields, origin=origin, residence=residence, known=known),
    )


def looked_up(
    nik: niks.Nik, finding: Finding, *, origin: RegionState, residence: RegionState
) -> Judgement:
    """Judge a lookup of a NIK."""
    record = finding.record
    if record is None:
        return absent(finding, origin)
    outcome = _status(record) or FOUND
    return Judgement(
        outcome,
        finding.as_of,
        outcome in BILLABLE,
        record,
        signals=_signals(nik, record, {}, origin=origin, residence=residence, known=True),
    )


def _status(record: Record) -> str:
    if record.record_status == RecordStatus.DUPLICATE:
        return DUPLICATE
    if record.life_status == LifeStatus.DECEASED:
        return DECEASED
    if record.record_status == RecordStatus.INACTIVE:
        return INACTIVE
    return ""


def _knows_person(fields: dict[str, Comparison]) -> bool:
    for name in ("full_name", "birth_date"):
        comparison = fields.get(name)
        if comparison is not None and comparison.result == MATCH:
            return True
    return False


def _prefix_signals(origin: RegionState) -> tuple[str, ...]:
    if origin.standing is Standing.CURRENT:
        return ()
    return ("RETIRED_PREFIX" if origin.standing is Standing.RETIRED else "UNKNOWN_PREFIX",)


def _outreach_signals(region: RegionState) -> tuple[str, ...]:
    if region.coverage is not None and region.coverage.outreach_pending:
        return (OUTREACH_PENDING,)
    return ()


def _signals(
    nik: niks.Nik,
    record: Record,
    fields: dict[str, Comparison],
    *,
    origin: RegionState,
    residence: RegionState,
    known: bool,
) -> tuple[str, ...]:
    """Give the signals; those that depend on the record only if the caller knows the person."""
    if not known:
        return _prefix_signals(origin)
    signals = []
    if niks.contradicts_birth_date(nik, record.birth_date):
        signals.append("NIK_CONTRADICTS_BIRTH_DATE")
    if record.sex and niks.is_female(nik) != (record.sex == 2):
        signals.append("NIK_CONTRADICTS_SEX")
    signals.extend(_prefix_signals(origin))
    birth_date = fields.get("birth_date")
    if birth_date is not None and birth_date.transposed:
        signals.append("BIRTH_DATE_TRANSPOSED")
    if residence.behind:
        signals.append(REGION_BEHIND)
    signals.extend(_outreach_signals(residence))
    return tuple(signals)
