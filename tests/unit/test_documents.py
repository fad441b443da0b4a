"""The documents of a call: their fields, and that a replay tells what was told."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain import entry
from padan_server.domain.claims import (
    BORN_ON_OR_BEFORE,
    LOOKUP_ELEMENTS,
    VERIFY_ELEMENTS,
    ClaimValue,
    Consent,
)
from padan_server.domain.matching import MATCHER_VERSION, Comparison, compare
from padan_server.operations import documents
from tests.support.builders import (
    NIK,
    NOW,
    call,
    canonical_json,
    judgement,
    lookup_query,
    record,
    request_id,
    verify_query,
)

CONSENT = Consent("consent-7", "ab" * 32, "2026-09-01T02:03:04Z")


def test_an_ask_names_elements_and_never_what_is_claimed_about_them() -> None:
    query = verify_query(
        claims={"full_name": "SITI", BORN_ON_OR_BEFORE: date(2009, 1, 1)},
        consent=CONSENT,
        operator="desk-4",
        case_reference="case-5",
    )
    ask = documents.ask(
        call(),
        method="VERIFY",
        key_id="key-1",
        agreement_version=3,
        query=query,
        personal_commitment=bytes(32),
    )
    assert ask == canonical_json(
        {
            "agreement_version": 3,
            "consent": True,
            "elements": ["full_name", "born_on_or_before"],
            "key_id": "key-1",
            "method": "VERIFY",
            "network": "PRIVATE",
            "personal": "A" * 43 + "=",
            "purpose": "ACCOUNT_OPENING",
            "regency": "3171",
            "request_id": request_id(),
        }
    )
    assert set(json.loads(ask)) == set(entry.ASK_FIELDS)


def test_an_ask_leaves_out_what_is_not_known() -> None:
    ask = documents.ask(
        call(peer=""),
        method="",
        key_id="",
        agreement_version=0,
        query=None,
        personal_commitment=bytes(32),
    )
    assert json.loads(ask).keys() == {"network", "personal"}


def test_an_answer_tells_results_and_bands_and_never_values() -> None:
    fields = compare(record(), {"full_name": "SITI CONTOH LESTARI", "sex": 1})
    judged = judgement(fields=fields, signals=("REGION_BEHIND",), as_of=NOW + 0.25)
    answer = documents.recorded(documents.answer(judged), bytes(32))
    assert answer == canonical_json(
        {
            "as_of": "2026-09-21T14:13:20.250000Z",
            "fields": {"full_name": ["MATCH", 100, ["EXACT"]], "sex": ["DIFFERENT", 0, []]},
            "matcher": MATCHER_VERSION,
            "outcome": "MATCHED",
            "record_version": 4,
            "signals": ["REGION_BEHIND"],
            "statement": "A" * 43 + "=",
        }
    )
    waiting = judgement(outcome="NOT_YET_REPLICATED", retry_after_seconds=3600.0)
    told_to_wait = json.loads(documents.answer(waiting))
    assert set(json.loads(answer)) | set(told_to_wait) == set(entry.ANSWER_FIELDS)


def test_an_answer_without_a_record_has_neither_fields_nor_a_version() -> None:
    judged = judgement(outcome="NOT_FOUND", record=None)
    answer = documents.recorded(documents.answer(judged), bytes(32))
    assert json.loads(answer).keys() == {"as_of", "outcome", "statement"}


def test_what_is_sealed_is_who_asked_about_whom_and_why() -> None:
    query = verify_query(operator="desk-4", case_reference="case-5", consent=CONSENT)
    assert documents.personal(call(), query) == canonical_json(
        {
            "case_reference": "case-5",
            "consent_given_at": "2026-09-01T02:03:04Z",
            "consent_reference": "consent-7",
            "consent_sha256": "ab" * 32,
            "nik": NIK,
            "operator": "desk-4",
            "peer": "10.1.2.3",
        }
    )
    assert documents.personal(call(), None) == canonical_json({"peer": "10.1.2.3"})


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("partner", documents.request("agency-b", "VERIFY", verify_query())),
        ("method", documents.request("agency-a", "LOOKUP", verify_query())),
        *(
            (name, documents.request("agency-a", "VERIFY", verify_query(**{name: value})))
            for name, value in {
                "nik": "3171015203909002",
                "purpose": "DEMOCRACY",
                "request_id": request_id(number=2),
                "claims": {"full_name": "ANOTHER"},
                "operator": "desk-4",
                "case_reference": "case-5",
                "max_staleness_seconds": 60.0,
                "consent": CONSENT,
            }.items()
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_request_with_any_other_content_is_another(what: str, other: bytes) -> None:
    assert documents.request("agency-a", "VERIFY", verify_query()) != other


def test_claims_of_the_same_value_about_different_elements_are_different_requests() -> None:
    mother: dict[str, ClaimValue] = {"mother_name": "SITI"}
    father: dict[str, ClaimValue] = {"father_name": "SITI"}
    assert documents.request("a", "VERIFY", verify_query(claims=mother)) != documents.request(
        "a", "VERIFY", verify_query(claims=father)
    )


COMPARISONS = st.builds(
    Comparison,
    result=st.sampled_from(["MATCH", "DIFFERENT", "NOT_ON_RECORD"]),
    band=st.sampled_from([0, 100]),
    rules=st.sampled_from([(), ("EXACT",), ("NORMALISED",)]),
)


@given(
    microseconds=st.integers(1_600_000_000_000_000, 4_000_000_000_000_000),
    fields=st.dictionaries(st.sampled_from(VERIFY_ELEMENTS), COMPARISONS, max_size=4),
    signals=st.lists(st.sampled_from(["REGION_BEHIND", "RETIRED_PREFIX"]), unique=True),
    outcome=st.sampled_from(["MATCHED", "MISMATCHED", "NOT_FOUND", "DECEASED"]),
)
def test_a_replay_tells_what_was_told_the_first_time(
    microseconds: int, fields: dict[str, Comparison], signals: list[str], outcome: str
) -> None:
    first = judgement(
        outcome=outcome,
        as_of=microseconds / 1_000_000,
        fields=fields,
        signals=tuple(signals),
        record=None,
        billable=False,
    )
    told = documents.told(documents.answer(first), "token-of-subject", None)
    assert documents.told_again(told) == (first, "token-of-subject")


@pytest.mark.parametrize("person", [None, {}, {"full_name": "SITI", "sex": 2}])
@pytest.mark.parametrize(
    "changes",
    [
        {"record": None},
        {"signals": ("REGION_BEHIND",), "fields": compare(record(), {"sex": 2})},
        {"record": None, "retry_after_seconds": 3600.0},
    ],
)
def test_what_is_recorded_and_what_is_told_are_canonical(
    changes: dict[str, Any], person: dict[str, Any] | None
) -> None:
    answer = documents.answer(judgement(**changes))
    for document in (
        answer,
        documents.recorded(answer, bytes(32)),
        documents.told(answer, "token-of-subject", person),
    ):
        assert document == canonical_json(json.loads(document))


def test_a_lookup_gives_each_element_that_is_on_record_under_its_name() -> None:
    values = documents.person(record(), LOOKUP_ELEMENTS)
    assert values == {
        "full_name": "SITI CONTOH LESTARI",
        "birth_place": "JAKARTA PUSAT",
        "birth_date": "1990-03-12",
        "sex": 2,
        "mother_name": "AMINAH CONTOH",
        "father_name": "AHMAD CONTOH",
        "family_card_number": "3171010101209001",
        "address": "JL. CONTOH NO. 1",
        "rt": "001",
        "rw": "002",
        "province_code": "31",
        "regency_code": "3171",
        "district_code": "317101",
        "village_code": "3171011001",
        "marital_status": 2,
        "religion": 1,
        "occupation": 65,
        "education": 8,
        "blood_type": 13,
        "family_relation": 3,
        "postal_code": "10110",
        "channel": "OFFICE",
        "happened_at": "2026-09-20T14:13:20.000000Z",
        "committed_at": "2026-09-20T14:20:00.000000Z",
    }
    assert tuple(values) == LOOKUP_ELEMENTS


def test_a_lookup_leaves_out_what_is_not_on_record_and_what_was_not_asked() -> None:
    sparse = record(
        postal_code="", mother_name="", village_code="3171", marital_status=0, happened_at=0.0
    )
    missing = ("postal_code", "mother_name", "marital_status", "happened_at")
    assert documents.person(sparse, missing) == {}
    assert documents.person(sparse, ("district_code", "regency_code")) == {"regency_code": "3171"}
    assert documents.person(sparse, ()) == {}


@given(st.text(max_size=100), st.text(max_size=100))
def test_whatever_stands_in_a_reference_the_documents_are_canonical(
    operator: str, reference: str
) -> None:
    query = lookup_query(operator=operator, consent=Consent(reference, "", ""))
    read = json.loads(documents.personal(call(), query))
    assert (read.get("operator", ""), read["consent_reference"]) == (operator, reference)
    assert documents.personal(call(), query) == canonical_json(read)
