"""Verify, as a bank calls it: every outcome, what is told, what is charged, what is left behind."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from padan_client import BudgetSpent, Client, RequestIdReused, RequestInvalid, Signal
from padan_client.results import Verification
from padan_server.embedded.documented import documented_people
from tests.support.padan import Padan

PEOPLE = {person.key: person for person in documented_people()}
WOMAN = PEOPLE["ordinary-woman"]


def claims_of(key: str) -> dict[str, object]:
    row = PEOPLE[key].row
    assert row is not None
    return {"full_name": row.full_name, "birth_date": date.fromisoformat(row.birth_date)}


def verify(client: Client, key: str, **claims: object) -> Verification:
    return client.verify(
        PEOPLE[key].nik, claims_of(key) | claims, purpose="ACCOUNT_OPENING", operator="desk 7"
    )


@pytest.mark.parametrize("key", [key for key, person in PEOPLE.items() if person.row is not None])
def test_documented_person_gets_the_documented_outcome(bank: Client, key: str) -> None:
    assert verify(bank, key).outcome == PEOPLE[key].outcome


@pytest.mark.parametrize("key", [key for key, person in PEOPLE.items() if person.row is None])
def test_absent_person_gets_the_documented_outcome(bank: Client, key: str) -> None:
    answer = bank.verify(PEOPLE[key].nik, full_name="NOBODY EXAMPLE", purpose="ACCOUNT_OPENING")
    assert answer.outcome == PEOPLE[key].outcome
    assert answer.billable == (PEOPLE[key].outcome == "NOT_FOUND")
    assert (answer.retry_after is not None) == (PEOPLE[key].outcome == "NOT_YET_REPLICATED")


def test_match_is_charged_and_recorded_before_it_is_answered(running: Padan, bank: Client) -> None:
    answer = verify(bank, "ordinary-woman")
    assert answer.entry is not None
    (entry,) = [e for e in running.entries("bank-e2e") if e["index"] == answer.entry.index]
    assert entry["kind"] == "ANSWER"
    assert entry["answer"]["outcome"] == "MATCHED"
    assert entry["charge"]["price"] == 1000
    assert [window.partition(":")[0] for window in entry["charge"]["windows"]] == ["day", "month"]
    assert entry["ask"]["request_id"] == answer.request_id
    assert entry["ask"]["elements"] == ["full_name", "birth_date"]
    assert entry["ask"]["purpose"] == "ACCOUNT_OPENING"
    assert answer.billable


def test_answer_says_how_old_its_data_is(bank: Client) -> None:
    answer = verify(bank, "ordinary-woman")
    assert answer.age is not None
    assert timedelta(seconds=-1) < answer.age < timedelta(minutes=2)


def test_mismatch_names_the_field_and_nothing_of_the_record(bank: Client) -> None:
    answer = verify(bank, "ordinary-woman", mother_name="WRONG EXAMPLE")
    assert answer.outcome == "MISMATCHED"
    assert {name: verdict.result.value for name, verdict in answer.fields.items()} == {
        "full_name": "MATCH",
        "birth_date": "MATCH",
        "mother_name": "DIFFERENT",
    }
    assert answer.fields["mother_name"].rules == ()
    assert answer.fields["mother_name"].score_band == 0


def test_swapped_day_and_month_is_told_as_a_signal(bank: Client) -> None:
    answer = verify(bank, "ordinary-woman", birth_date=date(1990, 12, 3))
    assert answer.outcome == "MISMATCHED"
    assert Signal.BIRTH_DATE_TRANSPOSED in answer.signals


def test_retired_prefix_is_valid_and_told(bank: Client) -> None:
    answer = verify(bank, "retired-prefix")
    assert answer.matched
    assert Signal.RETIRED_PREFIX in answer.signals


def test_mismatch_in_a_region_behind_is_not_charged(bank: Client) -> None:
    answer = verify(bank, "region-behind", full_name="WRONG EXAMPLE")
    assert Signal.REGION_BEHIND in answer.signals
    assert not answer.billable


def test_status_is_not_told_to_a_bank_that_knew_neither_name_nor_birth_date(bank: Client) -> None:
    answer = verify(bank, "deceased", full_name="WRONG EXAMPLE", birth_date=date(1950, 1, 1))
    assert answer.outcome == "MISMATCHED"


def test_predicate_answers_a_question_of_age_without_the_date(bank: Client) -> None:
    nik = WOMAN.nik
    old = bank.verify(nik, born_on_or_before=date(2000, 1, 1), purpose="ACCOUNT_OPENING")
    young = bank.verify(nik, born_on_or_before=date(1980, 1, 1), purpose="ACCOUNT_OPENING")
    assert (old.outcome, young.outcome) == ("MATCHED", "MISMATCHED")


def test_retry_returns_the_first_answer_uncharged(running: Padan, bank: Client) -> None:
    request_id = bank.new_request_id()
    first, second = [
        bank.verify(
            WOMAN.nik,
            full_name="siti contoh lestari",
            purpose="ACCOUNT_OPENING",
            request_id=request_id,
        )
        for _ in range(2)
    ]
    assert (first.billable, first.replayed) == (True, False)
    assert (second.billable, second.replayed) == (False, True)
    assert second.entry == first.entry
    assert (second.outcome, second.fields) == (first.outcome, first.fields)
    assert (second.as_of, second.subject_token) == (first.as_of, first.subject_token)
    assert first.entry is not None
    (replay,) = [e for e in running.entries("bank-e2e") if e.get("replay_of") == first.entry.index]
    assert replay["kind"] == "REPLAY"
    assert "charge" not in replay


def test_same_id_with_other_content_is_refused_and_recorded(running: Padan, bank: Client) -> None:
    request_id = bank.new_request_id()
    ask = {"purpose": "ACCOUNT_OPENING", "request_id": request_id}
    bank.verify(WOMAN.nik, full_name="SITI CONTOH LESTARI", **ask)  # type: ignore[arg-type]
    with pytest.raises(RequestIdReused):
        bank.verify(WOMAN.nik, full_name="SOMEBODY ELSE", **ask)  # type: ignore[arg-type]
    running.entries_until("bank-e2e", 1, kind="REFUSAL", reason="REQUEST_ID_REUSED")


def test_two_partners_get_different_subject_tokens(running: Padan, bank: Client) -> None:
    with running.client(running.partner("bank-other")) as other:
        tokens = {verify(client, "ordinary-woman").subject_token for client in (bank, bank, other)}
    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("nik", "claims", "field"),
    [
        ("9871", {"full_name": "QX EXAMPLE"}, "nik"),
        ("3171015203900000", {"full_name": "QX EXAMPLE"}, "nik"),
        ("3171013303909001", {"full_name": "QX EXAMPLE"}, "nik"),
        ("٣١٧١٠١٥٢٠٣٩٠٩٠٠١", {"full_name": "QX EXAMPLE"}, "nik"),
        (WOMAN.nik, {"full_name": "Q" * 61}, "claims.full_name"),
        (WOMAN.nik, {"full_name": "Q\0X"}, "claims.full_name"),
        (WOMAN.nik, {"full_name": "Q\u202eX"}, "claims.full_name"),
        (WOMAN.nik, {"full_name": "   "}, "claims.full_name"),
        (WOMAN.nik, {"birth_date": "1990-02-30"}, "claims.birth_date"),
        (WOMAN.nik, {"village_code": "9876"}, "claims.village_code"),
    ],
)
def test_invalid_request_names_the_field_and_not_the_value(
    bank: Client, nik: str, claims: dict[str, object], field: str
) -> None:
    with pytest.raises(RequestInvalid) as refused:
        bank.verify(nik, claims, purpose="ACCOUNT_OPENING")
    assert field in refused.value.fields
    for value in (nik, *claims.values()):
        assert str(value).strip(" ") == "" or str(value) not in str(refused.value)


def test_spent_budget_is_refused_until_the_window_ends(running: Padan) -> None:
    credentials = running.partner("bank-small", budget_day=2, budget_month=100)
    with running.client(credentials) as client:
        left = [verify(client, "ordinary-woman").budgets_left for _ in range(2)]
        assert [(budgets.day, budgets.month) for budgets in left] == [(1, 99), (0, 98)]
        with pytest.raises(BudgetSpent) as refused:
            verify(client, "ordinary-woman")
    assert refused.value.window == "day"
    assert refused.value.retry_after is not None
    assert timedelta(0) < refused.value.retry_after <= timedelta(days=1)
    running.entries_until("bank-small", 1, kind="REFUSAL", reason="BUDGET_SPENT")


def test_replay_is_answered_although_the_budget_is_spent(running: Padan) -> None:
    with running.client(running.partner("bank-one", budget_day=1)) as client:
        request_id = client.new_request_id()
        answers = [
            client.verify(
                WOMAN.nik, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING", request_id=request_id
            )
            for _ in range(2)
        ]
    assert [answer.replayed for answer in answers] == [False, True]


def test_ledger_checks_after_all_of_this(running: Padan) -> None:
    running.check()
