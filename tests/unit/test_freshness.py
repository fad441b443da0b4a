"""What is kept is never older, nor newer, than its answer says: single cases, then any order.

The property's model is a write-ahead log: beats and commits in one order, replicas that have
replayed a part of it, transactions that stay open. tests/conformance/test_freshness.py does the
same on real servers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import event, given, settings
from hypothesis import strategies as st

from padan_server.domain.freshness import Change, Freshness, Snapshot, Tail
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from tests.support.builders import found

ANA, BUDI = Nik("3171015203909001"), Nik("3171011203909001")
REGISTRY = "c0ffee00-0000-4000-8000-000000000000"
PROMOTED = 2 << 40


def seen(
    beat: int,
    *changes: Change,
    xmin: int = 10,
    since: int = 1,
    as_of: float | None = None,
) -> Snapshot:
    time = float(beat) if as_of is None else as_of
    return Snapshot(REGISTRY, beat, time, xmin, since, list(changes))


def begun(*, changes_max: int = 100) -> tuple[Freshness, Tail]:
    """Give a tail that has seen beat 1, with transactions from 10 on still to come."""
    freshness = Freshness(changes_max=changes_max)
    tail = Tail(freshness)
    tail.take(seen(1, since=0))
    return freshness, tail


def read(beat: int, nik: Nik = ANA) -> Finding:
    return Finding(found(nik=nik).record, float(beat), beat)


def test_nothing_is_used_before_the_first_heartbeat() -> None:
    assert Freshness(changes_max=1).current(ANA, read(5)) is None


def test_what_was_read_up_to_the_first_heartbeat_is_not_used() -> None:
    freshness, _ = begun()
    assert freshness.current(ANA, read(1)) is None
    assert freshness.current(ANA, read(2)) == read(2)


def test_a_finding_speaks_as_of_the_tail() -> None:
    freshness, tail = begun()
    tail.take(seen(7, as_of=99.0))
    current = freshness.current(ANA, read(2))
    assert current is not None
    assert (current.beat, current.as_of, current.record) == (7, 99.0, read(2).record)


def test_a_finding_from_a_replica_ahead_of_the_tail_speaks_for_itself() -> None:
    freshness, _ = begun()
    assert freshness.current(ANA, read(9)) == read(9)


def test_a_change_ends_what_was_read_beside_its_heartbeat_or_before() -> None:
    freshness, tail = begun()
    tail.take(seen(5, Change(1, 10, ANA)))
    assert freshness.current(ANA, read(5)) is None
    assert freshness.current(ANA, read(6)) == read(6)
    assert freshness.current(BUDI, read(2, BUDI)) is not None


def test_a_change_that_is_shown_again_ends_nothing_again() -> None:
    freshness, tail = begun()
    tail.take(seen(5, Change(1, 10, ANA), xmin=10))
    tail.take(seen(8, Change(1, 10, ANA), xmin=10))
    assert freshness.current(ANA, read(6)) is not None


def test_a_look_that_comes_late_ends_nothing_again() -> None:
    freshness, tail = begun()
    late = seen(6, Change(1, 10, ANA))
    tail.take(seen(5, Change(1, 10, ANA)))
    tail.take(seen(7, xmin=20))
    tail.take(late)
    assert freshness.current(ANA, read(6)) is not None
    assert freshness.beat == 7


def test_a_replica_that_is_behind_takes_nothing_back() -> None:
    freshness, tail = begun()
    tail.take(seen(9, xmin=30))
    tail.take(seen(4, xmin=12))
    assert (freshness.beat, tail.xmin) == (9, 30)


def test_a_clock_that_is_set_back_moves_the_age_and_not_the_order() -> None:
    freshness, tail = begun()
    tail.take(seen(5, as_of=500.0))
    tail.take(seen(6, Change(1, 10, ANA), as_of=400.0))
    assert freshness.current(ANA, read(5)) is None
    current = freshness.current(BUDI, read(3, BUDI))
    assert current is not None
    assert current.as_of == 400.0


def test_forgetting_a_change_forgets_what_was_read_before_it() -> None:
    freshness, tail = begun(changes_max=1)
    tail.take(seen(5, Change(1, 10, ANA)))
    tail.take(seen(7, Change(2, 11, BUDI)))
    assert freshness.current(ANA, read(5)) is None
    assert freshness.current(ANA, read(6)) is not None


def test_too_many_changes_to_tell_end_everything_read_so_far() -> None:
    freshness, tail = begun()
    tail.take(Snapshot(REGISTRY, 5, 5.0, 90, 1, None))
    assert freshness.current(ANA, read(5)) is None
    assert freshness.current(ANA, read(6)) is not None
    assert tail.xmin == 90


def test_too_many_changes_on_a_replica_that_is_behind_are_known_already() -> None:
    freshness, tail = begun()
    tail.take(seen(9, xmin=30))
    tail.take(Snapshot(REGISTRY, 5, 5.0, 12, 1, None))
    assert (freshness.beat, tail.xmin) == (9, 30)


def test_a_look_that_was_asked_for_no_changes_shows_none_that_happened_since() -> None:
    """Two replicas are looked at when a worker starts; the second to answer is ahead."""
    freshness, tail = begun()
    tail.take(seen(5, xmin=20, since=0))
    assert (freshness.beat, tail.xmin) == (1, 10)
    tail.take(seen(6, Change(1, 12, ANA), xmin=20, since=10))
    assert freshness.current(ANA, read(3)) is None


def test_a_look_that_was_asked_for_less_than_is_unknown_is_not_followed() -> None:
    freshness, tail = begun()
    tail.take(seen(5, xmin=20, since=11))
    assert freshness.beat == 1


def test_a_registry_that_was_restored_where_transaction_ids_are_younger_ends_everything() -> None:
    freshness, tail = begun()
    tail.take(seen(5, xmin=900))
    tail.take(seen(6, xmin=40, since=900))
    assert freshness.current(ANA, read(5)) is None
    tail.take(seen(9, Change(1, 50, ANA), xmin=60, since=40))
    assert freshness.current(ANA, read(8)) is None


def test_a_promotion_ends_everything_and_who_stayed_behind_is_not_heard() -> None:
    freshness, tail = begun()
    tail.take(seen(9, Change(7, 12, BUDI), xmin=12))
    tail.take(seen(PROMOTED, xmin=11))
    assert freshness.current(ANA, read(9)) is None
    tail.take(seen(10, Change(8, 12, ANA), xmin=13))
    assert freshness.beat == PROMOTED
    # Ids are given anew after a promotion: 7 is another change now.
    tail.take(seen(PROMOTED + 1, Change(7, 12, ANA), xmin=11))
    assert freshness.current(ANA, read(PROMOTED + 1)) is None


@dataclass
class Log:
    """What the primary wrote: ("beat", number) and ("commit", xid), in order."""

    events: list[tuple[str, int]] = field(default_factory=lambda: [("beat", 1)])
    changes: dict[int, list[tuple[int, Nik]]] = field(default_factory=dict)
    """By transaction: ids of feed rows, and whose."""

    def beat_at(self, position: int) -> int:
        return max(number for kind, number in self.events[:position] if kind == "beat")

    def committed(self, position: int) -> list[int]:
        return [number for kind, number in self.events[:position] if kind == "commit"]

    def versions(self, nik: Nik) -> list[int]:
        """Give the places in the log where a person's record changed: version n at the nth."""
        return [
            place
            for place, (kind, xid) in enumerate(self.events)
            if kind == "commit" and any(whose == nik for _, whose in self.changes[xid])
        ]


class World:
    """Two workers with a cache each and one between them, over two replicas of different lag."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.log = Log()
        self.xid = self.id = 0
        self.open: list[int] = []
        self.replayed = [1, 1]
        self.workers = []
        for _ in range(2):
            freshness = Freshness(changes_max=1)
            self.workers.append((freshness, Tail(freshness)))
        self.looks: list[tuple[int, Snapshot]] = []
        self.first: list[dict[Nik, Finding]] = [{}, {}]
        self.second: dict[Nik, Finding] = {}
        self.used = 0
        """How many answers came from a cache."""

    def step(self) -> None:
        steps = {
            self.beat: 4,
            self.start: 2,
            self.commit: 2,
            self.replay: 8,
            self.look: 8,
            self.arrive: 8,
            self.ask: 12,
            self.restart: 1,
        }
        self.chance.choices(list(steps), weights=list(steps.values()))[0]()

    def beat(self) -> None:
        self.log.events.append(("beat", self.log.beat_at(len(self.log.events)) + 1))

    def start(self) -> None:
        """Change a person in a transaction, which may stay open."""
        self.xid, self.id = self.xid + 1, self.id + 1
        self.log.changes[self.xid] = [(self.id, self.someone())]
        self.open.append(self.xid)

    def commit(self) -> None:
        if self.open:
            self.log.events.append(("commit", self.open.pop(self.either(len(self.open)))))

    def replay(self) -> None:
        """Let a replica go on: a step, or to the end."""
        replica, end = self.either(), len(self.log.events)
        self.replayed[replica] = min(end, self.replayed[replica] + self.chance.choice((1, 2, end)))

    def look(self) -> None:
        """Ask for a snapshot; it arrives later."""
        worker, replica = self.either(), self.either()
        since = self.workers[worker][1].xmin
        asked = since or 2**63
        committed = self.log.committed(self.replayed[replica])
        rows = [
            Change(id_, xid, nik)
            for xid in committed
            if xid >= asked
            for id_, nik in self.log.changes[xid]
        ]
        xmin = next(xid for xid in range(1, self.xid + 2) if xid not in committed)
        beat = self.log.beat_at(self.replayed[replica])
        self.looks.append((worker, Snapshot(REGISTRY, beat, float(beat), xmin, since, rows)))

    def arrive(self) -> None:
        if self.looks:
            worker, snapshot = self.looks.pop(self.either(len(self.looks)))
            self.workers[worker][1].take(snapshot)

    def restart(self) -> None:
        """Start a worker anew: it knows nothing, and what was asked for it is lost."""
        worker = self.either()
        freshness = Freshness(changes_max=1)
        self.workers[worker] = (freshness, Tail(freshness))
        self.first[worker] = {}
        self.looks = [(whose, snapshot) for whose, snapshot in self.looks if whose != worker]

    def ask(self) -> None:
        worker, nik = self.either(), self.someone()
        freshness, _ = self.workers[worker]
        for cache in (self.first[worker], self.second):
            kept = cache.get(nik)
            current = kept and freshness.current(nik, kept)
            if current:
                self.used += 1
                self.first[worker][nik] = current
                self.check(nik, current)
                return
        position = self.replayed[self.either()]
        version = sum(place < position for place in self.log.versions(nik))
        beat = self.log.beat_at(position)
        answer = Finding(found(nik=nik, version=version).record, float(beat), beat)
        self.first[worker][nik] = self.second[nik] = answer
        self.check(nik, answer)

    def check(self, nik: Nik, answer: Finding) -> None:
        """Hold an answer against the log: as of its beat, or after it and before the next."""
        assert answer.record is not None
        assert answer.as_of == answer.beat
        begins = self.log.events.index(("beat", answer.beat))
        ends = len(self.log.events)
        if answer.beat < self.log.beat_at(ends):
            ends = self.log.events.index(("beat", answer.beat + 1))
        places = self.log.versions(nik)
        oldest = sum(place < begins for place in places)
        newest = sum(place < ends for place in places)
        assert oldest <= answer.record.version <= newest

    def either(self, of: int = 2) -> int:
        return self.chance.randrange(of)

    def someone(self) -> Nik:
        return self.chance.choice((ANA, BUDI))


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_in_any_order_no_answer_is_older_or_newer_than_it_says(seed: int) -> None:
    world = World(Random(seed))
    for _ in range(150):
        world.step()
    event("caches were used" if world.used else "caches were not used")
