"""Drafts: commitments that open, seals that hold, and nothing in the clear."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from padan_server.adapters.keyring_file import WorkerKeys
from padan_server.domain import nik as niks
from padan_server.domain.agreement import SERVICE_PARTNER
from padan_server.domain.claims import BORN_ON_OR_BEFORE, Consent, Query
from padan_server.domain.draft import Draft, Kind
from padan_server.domain.matching import MATCHER_VERSION, compare
from padan_server.domain.outcome import NOT_YET_REPLICATED
from padan_server.domain.refusal import FAULTS, Reason
from padan_server.operations import documents
from padan_server.operations.drafts import (
    Drafted,
    Drafts,
    answer_context,
    personal_context,
)
from tests.support.builders import (
    NIK,
    NOW,
    CountedEntropy,
    call,
    caller,
    canonical_json,
    grant,
    judgement,
    lookup_query,
    record,
    request_id,
    verify_query,
    worker_keys,
)

CLAIMS = {"full_name": "SITI CONTOH LESTARI", "birth_date": date(1990, 12, 3), "rt": "7"}
QUERY = verify_query(
    claims=CLAIMS,
    operator="desk-4",
    case_reference="case-5",
    max_staleness_seconds=1.5,
    consent=Consent("consent-7", "ab" * 32, "2026-09-01T02:03:04Z"),
)
JUDGED = judgement(
    outcome="MISMATCHED",
    fields=compare(record(), CLAIMS),  # type: ignore[arg-type]  # str and date, as ClaimValue says
    signals=("BIRTH_DATE_TRANSPOSED",),
)


@pytest.fixture
def keys(tmp_path: Path) -> WorkerKeys:
    return worker_keys(tmp_path)


@pytest.fixture
def drafts(keys: WorkerKeys) -> Drafts:
    return Drafts(keys=keys, entropy=CountedEntropy(), clock=lambda: NOW)


Refused = Callable[..., Draft]


@pytest.fixture
def refused(drafts: Drafts) -> Refused:
    def draft(reason: Reason = Reason.TOO_STALE, **changes: Any) -> Draft:
        ordinary: dict[str, Any] = {
            "method": "VERIFY",
            "caller": caller(),
            "agreement_version": 3,
            "query": QUERY,
        }
        return drafts.refusal(call(), reason, **(ordinary | changes))

    return draft


def answered(drafts: Drafts, query: Query = QUERY, **changes: Any) -> Drafted:
    ordinary: dict[str, Any] = {"method": "VERIFY", "judgement": JUDGED}
    return drafts.answer(call(), caller(), grant(), query=query, **(ordinary | changes))


def committed(document: bytes, name: str) -> bytes:
    return b64decode(json.loads(document)[name])


def test_the_statement_is_what_the_entrys_page_says(drafts: Drafts) -> None:
    drafted = answered(drafts)
    request = {
        "case_reference": "case-5",
        "claims": {"birth_date": "1990-12-03", "full_name": "SITI CONTOH LESTARI", "rt": "7"},
        "consent": {
            "given_at": "2026-09-01T02:03:04Z",
            "reference": "consent-7",
            "sha256": "ab" * 32,
        },
        "max_staleness_ms": 1500,
        "method": "VERIFY",
        "nik": NIK,
        "operator": "desk-4",
        "partner": "agency-a",
        "purpose": "ACCOUNT_OPENING",
        "request_id": request_id(),
    }
    answer = {
        "as_of": "2026-09-21T14:13:20.000000Z",
        "fields": {
            "birth_date": ["DIFFERENT", 0, []],
            "full_name": ["MATCH", 100, ["EXACT"]],
            "rt": ["DIFFERENT", 0, []],
        },
        "matcher": MATCHER_VERSION,
        "outcome": "MISMATCHED",
        "record_version": 4,
        "signals": ["BIRTH_DATE_TRANSPOSED"],
        "subject_token": drafted.subject_token,
    }
    opened = b"padan.v1 statement\0" + drafted.statement_salt
    opened += canonical_json({"answer": answer, "request": request})
    assert committed(drafted.draft.answer, "statement") == sha256(opened).digest()


def test_a_statements_answer_is_the_entrys_with_the_pseudonym(drafts: Drafts) -> None:
    drafted = answered(drafts)
    answer = json.loads(drafted.draft.answer)
    del answer["statement"]
    request = json.loads(documents.request("agency-a", "VERIFY", QUERY))
    opened = (
        b"padan.v1 statement\0"
        + drafted.statement_salt
        + canonical_json(
            {"answer": answer | {"subject_token": drafted.subject_token}, "request": request}
        )
    )
    assert committed(drafted.draft.answer, "statement") == sha256(opened).digest()


def test_a_lookups_statement_commits_to_the_values_given(drafts: Drafts) -> None:
    query = lookup_query()
    given = {"full_name": "SITI CONTOH LESTARI", "sex": 2}
    drafted = answered(
        drafts, query, method="LOOKUP", judgement=judgement(outcome="FOUND"), person=given
    )
    statement = {
        "answer": {
            "as_of": "2026-09-21T14:13:20.000000Z",
            "outcome": "FOUND",
            "person": given,
            "record_version": 4,
            "subject_token": drafted.subject_token,
        },
        "request": {
            "elements": ["full_name"],
            "method": "LOOKUP",
            "nik": NIK,
            "partner": "agency-a",
            "purpose": "PUBLIC_SERVICE",
            "request_id": request_id(),
        },
    }
    opened = b"padan.v1 statement\0" + drafted.statement_salt + canonical_json(statement)
    assert committed(drafted.draft.answer, "statement") == sha256(opened).digest()


def test_the_personal_commitment_opens_with_what_was_sealed(
    drafts: Drafts, keys: WorkerKeys
) -> None:
    draft = answered(drafts).draft
    opened = keys.unseal(draft.sealed_personal, personal_context(draft.draft_id))
    assert committed(draft.ask, "personal") == sha256(b"padan.v1 personal\0" + opened).digest()
    assert json.loads(opened[16:]) == {
        "case_reference": "case-5",
        "consent_given_at": "2026-09-01T02:03:04Z",
        "consent_reference": "consent-7",
        "consent_sha256": "ab" * 32,
        "nik": NIK,
        "operator": "desk-4",
        "peer": "10.1.2.3",
    }


def test_a_refusals_personal_commitment_opens_as_well(refused: Refused, keys: WorkerKeys) -> None:
    draft = refused()
    opened = keys.unseal(draft.sealed_personal, personal_context(draft.draft_id))
    assert committed(draft.ask, "personal") == sha256(b"padan.v1 personal\0" + opened).digest()
    assert json.loads(opened[16:])["nik"] == NIK


def test_the_first_answer_is_told_again_from_what_was_kept(drafts: Drafts) -> None:
    drafted = answered(drafts)
    salt, told = drafts.told_first("agency-a", request_id(), drafted.draft.sealed_answer)
    assert salt == drafted.statement_salt
    assert json.loads(told)["outcome"] == "MISMATCHED"


def test_a_lookups_values_are_not_kept(drafts: Drafts) -> None:
    values = {"full_name": "SITI CONTOH LESTARI"}
    drafted = answered(drafts, lookup_query(), method="LOOKUP", person=values)
    _, told = drafts.told_first("agency-a", request_id(), drafted.draft.sealed_answer)
    assert "person" not in json.loads(told)


@pytest.mark.parametrize(
    ("partner", "number"), [("agency-b", 1), ("agency-a", 2), ("agency-a/", 1)]
)
def test_a_kept_answer_opens_for_its_partner_and_request_alone(
    drafts: Drafts, partner: str, number: int
) -> None:
    sealed = answered(drafts).draft.sealed_answer
    with pytest.raises(ValueError, match="seal"):
        drafts.told_first(partner, request_id(number=number), sealed)


def test_a_personal_part_opens_for_its_draft_alone(drafts: Drafts, keys: WorkerKeys) -> None:
    one, other = answered(drafts).draft, answered(drafts).draft
    for context in (
        personal_context(other.draft_id),
        answer_context("agency-a", request_id()),
        b"",
    ):
        with pytest.raises(ValueError, match="seal"):
            keys.unseal(one.sealed_personal, context)


SECRET = (NIK, NIK[4:], "SITI", "LESTARI", "1990", "desk-4", "case-5", "consent-7", "10.1.2.3")


def test_nothing_about_the_person_stands_in_a_draft_but_the_nik_for_the_notary(
    drafts: Drafts, refused: Refused
) -> None:
    values = {"full_name": "SITI CONTOH LESTARI", "birth_date": "1990-03-12"}
    looked_up = answered(drafts, lookup_query(operator="desk-4"), method="LOOKUP", person=values)
    for draft in (answered(drafts).draft, looked_up.draft, refused()):
        recorded = b"|".join(
            (draft.ask, draft.answer, draft.content_mac, draft.sealed_answer, draft.sealed_personal)
        )
        assert [text for text in SECRET if text.encode() in recorded] == []
        assert draft.nik == NIK


def test_no_hash_of_the_nik_alone_stands_in_a_draft(drafts: Drafts) -> None:
    draft = answered(drafts).draft
    guess = sha256(NIK.encode()).digest()
    assert guess not in (draft.content_mac, committed(draft.ask, "personal"))


def test_the_same_call_twice_shares_no_commitment_but_the_mac_that_binds_its_id(
    drafts: Drafts,
) -> None:
    one, other = answered(drafts), answered(drafts)
    assert one.draft.content_mac == other.draft.content_mac
    assert one.statement_salt != other.statement_salt
    for name in ("draft_id", "ask", "answer", "sealed_answer", "sealed_personal"):
        assert getattr(one.draft, name) != getattr(other.draft, name)


def test_other_content_under_the_same_id_has_another_mac(drafts: Drafts) -> None:
    other = answered(drafts, verify_query(claims={"full_name": "ANOTHER"}))
    assert other.draft.request_id == QUERY.request_id
    assert other.draft.content_mac != answered(drafts).draft.content_mac


def test_an_answer_that_may_change_soon_does_not_bind_the_request_id(drafts: Drafts) -> None:
    judged = judgement(outcome=NOT_YET_REPLICATED, billable=False, record=None)
    draft = answered(drafts, judgement=judged).draft
    assert (draft.kind, draft.sealed_answer, draft.billable) == (Kind.ANSWER, b"", False)


def test_a_draft_names_caller_agreement_and_request(drafts: Drafts) -> None:
    draft = answered(drafts).draft
    assert (draft.kind, draft.partner, draft.key_id) == (Kind.ANSWER, "agency-a", "key-1")
    assert (draft.agreement_version, draft.request_id) == (3, request_id())
    assert (draft.billable, draft.reason, draft.count) == (True, "", 0)
    assert int.from_bytes(draft.draft_id[:6], "big") == int(NOW * 1000)


def test_a_persons_pseudonym_is_the_same_for_a_partner_and_another_for_every_other(
    keys: WorkerKeys,
) -> None:
    token = keys.subject_token("agency-a", NIK)
    assert keys.subject_token("agency-a", NIK) == token
    assert len(token) == 22
    assert keys.subject_token("agency-b", NIK) != token
    assert keys.subject_token("agency-a", niks.parse("3171015203909002")) != token


@pytest.mark.parametrize("reason", list(Reason))
def test_a_fault_of_ours_is_a_fault_and_all_else_a_refusal(
    refused: Refused, reason: Reason
) -> None:
    draft = refused(reason)
    assert draft.kind == (Kind.FAULT if reason in FAULTS else Kind.REFUSAL)
    assert (draft.reason, draft.billable) == (reason, False)
    assert (draft.answer, draft.sealed_answer, draft.content_mac) == (b"", b"", b"")


def test_a_count_makes_a_summary(refused: Refused) -> None:
    draft = refused(Reason.INTERNAL, count=9, query=None)
    assert (draft.kind, draft.count, draft.nik, draft.request_id) == (Kind.SUMMARY, 9, "", "")


def test_a_refusal_of_nobody_known_is_the_services_own(refused: Refused) -> None:
    draft = refused(Reason.TOKEN_MISSING, caller=None, query=None, agreement_version=0)
    assert (draft.partner, draft.key_id) == (SERVICE_PARTNER, "")
    assert json.loads(draft.ask).keys() == {"method", "network", "personal"}


def test_a_predicate_is_asked_under_its_own_name(drafts: Drafts) -> None:
    draft = answered(drafts, verify_query(claims={BORN_ON_OR_BEFORE: date(2009, 1, 1)})).draft
    assert json.loads(draft.ask)["elements"] == [BORN_ON_OR_BEFORE]
    assert b"2009" not in draft.ask + draft.answer
