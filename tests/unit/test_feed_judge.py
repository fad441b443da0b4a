"""What a feed proves, and which of a batch's lines are news."""

from __future__ import annotations

from padan_server.domain.feed import (
    START,
    Beat,
    Change,
    Line,
    PersonChange,
    PersonGone,
    Position,
    Reason,
    Rejected,
    Watermark,
)
from padan_server.domain.feed.judge import Batch, Held, Proof, last

A, B = "3171014107900001", "3171014107900002"


def line(
    commit: int, change: int, what: Change | Rejected, *, at: int = 0, snapshot: bool = False
) -> Line:
    return Line(
        place=f"{commit}/{change}",
        raw=b"",
        change=what,
        position=Position(commit, change),
        committed_ms=at,
        snapshot=snapshot,
    )


def person(nik: str = A) -> PersonChange:
    return PersonChange(nik, (nik,))


def judged(*lines: Line, applied: Position = START, held: dict[str, Held] | None = None) -> Batch:
    batch = Batch(applied)
    batch.sort(list(lines), Proof())
    batch.settle(held or {})
    return batch


def test_a_line_does_not_prove_its_own_time_and_the_next_commit_does() -> None:
    proof = Proof()
    proof.see(line(10, 1, person(), at=1_000))
    proof.see(line(10, 2, person(), at=1_000))
    assert proof.complete_ms == 0
    proof.see(line(20, 3, person(), at=2_000))
    assert proof.complete_ms == 1_000


def test_a_heartbeat_proves_what_it_states_and_nothing_proves_less() -> None:
    proof = Proof()
    proof.see(line(10, 1, Beat(900), at=1_000))
    assert proof.complete_ms == 900
    proof.see(line(20, 2, person(), at=500))
    assert proof.complete_ms == 1_000
    proof.see(line(30, 3, Beat(700), at=700))
    assert proof.complete_ms == 1_000


def test_a_line_without_a_time_proves_nothing() -> None:
    proof = Proof()
    proof.see(line(10, 1, Beat(900)))
    proof.see(line(20, 2, person()))
    assert proof.complete_ms == 0


def test_lines_below_the_position_are_repeated() -> None:
    batch = judged(line(5, 9, person()), line(20, 3, person(B)), applied=Position(10, 1))
    assert (batch.counts.repeated, batch.counts.applied) == (1, 1)
    assert list(batch.people) == [B]
    assert batch.position == Position(20, 3)


def test_the_line_at_the_position_is_news_only_if_its_person_does_not_hold_it() -> None:
    at = Position(10, 4)
    assert judged(line(10, 4, person()), applied=at).counts.applied == 1
    again = judged(line(10, 4, person()), applied=at, held={A: Held(4)})
    assert (again.counts.repeated, again.news) == (1, False)
    gone = judged(line(10, 4, PersonGone(A)), applied=at, held={A: Held(None)})
    assert gone.counts.repeated == 1
    mark = judged(line(10, 4, Watermark(regency_code="3171")), applied=at)
    assert mark.counts.repeated == 1
    assert list(mark.watermarks) == ["3171"]


def test_older_changes_and_duplicates_are_kept_out() -> None:
    batch = judged(line(20, 5, person()), line(21, 6, person(B)), held={A: Held(7), B: Held(6)})
    assert [(kept.place, why.reason) for kept, why in batch.kept_out] == [
        ("20/5", Reason.OLDER),
        ("21/6", Reason.DUPLICATE),
    ]
    assert batch.counts.applied == 0


def test_within_a_batch_the_change_of_the_highest_position_wins() -> None:
    first, second, third = line(10, 5, person()), line(11, 9, person()), line(12, 7, person())
    batch = judged(first, second, third)
    assert batch.counts.applied == 2
    assert [why.reason for _, why in batch.kept_out] == [Reason.OLDER]
    assert last(batch.people[A]) is second


def test_a_snapshot_says_nothing_against_a_newer_record() -> None:
    batch = judged(line(20, 5, person(), snapshot=True), held={A: Held(7)})
    assert batch.counts.repeated == 1
    assert batch.kept_out == []


def test_removals_of_nobody_are_counted() -> None:
    batch = judged(
        line(10, 1, PersonGone(A)),
        line(11, 2, person(A)),
        line(12, 3, PersonGone(A)),
        line(13, 4, PersonGone(A)),
        held={A: Held(None)},
    )
    assert (batch.counts.absent, batch.counts.applied) == (2, 2)


def test_a_removal_makes_earlier_lines_in_quarantine_void_and_no_later_ones() -> None:
    bad = Rejected(Reason.CODE_UNKNOWN, "AGAMA", A)
    batch = judged(
        line(10, 1, bad), line(11, 2, PersonGone(A)), line(12, 3, bad), held={A: Held(None)}
    )
    assert [why.reason for _, why in batch.kept_out] == [Reason.OLDER, Reason.CODE_UNKNOWN]
    assert batch.removed == {A}
