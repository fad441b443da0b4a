"""Requests and answers of the SDK: what Python values become, and what a repr tells."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.descriptor import EnumDescriptor

from padan.v1 import errors_pb2, record_pb2, registry_pb2, verification_pb2
from padan_client import (
    BudgetSpent,
    Channel,
    Consent,
    Element,
    FieldResult,
    MaritalStatus,
    MatchRule,
    Outcome,
    PadanError,
    Purpose,
    RegionLevel,
    RequestInvalid,
    ServiceFault,
    Sex,
    Signal,
)
from padan_client.cli_output import lookup_json
from padan_client.decode import lookup_result_of, verification_of
from padan_client.encode import Circumstances, Claims, lookup_request, verify_request
from padan_client.results import Person
from padan_client.status import _REASONS

NIK = "0000000101900001"
REQUEST_ID = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
RECEIVED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def about(**changes: Any) -> Circumstances:
    stated: dict[str, Any] = {
        "purpose": Purpose.ACCOUNT_OPENING,
        "consent": None,
        "case_reference": "",
        "operator": "",
        "max_staleness": None,
        "request_id": REQUEST_ID,
    }
    return Circumstances(**{**stated, **changes})


def fields_refused(
    claims: dict[str, Any], *, nik: Any = NIK, more: dict[str, Any] | None = None, **changes: Any
) -> dict[str, str]:
    with pytest.raises(RequestInvalid) as caught:
        verify_request(nik, claims, more or {}, about(**changes))
    assert caught.value.request_id == REQUEST_ID
    assert NIK not in f"{caught.value}{caught.value!r}"
    return caught.value.fields


ENUMS: list[tuple[type[StrEnum], EnumDescriptor, str]] = [
    (Purpose, verification_pb2.Purpose.DESCRIPTOR, "PURPOSE_"),
    (Outcome, verification_pb2.Outcome.DESCRIPTOR, "OUTCOME_"),
    (FieldResult, verification_pb2.FieldResult.DESCRIPTOR, "FIELD_RESULT_"),
    (MatchRule, verification_pb2.MatchRule.DESCRIPTOR, "MATCH_RULE_"),
    (Signal, verification_pb2.Signal.DESCRIPTOR, "SIGNAL_"),
    (Sex, record_pb2.Sex.DESCRIPTOR, "SEX_"),
    (MaritalStatus, record_pb2.MaritalStatus.DESCRIPTOR, "MARITAL_STATUS_"),
    (Element, record_pb2.Element.DESCRIPTOR, "ELEMENT_"),
    (Channel, record_pb2.Channel.DESCRIPTOR, "CHANNEL_"),
    (RegionLevel, registry_pb2.RegionLevel.DESCRIPTOR, "REGION_LEVEL_"),
]


@pytest.mark.parametrize(
    ("kind", "contract", "prefix"), ENUMS, ids=[k.__name__ for k, _, _ in ENUMS]
)
def test_the_vocabulary_is_the_contracts(
    kind: type[StrEnum], contract: EnumDescriptor, prefix: str
) -> None:
    sent = {value.name.removeprefix(prefix) for value in contract.values if value.number}
    assert {member.name for member in kind} - {"UNRECOGNISED"} == sent


def test_every_reason_that_is_sent_has_an_error() -> None:
    contract = errors_pb2.ErrorReason.DESCRIPTOR.values
    names = {value.name.removeprefix("ERROR_REASON_") for value in contract}
    never_sent = {"UNSPECIFIED", "CALLER_GONE"}
    assert set(_REASONS) == names - never_sent


def test_claims_and_persons_are_the_contracts() -> None:
    assert set(Claims.__annotations__) == set(record_pb2.Claims.DESCRIPTOR.fields_by_name)
    assert set(Person.__annotations__) == set(record_pb2.Person.DESCRIPTOR.fields_by_name)


def test_claims_of_every_kind_reach_the_request() -> None:
    request = verify_request(
        NIK,
        {"full_name": "SITI", "sex": Sex.FEMALE},
        {"birth_date": date(1990, 1, 1), "marital_status": "WIDOWED"},
        about(request_id=UUID(REQUEST_ID)),
    )
    assert request == verification_pb2.VerifyRequest(
        nik=NIK,
        purpose=verification_pb2.PURPOSE_ACCOUNT_OPENING,
        request_id=REQUEST_ID,
        claims=record_pb2.Claims(
            full_name="SITI",
            sex=record_pb2.SEX_FEMALE,
            birth_date="1990-01-01",
            marital_status=record_pb2.MARITAL_STATUS_WIDOWED,
        ),
    )


def test_circumstances_reach_the_request() -> None:
    given_at = datetime.fromisoformat("2026-01-01T07:00:00+07:00")
    consent = Consent(reference="form 12", sha256=bytes(32), given_at=given_at)
    request = lookup_request(
        NIK,
        [Element.FULL_NAME, "birth_date"],
        about(
            purpose="CREDIT_ASSESSMENT",
            consent=consent,
            case_reference="case 1",
            operator="desk 2",
            max_staleness=timedelta(milliseconds=1500),
        ),
    )
    assert list(request.read_mask.paths) == ["full_name", "birth_date"]
    assert request.purpose == verification_pb2.PURPOSE_CREDIT_ASSESSMENT
    assert (request.consent.reference, request.consent.sha256) == ("form 12", bytes(32))
    assert request.consent.given_at.ToDatetime(tzinfo=UTC) == given_at
    assert (request.case_reference, request.operator) == ("case 1", "desk 2")
    assert request.max_staleness.ToTimedelta() == timedelta(seconds=1.5)


def test_what_no_message_can_hold_is_refused_by_name_and_all_at_once() -> None:
    claims = {
        "full_name": "\ud800",
        "birth_date": datetime(1990, 1, 1, tzinfo=UTC),
        "sex": "UNSPECIFIED",
        "shoe_size": "43",
        "mother_name": None,
        "rt": 1,
    }
    refused = fields_refused(claims, nik=int(NIK), more={"rt": "1"}, purpose="CURIOSITY")
    assert set(refused) == {"nik", "purpose", *(f"claims.{name}" for name in claims)}
    assert "None" in refused["claims.mother_name"]
    assert "ACCOUNT_OPENING" in refused["purpose"]
    assert refused["claims.sex"] == "must be one of MALE, FEMALE"


def test_a_claim_given_twice_is_refused() -> None:
    assert fields_refused({"rt": "1"}, more={"rt": "1"}) == {"claims.rt": "is given twice"}


def test_a_consent_without_time_zone_is_refused() -> None:
    consent = Consent(reference="form 12", given_at=datetime(2026, 1, 1))
    assert set(fields_refused({}, consent=consent)) == {"consent.given_at"}
    assert "form 12" not in repr(consent)


def test_a_lone_name_is_a_mask_of_one() -> None:
    assert list(lookup_request(NIK, "full_name", about()).read_mask.paths) == ["full_name"]


def response() -> verification_pb2.VerifyResponse:
    message = verification_pb2.VerifyResponse(
        outcome=verification_pb2.OUTCOME_MISMATCHED,
        fields=[
            verification_pb2.FieldVerdict(
                element=record_pb2.ELEMENT_FULL_NAME,
                result=verification_pb2.FIELD_RESULT_MATCH,
                score_band=100,
                rules=[verification_pb2.MATCH_RULE_NORMALISED],
            ),
            verification_pb2.FieldVerdict(
                element=record_pb2.ELEMENT_BIRTH_DATE,
                result=verification_pb2.FIELD_RESULT_DIFFERENT,
            ),
            verification_pb2.FieldVerdict(
                element=record_pb2.ELEMENT_BIRTH_DATE,
                result=verification_pb2.FIELD_RESULT_MATCH,
                predicate=True,
            ),
        ],
        signals=[verification_pb2.SIGNAL_RETIRED_PREFIX],
        billable=True,
        budgets_left=verification_pb2.BudgetsLeft(day=0),
        subject_token="pseudonym",
        entry=verification_pb2.EntryReference(log="log.test", index=7, statement_salt=b"salt"),
    )
    message.as_of.FromDatetime(RECEIVED - timedelta(seconds=2))
    return message


def test_an_answer_is_read_in_full() -> None:
    result = verification_of(response(), request_id=REQUEST_ID, received_at=RECEIVED)
    assert result.outcome is Outcome.MISMATCHED
    assert {name: verdict.matched for name, verdict in result.fields.items()} == {
        "full_name": True,
        "birth_date": False,
        "born_on_or_before": True,
    }
    assert result.fields[Element.FULL_NAME].rules == (MatchRule.NORMALISED,)
    assert result.signals == (Signal.RETIRED_PREFIX,)
    assert (result.budgets_left.day, result.budgets_left.month) == (0, None)
    assert (result.as_of, result.age) == (RECEIVED - timedelta(seconds=2), timedelta(seconds=2))
    assert result.entry is not None
    assert (result.entry.index, result.entry.statement_salt) == (7, b"salt")
    assert (result.retry_after, result.request_id) == (None, REQUEST_ID)


@pytest.mark.parametrize("outcome", verification_pb2.Outcome.values())
def test_only_a_match_is_true(outcome: verification_pb2.Outcome.ValueType) -> None:
    message = verification_pb2.VerifyResponse(outcome=outcome)
    result = verification_of(message, request_id=REQUEST_ID, received_at=RECEIVED)
    assert result.matched is bool(result) is (outcome == verification_pb2.OUTCOME_MATCHED)


def test_values_of_a_newer_service_read_as_unrecognised() -> None:
    message = verification_pb2.VerifyResponse.FromString(
        # outcome 99; one verdict about element 77 with result 88 and rule 66; signal 55.
        b"\x08\x63" + b"\x12\x06\x08\x4d\x10\x58\x20\x42" + b"\x18\x37"
    )
    result = verification_of(message, request_id=REQUEST_ID, received_at=RECEIVED)
    assert result.outcome is Outcome.UNRECOGNISED
    assert not result
    assert result.signals == (Signal.UNRECOGNISED,)
    assert result.fields["element_77"].result is FieldResult.UNRECOGNISED
    assert result.fields["element_77"].rules == (MatchRule.UNRECOGNISED,)
    assert result.message.outcome == 99


def test_a_lookup_gives_typed_values_and_its_repr_none_of_them() -> None:
    person = record_pb2.Person(
        full_name="SITI", birth_date="1990-01-01", sex=record_pb2.SEX_FEMALE, religion=1
    )
    message = verification_pb2.LookupResponse(outcome=verification_pb2.OUTCOME_FOUND, person=person)
    result = lookup_result_of(message, request_id=REQUEST_ID, received_at=RECEIVED)
    assert result.found
    assert result.person == Person(
        full_name="SITI", birth_date=date(1990, 1, 1), sex=Sex.FEMALE, religion=1
    )
    assert repr(result.person) == "Person(full_name, birth_date, sex, religion)"
    assert "SITI" not in repr(result)


def test_a_lookup_gives_channel_and_both_times_of_the_last_change() -> None:
    person = record_pb2.Person(channel=record_pb2.CHANNEL_OUTREACH)
    person.happened_at.FromDatetime(RECEIVED - timedelta(days=4))
    person.committed_at.FromDatetime(RECEIVED)
    message = verification_pb2.LookupResponse(outcome=verification_pb2.OUTCOME_FOUND, person=person)
    result = lookup_result_of(message, request_id=REQUEST_ID, received_at=RECEIVED)
    assert result.person.elements() == {
        "channel": Channel.OUTREACH,
        "happened_at": RECEIVED - timedelta(days=4),
        "committed_at": RECEIVED,
    }
    assert repr(result.person) == "Person(channel, happened_at, committed_at)"
    assert lookup_json(result)["person"]["committed_at"] == RECEIVED.isoformat()
    newer = verification_pb2.LookupResponse.FromString(b"\x12\x03\xb0\x01\x63")
    result = lookup_result_of(newer, request_id=REQUEST_ID, received_at=RECEIVED)
    assert result.person.channel is Channel.UNRECOGNISED


def test_an_answer_that_breaks_the_contract_is_a_fault() -> None:
    person = record_pb2.Person(birth_date="01-02-1990")
    message = verification_pb2.LookupResponse(person=person)
    with pytest.raises(ServiceFault) as caught:
        lookup_result_of(message, request_id=REQUEST_ID, received_at=RECEIVED)
    assert "1990" not in str(caught.value)


def test_errors_survive_pickling() -> None:
    error = BudgetSpent("text", reason="BUDGET_SPENT", request_id=REQUEST_ID)
    error.window = "day"
    copy: PadanError = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, BudgetSpent)
    assert (copy.window, copy.request_id, str(copy)) == ("day", REQUEST_ID, str(error))
