"""Conversion between contract and domain: both ways, and no list that drifts from the other."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import given
from hypothesis import strategies as st

from padan.v1 import record_pb2 as record_pb
from padan.v1 import verification_pb2 as pb
from padan_server.adapters import registry_tables
from padan_server.domain import outcome
from padan_server.domain.agreement import PURPOSES, PartnerKind
from padan_server.domain.call import Answered
from padan_server.domain.claims import BORN_ON_OR_BEFORE, LOOKUP_ELEMENTS, VERIFY_ELEMENTS
from padan_server.domain.coverage import Coverage
from padan_server.domain.matching import (
    CLOSE,
    DIFFERENT,
    MATCH,
    NOT_ON_RECORD,
    Comparison,
    compare,
)
from padan_server.domain.region import Standing
from padan_server.operations import documents
from padan_server.transport import convert
from tests.support.builders import NIK, NOW, found, judgement, record, region, request_id

OUTCOMES = {
    outcome.MATCHED,
    outcome.MISMATCHED,
    outcome.NOT_FOUND,
    outcome.DECEASED,
    outcome.DUPLICATE,
    outcome.INACTIVE,
    outcome.NOT_YET_REPLICATED,
    outcome.FOUND,
}


def answered(**changes: Any) -> Answered[outcome.Judgement]:
    ordinary = Answered(
        judgement=judgement(),
        subject_token="A" * 22,
        log="padan.example/log",
        index=7,
        time=1_790_000_000_123_456,
        statement_salt=bytes(range(16)),
        charged=True,
        day_left=999,
        month_left=-1,
        replayed=False,
    )
    return msgspec.structs.replace(ordinary, **changes)


def verify_response(told: Answered[outcome.Judgement]) -> pb.VerifyResponse:
    return pb.VerifyResponse.FromString(convert.verify_response(told))


def names(enum: Any, prefix: str) -> list[str]:
    """Give an enum's names without their prefix, in the order of their numbers from 1."""
    numbered = {number: name for name, number in enum.items()}
    assert numbered.pop(0) == f"{prefix}_UNSPECIFIED"
    assert sorted(numbered) == list(range(1, len(numbered) + 1))
    return [numbered[number].removeprefix(f"{prefix}_") for number in sorted(numbered)]


def fields(message: Any) -> list[str]:
    """Give a message's fields in the order of their numbers from 1."""
    listed = sorted(message.DESCRIPTOR.fields, key=lambda field: field.number)
    assert [field.number for field in listed] == list(range(1, len(listed) + 1))
    return [field.name for field in listed]


def told_signals() -> set[str]:
    """Give every signal that the domain has: from a person and a region with all that is odd."""
    odd = found(birth_date=date(1990, 12, 3), sex=1)
    behind = region(coverage=Coverage(0.0, 1), behind=True)
    judgements: Iterable[outcome.Judgement] = (
        outcome.verified(
            NIK,
            {"birth_date": date(1990, 3, 12)},
            odd,
            origin=region(standing=standing),
            residence=behind,
            kind=PartnerKind.GOVERNMENT,
        )
        for standing in Standing
    )
    return {signal for judged in judgements for signal in judged.signals}


def test_purposes_are_the_contracts_in_its_order() -> None:
    assert list(PURPOSES) == names(pb.Purpose, "PURPOSE")


def test_elements_are_the_contracts_in_its_order() -> None:
    listed = [name.lower() for name in names(record_pb.Element, "ELEMENT")]
    assert list(LOOKUP_ELEMENTS) == listed
    assert list(LOOKUP_ELEMENTS) == fields(record_pb.Person)
    assert [*VERIFY_ELEMENTS, BORN_ON_OR_BEFORE] == fields(record_pb.Claims)


def test_outcomes_are_the_contracts() -> None:
    assert set(names(pb.Outcome, "OUTCOME")) == OUTCOMES
    assert outcome.BILLABLE < OUTCOMES


def test_signals_are_the_contracts() -> None:
    assert set(names(pb.Signal, "SIGNAL")) == told_signals()


def test_results_and_rules_are_the_contracts() -> None:
    results = {MATCH, CLOSE, DIFFERENT, NOT_ON_RECORD}
    assert set(names(pb.FieldResult, "FIELD_RESULT")) == results
    rules = {
        rule
        for name in ("SITI CONTOH LESTARI", "siti contoh lestari")
        for rule in compare(record(), {"full_name": name})["full_name"].rules
    }
    assert set(names(pb.MatchRule, "MATCH_RULE")) == rules


def test_sex_and_marital_status_have_the_registrys_codes() -> None:
    assert names(record_pb.Sex, "SEX") == ["MALE", "FEMALE"]
    assert names(record_pb.MaritalStatus, "MARITAL_STATUS") == [
        "SINGLE",
        "MARRIED",
        "DIVORCED",
        "WIDOWED",
    ]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_purpose_is_read_by_its_name(purpose: str) -> None:
    request = claiming_everything()
    request.purpose = pb.Purpose.Value(f"PURPOSE_{purpose}")
    assert convert.verify_query(request).purpose == purpose


CLAIMS: dict[str, Any] = {
    "full_name": "SITI CONTOH LESTARI",
    "birth_place": "JAKARTA",
    "birth_date": "1990-03-12",
    "sex": 2,
    "mother_name": "AMINAH",
    "father_name": "AHMAD",
    "family_card_number": "3171010101209001",
    "address": "JL. CONTOH NO. 1",
    "rt": "1",
    "rw": "002",
    "province_code": "31",
    "regency_code": "3171",
    "district_code": "317101",
    "village_code": "3171011001",
    "marital_status": 3,
    "born_on_or_before": "2009-11-24",
}


def claiming_everything() -> pb.VerifyRequest:
    claims = record_pb.Claims(**CLAIMS)
    return pb.VerifyRequest(
        nik=NIK, purpose=pb.PURPOSE_DEMOCRACY, request_id=request_id(), claims=claims
    )


def test_every_claim_is_read_under_its_elements_name() -> None:
    query = convert.verify_query(claiming_everything())
    dates = {"birth_date": date(1990, 3, 12), BORN_ON_OR_BEFORE: date(2009, 11, 24)}
    assert query.claims == CLAIMS | dates
    assert list(query.claims) == [*VERIFY_ELEMENTS, BORN_ON_OR_BEFORE]
    assert set(query.elements) == set(VERIFY_ELEMENTS)
    # Whatever can be claimed can be compared.
    assert set(compare(record(), query.claims)) == set(CLAIMS)


@pytest.mark.parametrize("element", LOOKUP_ELEMENTS)
def test_every_element_can_be_asked_for_and_given(element: str) -> None:
    mask = FieldMask(paths=[element])
    request = pb.LookupRequest(
        nik=NIK, purpose=pb.PURPOSE_DEMOCRACY, request_id=request_id(), read_mask=mask
    )
    assert convert.lookup_query(request).elements == (element,)
    judged = judgement(outcome=outcome.FOUND)
    given_person = convert.lookup_response(answered(judgement=judged), (element,)).person
    ((field, value),) = given_person.ListFields()
    assert (field.name, bool(value)) == (element, True)


def test_a_lookup_gives_channel_and_both_times_of_the_last_change() -> None:
    last = record(channel="OUTREACH", happened_at=NOW - 86_400.5, committed_at=NOW)
    judged = judgement(outcome=outcome.FOUND, record=last)
    elements = ("channel", "happened_at", "committed_at")
    person = convert.lookup_response(answered(judgement=judged), elements).person
    assert person.channel == record_pb.CHANNEL_OUTREACH
    assert person.happened_at.ToMicroseconds() == round((NOW - 86_400.5) * 1_000_000)
    assert person.committed_at.ToMicroseconds() == round(NOW * 1_000_000)


def test_channels_are_the_registrys() -> None:
    assert list(convert.CHANNEL) == names(record_pb.Channel, "CHANNEL")
    constraint = next(
        each for each in registry_tables.person.constraints if each.name == "person_channel_known"
    )
    assert all(f"'{name}'" in str(constraint.sqltext) for name in convert.CHANNEL)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_every_outcome_is_written_under_its_name(name: str) -> None:
    response = verify_response(answered(judgement=judgement(outcome=name)))
    assert pb.Outcome.Name(response.outcome) == f"OUTCOME_{name}"


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_a_lookup_gives_values_of_the_found_and_the_dead_alone(name: str) -> None:
    judged = judgement(outcome=name)
    response = convert.lookup_response(answered(judgement=judged), ("full_name",))
    assert response.HasField("person") is (name in (outcome.FOUND, outcome.DECEASED))


def test_a_lookup_of_nobody_gives_no_person() -> None:
    judged = judgement(outcome=outcome.NOT_FOUND, record=None)
    response = convert.lookup_response(answered(judgement=judged), ("full_name",))
    assert not response.HasField("person")


def test_every_signal_is_written_under_its_name_and_in_order() -> None:
    signals = tuple(sorted(told_signals()))
    response = verify_response(answered(judgement=judgement(signals=signals)))
    assert [pb.Signal.Name(signal) for signal in response.signals] == [
        f"SIGNAL_{signal}" for signal in signals
    ]


def test_verdicts_stand_in_the_contracts_order_with_the_predicate_last_and_marked() -> None:
    judged = judgement(
        fields={
            "full_name": Comparison(MATCH, 100, ("NORMALISED",)),
            "birth_date": Comparison(DIFFERENT, transposed=True),
            "rt": Comparison(NOT_ON_RECORD),
            BORN_ON_OR_BEFORE: Comparison(MATCH, 0, ("EXACT",)),
        }
    )
    response = verify_response(answered(judgement=judged))
    assert list(response.fields) == [
        pb.FieldVerdict(
            element=record_pb.ELEMENT_FULL_NAME,
            result=pb.FIELD_RESULT_MATCH,
            score_band=100,
            rules=[pb.MATCH_RULE_NORMALISED],
        ),
        pb.FieldVerdict(element=record_pb.ELEMENT_BIRTH_DATE, result=pb.FIELD_RESULT_DIFFERENT),
        pb.FieldVerdict(element=record_pb.ELEMENT_RT, result=pb.FIELD_RESULT_NOT_ON_RECORD),
        pb.FieldVerdict(
            element=record_pb.ELEMENT_BIRTH_DATE,
            result=pb.FIELD_RESULT_MATCH,
            rules=[pb.MATCH_RULE_EXACT],
            predicate=True,
        ),
    ]


def test_a_replay_writes_the_verdicts_that_the_first_answer_had_in_their_order() -> None:
    claims = convert.verify_query(claiming_everything()).claims
    first = judgement(fields=compare(record(), claims))
    again, _ = documents.told_again(documents.told(documents.answer(first), "A" * 22, None))
    written = [verify_response(answered(judgement=j)).fields for j in (first, again)]
    assert list(written[0]) == list(written[1])
    assert [verdict.element for verdict in written[0]] == [*range(1, 16), 3]


@pytest.mark.parametrize("result", [MATCH, CLOSE, DIFFERENT, NOT_ON_RECORD])
def test_every_result_is_written_under_its_name(result: str) -> None:
    judged = judgement(fields={"full_name": Comparison(result)})
    (verdict,) = verify_response(answered(judgement=judged)).fields
    assert pb.FieldResult.Name(verdict.result) == f"FIELD_RESULT_{result}"


def responses(**changes: Any) -> list[pb.VerifyResponse | pb.LookupResponse]:
    told = answered(**changes)
    return [verify_response(told), convert.lookup_response(told, ("full_name",))]


def test_an_answer_refers_to_its_entry() -> None:
    for response in responses():
        assert response.entry.log == "padan.example/log"
        assert response.entry.index == 7
        assert response.entry.time.ToNanoseconds() == 1_790_000_000_123_456_000
        assert response.entry.statement_salt == bytes(range(16))
        assert response.subject_token == "A" * 22
        assert (response.billable, response.replayed) == (True, False)


def test_a_replay_says_so_and_was_not_charged() -> None:
    for response in responses(replayed=True, charged=False):
        assert (response.billable, response.replayed) == (False, True)


@pytest.mark.parametrize(("day", "month"), [(-1, -1), (0, -1), (-1, 0), (5, 7)])
def test_a_budget_without_a_limit_is_left_out_and_an_empty_one_is_zero(
    day: int, month: int
) -> None:
    for response in responses(day_left=day, month_left=month):
        left = response.budgets_left
        assert (left.day if left.HasField("day") else -1) == day
        assert (left.month if left.HasField("month") else -1) == month


def test_when_to_ask_again_is_told_where_there_is_something_to_wait_for() -> None:
    for response in responses():
        assert not response.HasField("retry_after")
    for response in responses(judgement=judgement(retry_after_seconds=3600.0)):
        assert response.retry_after.seconds == 3600


@given(st.integers(0, 4_000_000_000_000_000))
def test_the_age_of_the_data_is_told_to_the_microsecond(microseconds: int) -> None:
    judged = judgement(as_of=microseconds / 1_000_000)
    as_of = verify_response(answered(judgement=judged)).as_of
    assert as_of.ToMicroseconds() == microseconds
    assert 0 <= as_of.nanos < 1_000_000_000


def test_moments_are_utc() -> None:
    as_of = verify_response(answered()).as_of
    assert as_of.ToDatetime(UTC) == datetime.fromtimestamp(NOW, UTC)
