"""A batch: what the notary judges and charges, and that it never charges too much."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain import entry
from padan_server.domain.control import (
    Action,
    AddAgreement,
    AddKey,
    AddPartner,
    ControlRefused,
    Resume,
    RevokeKey,
    Suspend,
)
from padan_server.domain.draft import Draft
from padan_server.domain.ledger import search_row
from padan_server.domain.ledger_replay import Replay
from padan_server.domain.merkle import EMPTY, leaf_hash
from padan_server.notary.control import build_control, control_document
from padan_server.notary.intake import DraftMalformed, take
from padan_server.notary.resent import verdict_again
from padan_server.notary.state import State
from tests.support.builders import public_key, signing_key
from tests.support.ledger import (
    NIK,
    NOON,
    Inbox,
    Keys,
    again,
    agreement,
    answer,
    batch,
    counting,
    entries,
    items,
    partner,
    refusal,
    request_id,
    state,
    verdicts,
)

HOUR = 3_600_000_000


def draft(**special: Any) -> Draft:
    """An answer whose request_id is of the test's time."""
    return answer(**({"request_id": request_id(NOON)} | special))


def control(memory: State, action: Action) -> dict[str, Any]:
    write, _, _ = build_control(memory, action, time=NOON, keys=Keys(), entropy=counting)
    memory.apply(write, {})
    return entry.parse(write.entries[0])


def test_answer_is_recorded_and_charged_to_both_windows() -> None:
    memory = state(partner(budget_day=10, budget_month=100))
    call = draft()

    built = batch(memory, call)

    (recorded,) = entries(built)
    assert recorded["kind"] == "ANSWER"
    assert recorded["charge"] == {"price": 1000, "windows": ["day:2026-11-24", "month:2026-11"]}
    assert recorded["attempt"] == 1
    (verdict,) = verdicts(built, call)
    assert (verdict.standing, verdict.index, verdict.charged) == ("RECORDED", 0, True)
    assert (verdict.day_left, verdict.month_left) == (9, 99)
    assert verdict.time == NOON


def test_unbilled_answer_is_recorded_even_if_the_budget_is_spent() -> None:
    built = batch(state(partner(budget_day=0)), call := draft(billable=False))

    assert "charge" not in entries(built)[0]
    assert verdicts(built, call)[0].standing == "RECORDED"
    assert built.write.charged == []


@pytest.mark.parametrize(
    ("limits", "window", "ends"),
    [
        ({"budget_day": 1}, "day", datetime(2026, 11, 24, 17, tzinfo=UTC)),
        ({"budget_month": 1}, "month", datetime(2026, 11, 30, 17, tzinfo=UTC)),
        ({"budget_day": 1, "budget_month": 1}, "month", datetime(2026, 11, 30, 17, tzinfo=UTC)),
    ],
)
def test_spent_budget_refuses_until_its_window_ends(
    limits: dict[str, Any], window: str, ends: datetime
) -> None:
    first, second = draft(), draft()

    built = batch(state(partner(**limits)), first, second)

    refused = verdicts(built, second)[0]
    assert (refused.standing, refused.reason, refused.window) == ("REFUSED", "BUDGET_SPENT", window)
    assert refused.retry_after_seconds == pytest.approx(ends.timestamp() - NOON / 1e6)
    recorded = entries(built)[1]
    assert (recorded["kind"], recorded["reason"]) == ("REFUSAL", "BUDGET_SPENT")
    assert not recorded.keys() & {"answer", "charge"}
    assert recorded["ask"]["request_id"] == second.request_id
    assert built.write.bound[0].request_id == first.request_id
    assert len(built.write.bound) == 1


def test_next_day_has_a_budget_of_its_own() -> None:
    memory = state(partner(budget_day=1))
    batch(memory, draft())

    tomorrow = NOON + 12 * HOUR
    built = batch(memory, call := draft(), at=tomorrow)

    assert verdicts(built, call)[0].charged
    assert entries(built)[0]["charge"]["windows"] == ["day:2026-11-25", "month:2026-11"]


@given(
    day=st.none() | st.integers(min_value=0, max_value=12),
    month=st.none() | st.integers(min_value=0, max_value=12),
    batches=st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "b"]),
                st.booleans(),
                st.integers(min_value=0, max_value=5),
            ),
            max_size=8,
        ),
        max_size=6,
    ),
)
def test_budget_is_never_overspent_and_no_request_is_charged_twice(
    day: int | None, month: int | None, batches: list[list[tuple[str, bool, int]]]
) -> None:
    memory = state(
        partner("a", budget_day=day, budget_month=month),
        partner("b", budget_day=day, budget_month=month),
    )
    ids = [request_id(NOON) for _ in range(6)]
    charges: Counter[tuple[str, str]] = Counter()
    answered: Counter[tuple[str, str]] = Counter()
    for number, calls in enumerate(batches):
        at = NOON + number * 6 * HOUR
        drafts = [
            draft(partner=name, billable=billable, request_id=ids[which])
            for name, billable, which in calls
        ]
        built = batch(memory, *drafts, at=at)
        for recorded in entries(built):
            for window in recorded.get("charge", {}).get("windows", ()):
                charges[recorded["partner"], window] += 1
            if recorded["kind"] == "ANSWER":
                answered[recorded["partner"], recorded["ask"]["request_id"]] += 1

    for (_, window), used in charges.items():
        limit = day if window.startswith("day:") else month
        assert limit is None or used <= limit
    assert dict(charges) == memory.used
    assert not [key for key, times in answered.items() if times > 1]


def test_retry_gets_the_first_answer_uncharged() -> None:
    memory = state(partner(budget_day=1))
    first = draft()
    batch(memory, first)

    built = batch(memory, retry := again(first, sealed_answer=b"another"), at=NOON + HOUR)

    (verdict,) = verdicts(built, retry)
    assert (verdict.standing, verdict.index, verdict.time) == ("REPLAYED", 0, NOON)
    assert verdict.sealed_answer == first.sealed_answer
    (recorded,) = entries(built)
    assert (recorded["kind"], recorded["replay_of"]) == ("REPLAY", 0)
    assert not recorded.keys() & {"answer", "charge"}


def test_retry_within_one_batch_gets_the_first_answer() -> None:
    first = draft()

    built = batch(state(partner()), first, retry := again(first))

    assert [verdict.standing for verdict in verdicts(built, first, retry)] == [
        "RECORDED",
        "REPLAYED",
    ]
    assert len(built.write.bound) == 1


def test_retry_in_upper_case_is_the_same_call() -> None:
    first = draft()

    built = batch(
        state(partner()), first, retry := again(first, request_id=first.request_id.upper())
    )

    assert verdicts(built, retry)[0].standing == "REPLAYED"


def test_request_id_of_another_request_is_refused() -> None:
    first = draft()

    built = batch(state(partner()), first, other := again(first, content_mac=b"other".ljust(32)))

    assert verdicts(built, other)[0].reason == "REQUEST_ID_REUSED"
    assert entries(built)[1]["kind"] == "REFUSAL"


def test_request_id_of_another_partner_is_free() -> None:
    first = draft()

    built = batch(state(partner(), partner("other")), first, own := again(first, partner="other"))

    assert verdicts(built, own)[0].standing == "RECORDED"


def test_refused_call_leaves_its_request_id_free_and_is_counted() -> None:
    memory = state(partner())
    rid = request_id(NOON)
    batch(memory, refusal(request_id=rid), refusal(request_id=rid))

    built = batch(memory, call := draft(request_id=rid))

    assert verdicts(built, call)[0].charged
    assert entries(built)[0]["attempt"] == 3


def test_answer_not_yet_replicated_leaves_its_request_id_free() -> None:
    memory = state(partner())
    early = draft(sealed_answer=b"", billable=False, outcome="NOT_YET_REPLICATED")
    batch(memory, early)

    built = batch(memory, retry := again(early, sealed_answer=b"sealed", billable=True))

    assert verdicts(built, retry)[0].standing == "RECORDED"


@pytest.mark.parametrize("hours", [-73, 1])
def test_request_id_of_another_time_is_refused(hours: int) -> None:
    old = draft(request_id=request_id(NOON + hours * HOUR))

    built = batch(state(partner()), old)

    assert verdicts(built, old)[0].reason == "REQUEST_ID_EXPIRED"


def test_replay_after_72_hours_is_refused() -> None:
    memory = state(partner())
    first = draft()
    batch(memory, first)

    built = batch(memory, retry := again(first), at=NOON + 73 * HOUR)

    assert verdicts(built, retry)[0].reason == "REQUEST_ID_EXPIRED"


@pytest.mark.parametrize(
    ("special", "reason", "kind"),
    [
        ({"suspended": True}, "PARTNER_SUSPENDED", "REFUSAL"),
        ({"key_revoked": True}, "KEY_UNKNOWN", "REFUSAL"),
        (
            {"valid_until": datetime(2026, 11, 23, tzinfo=UTC).date()},
            "AGREEMENT_MISSING",
            "REFUSAL",
        ),
        ({"version": 2}, "POLICY_UNAVAILABLE", "FAULT"),
    ],
)
def test_answer_that_does_not_fit_the_partners_state_is_refused(
    special: dict[str, Any], reason: str, kind: str
) -> None:
    built = batch(state(partner(**special)), call := draft())

    assert verdicts(built, call)[0].reason == reason
    assert (entries(built)[0]["kind"], entries(built)[0]["reason"]) == (kind, reason)
    assert not built.write.charged
    assert not built.write.bound


def test_answer_of_an_unknown_partner_is_refused_under_the_services_name() -> None:
    built = batch(state(), call := draft())

    assert verdicts(built, call)[0].reason == "KEY_UNKNOWN"
    assert entries(built)[0]["partner"] == "padan"


def test_no_answer_follows_a_suspension_and_replays_are_refused_too() -> None:
    memory = state(partner())
    first = draft()
    before = batch(memory, first)
    suspension = control(memory, Suspend(partner="bank"))

    after = batch(memory, draft(), again(first))
    control(memory, Resume(partner="bank"))
    resumed = batch(memory, draft())

    kinds = [read["kind"] for built in (before, after, resumed) for read in entries(built)]
    assert suspension["control"] == {"action": "PARTNER_SUSPENDED", "partner": "bank"}
    assert kinds == ["ANSWER", "REFUSAL", "REFUSAL", "ANSWER"]
    assert memory.policy_version == 3


def test_control_entry_holds_the_action_without_what_is_not_set() -> None:
    document = control_document(AddAgreement(partner="bank", agreement=agreement(budget_day=5)))

    assert document == (
        b'{"action":"AGREEMENT_ADDED","agreement":{"budget_day":5,"lookup_elements":[],'
        b'"methods":["VERIFY"],"price_rupiah":1000,"purposes":["ACCOUNT_OPENING"],'
        b'"valid_from":"2020-01-01","valid_until":"2099-12-31",'
        b'"verify_elements":["birth_date","full_name"],"version":1},"partner":"bank"}'
    )


def test_actions_make_a_partner_that_can_call() -> None:
    memory = state()
    kind = partner().kind
    control(memory, AddPartner(partner="bank", name="A bank", kind=kind))
    control(memory, AddKey(partner="bank", key=public_key("key-1", signing_key())))
    control(memory, AddAgreement(partner="bank", agreement=agreement(version=0)))
    built = batch(memory, call := draft())
    control(memory, RevokeKey(partner="bank", key_id="key-1"))
    revoked = batch(memory, late := draft())

    assert verdicts(built, call)[0].standing == "RECORDED"
    assert verdicts(revoked, late)[0].reason == "KEY_UNKNOWN"
    assert entries(built)[0]["partner_seq"] == 3
    assert [one.partner for one in memory.changed_since(4)] == ["bank"]
    assert memory.changed_since(5) == []


def test_action_that_does_not_fit_changes_nothing() -> None:
    memory = state(partner())

    with pytest.raises(ControlRefused):
        control(memory, Resume(partner="bank"))

    assert (memory.policy_version, memory.frontier.size) == (1, 0)


def test_same_draft_twice_is_recorded_once() -> None:
    call = draft()

    built = batch(state(partner()), call, call)

    assert len(built.write.entries) == 1


def test_batch_that_is_not_committed_changes_nothing() -> None:
    memory = state(partner(budget_day=1))

    batch(memory, draft(), refusal(request_id=request_id(NOON)), commit=False)
    built = batch(memory, call := draft())

    assert verdicts(built, call)[0].charged
    assert (entries(built)[0]["index"], entries(built)[0]["attempt"]) == (0, 1)


def test_entries_are_chained_and_their_search_side_and_tree_derive_from_them() -> None:
    memory = state(partner("a"), partner("b"))
    size, replay = 0, Replay()
    replay.partners = dict(memory.partners)
    frontier = EMPTY
    for _ in range(3):
        built = batch(
            memory, draft(partner="a"), refusal(partner="b"), draft(partner="b"), draft(partner="a")
        )
        for row, data, read in zip(
            built.write.rows, built.write.entries, entries(built), strict=True
        ):
            assert read["index"] == size
            assert search_row(read, row.subject_key) == row
            assert len(row.subject_key) == 8
            assert NIK.encode() not in data
            assert list(replay.take(read, leaf_hash(data))) == []
            frontier = frontier.extended([leaf_hash(data)])
            size += 1

    assert memory.frontier == frontier
    assert built.write.root == frontier.root()
    assert replay.heads == memory.heads
    assert replay.used == memory.used


def test_time_of_entries_is_the_batchs() -> None:
    built = batch(state(partner()), draft(), refusal())

    assert {read["time"] for read in entries(built)} == {"2026-11-24T05:00:00.000000Z"}


@pytest.mark.parametrize(
    "special",
    [
        {"kind": "REPLAY"},
        {"kind": "CONTROL"},
        {"draft_id": b"short"},
        {"answer": b""},
        {"answer": b"{"},
        {"ask": b"[1]"},
        {"ask": b'{"method":1}'},
        {"reason": "BUDGET_SPENT"},
        {"nik": "317101450190000"},
        {"nik": "\u0663" * 16},
        {"request_id": "1"},
        {"count": 1},
        {"ask": b'{"method":"' + b"A" * 40_000 + b'"}'},
        {"sealed_personal": bytes(9_000)},
    ],
)
def test_draft_of_another_form_is_not_taken(special: dict[str, Any]) -> None:
    with pytest.raises(DraftMalformed):
        take(msgspec.structs.replace(draft(), **special), resent=False, sender=Inbox())


@pytest.mark.parametrize(
    "special", [{"reason": ""}, {"reason": "OTHER"}, {"count": 3}, {"answer": b"{}"}]
)
def test_refusal_of_another_form_is_not_taken(special: dict[str, Any]) -> None:
    with pytest.raises(DraftMalformed):
        take(msgspec.structs.replace(refusal(), **special), resent=False, sender=Inbox())


def test_verdict_on_a_resent_draft_is_the_one_it_had() -> None:
    memory = state(partner(budget_month=2), partner("b", suspended=True))
    first = draft()
    calls = [
        first,
        again(first),
        again(first, content_mac=b"other".ljust(32)),
        draft(billable=False),
        draft(),
        draft(),
        draft(partner="b"),
        refusal(),
    ]
    built = batch(memory, *calls)

    for item, data in zip(items(calls), built.write.entries, strict=True):
        verdict = built.verdicts[item.draft.draft_id]
        repeated = verdict_again(memory, item, data, now=NOON)
        if verdict.month_left >= 0:  # what is left is told as of now
            assert repeated.month_left == 0
            repeated = msgspec.structs.replace(repeated, month_left=verdict.month_left)
        assert repeated == verdict
    assert timedelta(days=6) < timedelta(
        seconds=built.verdicts[calls[5].draft_id].retry_after_seconds
    )
