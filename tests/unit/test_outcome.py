"""Outcomes: what is told of a finding, to whom, and whether it is charged."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.agreement import PartnerKind
from padan_server.domain.claims import BORN_ON_OR_BEFORE, ClaimValue
from padan_server.domain.coverage import Coverage
from padan_server.domain.nik import parse
from padan_server.domain.outcome import (
    DECEASED,
    DUPLICATE,
    FOUND,
    INACTIVE,
    MATCHED,
    MISMATCHED,
    NOT_FOUND,
    NOT_YET_REPLICATED,
    RETRY_AFTER_SECONDS,
    Judgement,
    looked_up,
    verified,
)
from padan_server.domain.person import Finding, LifeStatus, RecordStatus
from padan_server.domain.region import Standing
from tests.support.builders import NIK, NOW, found, record, region

PRIVATE, GOVERNMENT = PartnerKind.PRIVATE, PartnerKind.GOVERNMENT
NAME: dict[str, ClaimValue] = {"full_name": "SITI CONTOH LESTARI"}
BORN: dict[str, ClaimValue] = {"birth_date": date(1990, 3, 12)}
WRONG: dict[str, ClaimValue] = {"full_name": "ANOTHER"}
BEHIND = region(coverage=Coverage(0.0), behind=True)
GONE: list[tuple[dict[str, Any], str]] = [
    ({"life_status": LifeStatus.DECEASED}, DECEASED),
    ({"record_status": RecordStatus.INACTIVE}, INACTIVE),
    ({"record_status": RecordStatus.DUPLICATE}, DUPLICATE),
]
gone = pytest.mark.parametrize(("status", "outcome"), GONE)
kinds = pytest.mark.parametrize("kind", list(PartnerKind))


def judge(finding: Finding, claims: dict[str, ClaimValue], **changes: Any) -> Judgement:
    """Judge for a private partner, in regions that are complete, unless changed."""
    ordinary: dict[str, Any] = {"origin": region(), "residence": region(), "kind": PRIVATE}
    return verified(NIK, claims, finding, **(ordinary | changes))


@kinds
def test_claims_that_all_match_are_matched_and_charged(kind: PartnerKind) -> None:
    judged = judge(found(), NAME | BORN, kind=kind)
    assert (judged.outcome, judged.billable, judged.signals) == (MATCHED, True, ())
    assert judged.record == record()
    assert judged.as_of == NOW
    assert list(judged.fields) == ["full_name", "birth_date"]


@kinds
@pytest.mark.parametrize("claims", [WRONG, WRONG | BORN, NAME | {"rt": "9"}])
def test_one_claim_that_does_not_match_is_mismatched_and_charged(
    kind: PartnerKind, claims: dict[str, ClaimValue]
) -> None:
    judged = judge(found(), claims, kind=kind)
    assert (judged.outcome, judged.billable) == (MISMATCHED, True)


def test_a_claim_about_what_is_not_on_record_is_no_match() -> None:
    judged = judge(found(mother_name=""), NAME | {"mother_name": "AMINAH CONTOH"})
    assert judged.outcome == MISMATCHED


@kinds
def test_an_absent_nik_is_not_found_and_charged(kind: PartnerKind) -> None:
    judged = judge(Finding(None, NOW), NAME, kind=kind)
    assert judged == Judgement(NOT_FOUND, NOW, True)


def test_an_absent_nik_of_a_region_behind_is_not_yet_replicated_and_free() -> None:
    judged = judge(Finding(None, NOW), NAME, origin=BEHIND)
    assert judged == Judgement(
        NOT_YET_REPLICATED, NOW, False, retry_after_seconds=RETRY_AFTER_SECONDS
    )


@pytest.mark.parametrize(
    ("standing", "signal"),
    [(Standing.RETIRED, "RETIRED_PREFIX"), (Standing.UNKNOWN, "UNKNOWN_PREFIX")],
)
def test_a_retired_or_unknown_prefix_is_a_signal_never_a_refusal(
    standing: Standing, signal: str
) -> None:
    origin = region(standing=standing)
    assert judge(found(), NAME, origin=origin).signals == (signal,)
    absent = judge(Finding(None, NOW), NAME, origin=origin)
    assert (absent.outcome, absent.signals) == (NOT_FOUND, (signal,))


@gone
@pytest.mark.parametrize("claims", [NAME, BORN, NAME | {"rt": "9"}, BORN | WRONG])
def test_a_private_partner_who_knows_name_or_birth_date_learns_the_status(
    status: dict[str, Any], outcome: str, claims: dict[str, ClaimValue]
) -> None:
    assert judge(found(**status), claims).outcome == outcome


@gone
@pytest.mark.parametrize(
    "claims",
    [
        WRONG,
        {"birth_date": date(1990, 12, 3)},
        {"mother_name": "AMINAH CONTOH"},
        {"sex": 2, "marital_status": 2, "province_code": "31"},
        {BORN_ON_OR_BEFORE: date(2009, 1, 1)},
    ],
)
def test_a_private_partner_who_knows_neither_learns_no_status(
    status: dict[str, Any], outcome: str, claims: dict[str, ClaimValue]
) -> None:
    judged = judge(found(**status), claims)
    assert told(judged) == (MISMATCHED, True, {}, ())


def told(judged: Judgement) -> tuple[object, ...]:
    """Give all of a judgement that the caller can see of the person."""
    return judged.outcome, judged.billable, judged.fields, judged.signals


@given(
    status=st.sampled_from([changes for changes, _ in GONE]),
    claims=st.sampled_from([WRONG, {"sex": 2}, {"rt": "1", "mother_name": "AMINAH CONTOH"}]),
    behind=st.booleans(),
)
def test_a_hidden_status_cannot_be_told_from_a_wrong_claim(
    status: dict[str, Any], claims: dict[str, ClaimValue], behind: bool
) -> None:
    residence = BEHIND if behind else region()
    hidden = judge(found(**status), claims, residence=residence)
    wrong = judge(found(), claims | {"rw": "9"}, residence=residence)
    assert told(hidden) == told(wrong)


def test_a_private_partner_who_knows_neither_is_not_told_which_claim_was_wrong() -> None:
    claims: dict[str, ClaimValue] = WRONG | {"sex": 2, "rt": "9"}
    assert judge(found(), claims).fields == {}
    assert list(judge(found(), claims, kind=GOVERNMENT).fields) == list(claims)
    assert list(judge(found(), claims | BORN).fields) == list(claims | BORN)


def test_a_private_partner_who_knows_neither_is_told_what_matched_if_all_did() -> None:
    claims: dict[str, ClaimValue] = {"sex": 2, BORN_ON_OR_BEFORE: date(2009, 1, 1)}
    judged = judge(found(), claims)
    assert judged.outcome == MATCHED
    assert list(judged.fields) == list(claims)


@gone
def test_a_government_partner_learns_the_status_whatever_it_claims(
    status: dict[str, Any], outcome: str
) -> None:
    assert judge(found(**status), WRONG, kind=GOVERNMENT).outcome == outcome


@given(
    status=st.sampled_from([changes for changes, _ in GONE]),
    kind=st.sampled_from(PartnerKind),
    claims=st.sampled_from([NAME, BORN, WRONG, {"sex": 2}, {"rt": "1"}, NAME | BORN]),
)
def test_a_person_who_is_dead_inactive_or_a_duplicate_is_never_matched(
    status: dict[str, Any], kind: PartnerKind, claims: dict[str, ClaimValue]
) -> None:
    assert judge(found(**status), claims, kind=kind).outcome != MATCHED


def test_a_duplicate_is_told_before_a_death_and_a_death_before_inactivity() -> None:
    dead = LifeStatus.DECEASED
    for record_status, outcome in (
        (RecordStatus.DUPLICATE, DUPLICATE),
        (RecordStatus.INACTIVE, DECEASED),
    ):
        finding = found(life_status=dead, record_status=record_status)
        assert judge(finding, NAME).outcome == outcome


@pytest.mark.parametrize(
    ("status", "billable"),
    [({}, True), *((changes, outcome != DUPLICATE) for changes, outcome in GONE)],
)
def test_a_duplicate_alone_of_those_on_record_is_free(
    status: dict[str, Any], billable: bool
) -> None:
    assert judge(found(**status), NAME).billable is billable
    judged = looked_up(NIK, found(**status), origin=region(), residence=region())
    assert judged.billable is billable


CONTRADICTED: dict[str, Any] = {"birth_date": date(1990, 3, 13), "sex": 1}
PERSONAL = ("NIK_CONTRADICTS_BIRTH_DATE", "NIK_CONTRADICTS_SEX", "BIRTH_DATE_TRANSPOSED")


def test_what_a_nik_contradicts_is_told_to_whoever_knows_the_person() -> None:
    assert judge(found(**CONTRADICTED), NAME).signals == PERSONAL[:2]
    assert judge(found(**CONTRADICTED), WRONG, kind=GOVERNMENT).signals == PERSONAL[:2]


@pytest.mark.parametrize("claims", [WRONG, BORN, {"sex": 1}, {BORN_ON_OR_BEFORE: date(2009, 1, 1)}])
def test_a_private_partner_who_knows_neither_gets_no_signal_about_the_person(
    claims: dict[str, ClaimValue],
) -> None:
    assert judge(found(**CONTRADICTED), claims).signals == ()


def test_a_sex_that_is_not_on_record_is_contradicted_by_nothing() -> None:
    assert judge(found(sex=0), NAME).signals == ()


def test_a_transposed_birth_date_is_told_to_whoever_knows_the_name() -> None:
    transposed: dict[str, ClaimValue] = {"birth_date": date(1990, 12, 3)}
    assert judge(found(), NAME | transposed).signals == ("BIRTH_DATE_TRANSPOSED",)
    assert judge(found(), transposed).signals == ()
    assert judge(found(), transposed, kind=GOVERNMENT).signals == ("BIRTH_DATE_TRANSPOSED",)


def test_a_mismatch_in_a_region_behind_says_so_and_is_free() -> None:
    judged = judge(found(), WRONG | BORN, residence=BEHIND)
    assert (judged.outcome, judged.billable) == (MISMATCHED, False)
    assert judged.signals == ("REGION_BEHIND",)


def test_a_mismatch_in_a_region_behind_is_free_also_where_that_is_not_told() -> None:
    pending = region(coverage=Coverage(0.0, 1), behind=True)
    judged = judge(found(), WRONG, residence=pending)
    assert (judged.outcome, judged.billable, judged.signals) == (MISMATCHED, False, ())
    judged = judge(found(), WRONG, residence=pending, kind=GOVERNMENT)
    assert judged.signals == ("REGION_BEHIND", "OUTREACH_PENDING")


def test_a_match_in_a_region_behind_says_so_and_is_charged() -> None:
    judged = judge(found(), NAME, residence=BEHIND)
    assert (judged.outcome, judged.billable) == (MATCHED, True)
    assert judged.signals == ("REGION_BEHIND",)


def test_the_region_of_residence_counts_for_who_is_found_that_of_the_nik_for_who_is_not() -> None:
    assert judge(found(), WRONG, origin=BEHIND).billable
    assert judge(Finding(None, NOW), NAME, residence=BEHIND).outcome == NOT_FOUND


def test_outreach_that_has_not_arrived_is_told() -> None:
    pending = region(coverage=Coverage(NOW, 2))
    assert judge(found(), NAME, residence=pending).signals == ("OUTREACH_PENDING",)


@kinds
def test_outreach_to_come_is_told_of_the_absent_and_changes_nothing_else(kind: PartnerKind) -> None:
    pending = region(coverage=Coverage(NOW, 1))
    judged = judge(Finding(None, NOW), NAME, origin=pending, kind=kind)
    assert judged == Judgement(NOT_FOUND, NOW, True, signals=("OUTREACH_PENDING",))
    elsewhere = judge(Finding(None, NOW), NAME, residence=pending, kind=kind)
    assert elsewhere.signals == ()
    retired = region(standing=Standing.RETIRED, coverage=Coverage(NOW, 1))
    judged = judge(Finding(None, NOW), NAME, origin=retired)
    assert judged.signals == ("RETIRED_PREFIX", "OUTREACH_PENDING")


def test_outreach_to_come_is_told_of_the_regency_of_residence_for_who_is_found() -> None:
    pending = region(coverage=Coverage(NOW, 1))
    assert judge(found(), NAME, origin=pending).signals == ()


def test_signals_stand_in_the_order_of_the_contract() -> None:
    every = judge(
        found(**CONTRADICTED),
        NAME | {"birth_date": date(1990, 3, 13)},
        origin=region(standing=Standing.RETIRED),
        residence=region(coverage=Coverage(0.0, 1), behind=True),
    )
    assert every.signals == (
        "NIK_CONTRADICTS_BIRTH_DATE",
        "NIK_CONTRADICTS_SEX",
        "RETIRED_PREFIX",
        "REGION_BEHIND",
        "OUTREACH_PENDING",
    )


def test_a_lookup_finds_compares_nothing_and_is_charged() -> None:
    judged = looked_up(NIK, found(), origin=region(), residence=region())
    assert judged == Judgement(FOUND, NOW, True, record())


@gone
def test_a_lookup_tells_the_status(status: dict[str, Any], outcome: str) -> None:
    judged = looked_up(NIK, found(**status), origin=region(), residence=region())
    assert judged.outcome == outcome


def test_a_lookup_of_an_absent_nik_is_judged_as_a_verification_is() -> None:
    absent = Finding(None, NOW)
    for origin, outcome in ((region(), NOT_FOUND), (BEHIND, NOT_YET_REPLICATED)):
        judged = looked_up(NIK, absent, origin=origin, residence=region())
        assert judged == judge(absent, NAME, origin=origin)
        assert judged.outcome == outcome


def test_a_mans_nik_on_a_womans_record_is_a_contradiction() -> None:
    nik = parse("3171011203909001")
    judged = verified(nik, NAME, found(nik=nik), origin=region(), residence=region(), kind=PRIVATE)
    assert judged.signals == ("NIK_CONTRADICTS_SEX",)
