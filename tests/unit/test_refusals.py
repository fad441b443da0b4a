"""Refusals and faults as entries: the first ones each, the many as one summary."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from padan_server.domain.agreement import SERVICE_PARTNER
from padan_server.domain.draft import Kind
from padan_server.domain.refusal import Reason
from padan_server.operations.drafts import Drafts, personal_context
from padan_server.operations.refusals import KINDS_MAX, SINGLE_MAX, Refusals
from tests.support.builders import (
    NIK,
    NOW,
    CountedEntropy,
    KeptLedger,
    call,
    caller,
    verify_query,
    worker_keys,
)


class Recorder:
    """Refusals, and the ledger that they go to."""

    def __init__(self, directory: Path) -> None:
        self.keys = worker_keys(directory)
        self.ledger = KeptLedger()
        drafts = Drafts(keys=self.keys, entropy=CountedEntropy(), clock=lambda: NOW)
        self.refusals = Refusals(drafts=drafts, ledger=self.ledger, period_seconds=60)

    def record(self, times: int = 1, *, peer: str = "10.1.2.3", **changes: Any) -> None:
        ordinary: dict[str, Any] = {
            "reason": Reason.TOO_STALE,
            "method": "VERIFY",
            "caller": caller(),
            "agreement_version": 3,
            "query": verify_query(),
        }
        for _ in range(times):
            self.refusals.record(call(peer=peer), **(ordinary | changes))

    def unknown(self, times: int = 1, *, peer: str = "10.1.2.3") -> None:
        self.record(times, peer=peer, reason=Reason.TOKEN_INVALID, caller=None, query=None)

    def taken(self) -> list[tuple[str, int]]:
        """Give (kind, count) of what the ledger took since the last time."""
        taken = [(draft.kind, draft.count) for draft in self.ledger.noted]
        self.ledger.noted.clear()
        return taken

    def sum_up(self) -> list[tuple[str, int]]:
        self.refusals.sum_up()
        return self.taken()

    def peers(self) -> list[str]:
        """Give the addresses that are sealed in what the ledger took."""
        return [
            json.loads(self.keys.unseal(d.sealed_personal, personal_context(d.draft_id))[16:])[
                "peer"
            ]
            for d in self.ledger.noted
        ]


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


SINGLE = (Kind.REFUSAL, 0)


def test_the_first_twenty_of_a_kind_are_entries_and_the_rest_one_summary(
    recorder: Recorder,
) -> None:
    recorder.record(SINGLE_MAX + 5)
    assert recorder.taken() == [SINGLE] * SINGLE_MAX
    assert recorder.sum_up() == [(Kind.SUMMARY, 5)]
    assert recorder.sum_up() == []


def test_nothing_is_summed_up_when_each_was_recorded(recorder: Recorder) -> None:
    recorder.record(SINGLE_MAX)
    recorder.taken()
    assert recorder.sum_up() == []


def test_each_period_has_twenty_entries_of_its_own(recorder: Recorder) -> None:
    recorder.record(SINGLE_MAX + 1)
    recorder.sum_up()
    recorder.record(SINGLE_MAX + 1)
    assert recorder.taken() == [SINGLE] * SINGLE_MAX


def test_partners_and_reasons_are_counted_apart(recorder: Recorder) -> None:
    recorder.record(SINGLE_MAX + 1)
    recorder.record(SINGLE_MAX + 2, caller=caller(partner="agency-b"))
    recorder.record(SINGLE_MAX + 3, reason=Reason.INTERNAL)
    assert Counter(recorder.taken()) == {SINGLE: 2 * SINGLE_MAX, (Kind.FAULT, 0): SINGLE_MAX}
    recorder.refusals.sum_up()
    summaries = {(d.partner, d.reason): d.count for d in recorder.ledger.noted}
    assert summaries == {
        ("agency-a", Reason.TOO_STALE): 1,
        ("agency-b", Reason.TOO_STALE): 2,
        ("agency-a", Reason.INTERNAL): 3,
    }


def test_one_partner_at_many_addresses_is_one_kind(recorder: Recorder) -> None:
    for number in range(SINGLE_MAX + 5):
        recorder.record(peer=f"10.1.2.{number}")
    assert len(recorder.taken()) == SINGLE_MAX
    assert recorder.sum_up() == [(Kind.SUMMARY, 5)]


def test_a_summary_tells_reason_and_count_and_nothing_of_a_request(recorder: Recorder) -> None:
    recorder.record(SINGLE_MAX + 5)
    recorder.ledger.noted.clear()
    recorder.refusals.sum_up()
    (summary,) = recorder.ledger.noted
    assert (summary.partner, summary.reason, summary.count) == ("agency-a", Reason.TOO_STALE, 5)
    assert (summary.nik, summary.request_id) == ("", "")
    assert NIK.encode() not in summary.ask


def test_callers_who_are_not_known_are_only_counted_and_by_address(recorder: Recorder) -> None:
    recorder.unknown(3, peer="10.0.0.1")
    recorder.unknown(4, peer="10.0.0.2")
    assert recorder.taken() == []
    recorder.refusals.sum_up()
    assert recorder.peers() == ["10.0.0.1", "10.0.0.2"]
    assert [draft.partner for draft in recorder.ledger.noted] == [SERVICE_PARTNER] * 2
    assert recorder.taken() == [(Kind.SUMMARY, 3), (Kind.SUMMARY, 4)]


def test_what_the_queue_does_not_take_is_counted_and_kept(recorder: Recorder) -> None:
    recorder.ledger.room = False
    recorder.record(3)
    recorder.unknown(2)
    assert recorder.sum_up() == []
    assert recorder.sum_up() == []
    recorder.ledger.room = True
    assert recorder.sum_up() == [(Kind.SUMMARY, 3), (Kind.SUMMARY, 2)]
    assert recorder.sum_up() == []


def test_what_is_kept_and_what_comes_after_are_counted_together(recorder: Recorder) -> None:
    recorder.ledger.room = False
    recorder.record(3)
    recorder.refusals.sum_up()
    recorder.ledger.room = True
    recorder.record(4)
    singles = recorder.taken()
    assert sum(count for _, count in recorder.sum_up()) + len(singles) == 7


def test_the_kinds_of_a_period_are_bounded_and_no_call_goes_uncounted(recorder: Recorder) -> None:
    beyond = 25
    for number in range(KINDS_MAX + beyond):
        recorder.unknown(peer=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    recorder.refusals.sum_up()
    assert len(recorder.ledger.noted) == KINDS_MAX + 1
    assert sum(draft.count for draft in recorder.ledger.noted) == KINDS_MAX + beyond
    assert recorder.ledger.noted[-1].count == beyond
    assert recorder.peers()[-1] == ""


def test_a_partner_beyond_the_bound_still_has_its_refusals_recorded_or_counted(
    recorder: Recorder,
) -> None:
    for number in range(KINDS_MAX):
        recorder.unknown(peer=str(number))
    recorder.record(SINGLE_MAX + 5)
    assert recorder.taken() == [SINGLE] * SINGLE_MAX
    assert recorder.sum_up()[-1] == (Kind.SUMMARY, 5)
