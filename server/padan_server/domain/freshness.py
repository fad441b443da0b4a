"""Freshness: whether a finding that was kept may still be used, and as of when it then speaks.

The tail reads the registry's change feed, in snapshots of any replica; the rule and why it holds
stand in docs/time.md. Pure: reading and clocks are elsewhere.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding

NEVER = 2**63
"""Above every beat."""

_TIMELINE_BITS = 40
"""A beat's lower bits; above them promotions are counted (migrations/registry, 0002)."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """A row of the change feed: its id, its transaction, and whose record changed."""

    id: int
    xid: int
    nik: Nik


class Snapshot(msgspec.Struct, frozen=True):
    """What one statement on one replica saw, at one moment of the replica's.

    `registry` names what it is a copy of, `beat` and `as_of` are its heartbeat's number and time
    (seconds since the epoch). Every transaction below `xmin` had ended. `changes` are the visible
    changes of transactions from `since` on, which is what was asked for; None if there were too
    many to tell. With `since` 0 none were asked for.
    """

    registry: str
    beat: int
    as_of: float
    xmin: int
    since: int
    changes: list[Change] | None


class Freshness:
    """What is known of changes: decides for the caches of one worker.

    At most `changes_max` people's last changes are remembered; beyond it the oldest are forgotten,
    and with them everything that was read before them.
    """

    def __init__(self, *, changes_max: int) -> None:
        self._changes_max = changes_max
        self._changed: OrderedDict[Nik, int] = OrderedDict()
        self._floor = NEVER
        self.registry = ""
        """Which registry all of this is about; empty before the first heartbeat."""
        self.beat = 0
        """Every change up to this heartbeat is known; 0 before the first."""
        self.as_of = 0.0
        """Its time."""

    def current(self, nik: Nik, finding: Finding) -> Finding | None:
        """Give a kept finding as of now: None if its record may have changed since."""
        beat = finding.beat
        if beat < self._floor or beat <= self._changed.get(nik, -1):
            return None
        if beat >= self.beat:
            return finding
        return Finding(finding.record, self.as_of, self.beat)

    def begin(self, registry: str, beat: int, as_of: float) -> None:
        """Begin anew at a heartbeat: nothing that was read up to it may be used."""
        self.registry = registry
        self._changed.clear()
        self._floor = beat + 1
        self.beat, self.as_of = beat, as_of

    def change(self, nik: Nik, beat: int) -> None:
        """Take a change that was first seen beside a heartbeat."""
        changed = self._changed
        changed[nik] = max(beat, changed.get(nik, 0))
        changed.move_to_end(nik)
        if len(changed) > self._changes_max:
            _, forgotten = changed.popitem(last=False)
            self._floor = max(self._floor, forgotten + 1)

    def advance(self, beat: int, as_of: float) -> None:
        """Take that every change up to a heartbeat is known."""
        self.beat, self.as_of = beat, as_of


class Tail:
    """Takes snapshots, of several replicas in any order, and tells `freshness` what they show.

    Transaction ids are the primary's, so what one replica showed need not be read on another.
    """

    def __init__(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._handled: dict[int, int] = {}
        self.xmin = 0
        """Ask for the changes of transactions from this one on; 0: for none, at the beginning."""

    def belongs(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot is of the registry that this tail began with."""
        return self._freshness.registry in ("", snapshot.registry)

    def left_behind(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot is of a time line that a promotion has left behind.

        Its ids may by now be given to other changes, and what it holds may be lost.
        """
        return snapshot.beat >> _TIMELINE_BITS < self._freshness.beat >> _TIMELINE_BITS

    def take(self, snapshot: Snapshot) -> None:
        """Take a snapshot that was asked for from an `xmin` of this tail's, now or earlier."""
        assert self.belongs(snapshot)
        if self.left_behind(snapshot):
            return
        if not self.xmin or self._breaks_off(snapshot):
            self._begin(snapshot)
        elif 0 < snapshot.since <= self.xmin:
            self._follow(snapshot)
        # Else it was asked for before this tail began, and does not show all that happened since.

    def _breaks_off(self, snapshot: Snapshot) -> bool:
        """Tell whether what is known does not lead to a snapshot.

        It is past a promotion, or it is of a PostgreSQL with younger transaction ids, into which
        the registry was restored, or there were too many changes to tell.
        """
        fresh = self._freshness
        promoted = snapshot.beat >> _TIMELINE_BITS > fresh.beat >> _TIMELINE_BITS
        restored = snapshot.beat > fresh.beat and snapshot.xmin < self.xmin
        return promoted or restored or snapshot.changes is None

    def _follow(self, snapshot: Snapshot) -> None:
        fresh = self._freshness
        assert snapshot.changes is not None
        for change in snapshot.changes:
            if change.xid >= self.xmin and change.id not in self._handled:
                self._handled[change.id] = change.xid
                fresh.change(change.nik, snapshot.beat)
        if snapshot.beat > fresh.beat:
            fresh.advance(snapshot.beat, snapshot.as_of)
            self._raise_xmin(snapshot.xmin)

    def _begin(self, snapshot: Snapshot) -> None:
        """Begin at a snapshot: the first, one past a promotion, or one with too many changes."""
        if snapshot.beat < self._freshness.beat:
            return  # a replica that is behind has nothing to begin with
        self._handled.clear()
        self.xmin = snapshot.xmin
        self._freshness.begin(snapshot.registry, snapshot.beat, snapshot.as_of)

    def _raise_xmin(self, xmin: int) -> None:
        if xmin > self.xmin:
            self.xmin = xmin
            self._handled = {id_: xid for id_, xid in self._handled.items() if xid >= xmin}
