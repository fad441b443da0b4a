"""What becomes of a batch of lines: what is new, older, repeated; and what the feed proves.

Pure: `sort` needs how far the feed is applied, `settle` what is held of the few people about whom
that is not enough. The end state does not depend on how a feed is cut into batches, nor on how
often its parts are sent.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from padan_server.domain.feed import (
    Beat,
    Counts,
    Line,
    OutreachBatch,
    PersonChange,
    PersonGone,
    Position,
    Reason,
    Rejected,
    Watermark,
)

REMOVED = "the person was removed since"
"""The detail of a line that a later removal has made void."""


class Proof:
    """Follows how far in time a feed is complete, in epoch milliseconds.

    A line does not prove its own time: its transaction may have more lines. The next commit does,
    and so does a heartbeat, whose transaction has none. A snapshot's times prove nothing: they
    tell when a row was read.
    """

    def __init__(self) -> None:
        self.complete_ms = 0
        self.latest_ms = 0
        self._commit = 0

    def see(self, line: Line) -> None:
        """Take a line in, in the order of the feed."""
        if not line.committed_ms or line.position is None:
            return
        commit = line.position.commit
        if commit > self._commit:
            self.complete_ms = max(self.complete_ms, self.latest_ms)
            self._commit = commit
        self.latest_ms = max(self.latest_ms, line.committed_ms)
        if isinstance(line.change, Beat) and commit == self._commit:
            self.complete_ms = max(self.complete_ms, line.change.at_ms)


class Held(msgspec.Struct, frozen=True):
    """What the registry holds of a person: the position of the last change; None if nothing."""

    position: int | None


class Batch:
    """A batch in the making: what is to be written once it is settled."""

    def __init__(self, applied: Position) -> None:
        self.position = applied
        self.people: dict[str, list[Line]] = {}
        self.watermarks: dict[str, Watermark] = {}
        self.outreach: dict[str, OutreachBatch] = {}
        self.kept_out: list[tuple[Line, Rejected]] = []
        self.removed: set[str] = set()
        """People of whom earlier lines in quarantine are void."""
        self.counts = Counts()
        self._applied = applied
        self._rejected: dict[str, list[int]] = {}
        """Where in `kept_out` a person's lines are."""

    def sort(self, lines: list[Line], proof: Proof) -> None:
        """Take lines in: those below the position are repeated, the rest waits for `settle`."""
        for line in lines:
            position = line.position
            if position is not None and not line.incremental:
                if position < self.position or line.change is None:
                    self.counts.repeated += 1
                    continue
                self.position = position
            proof.see(line)
            self._take(line)

    def _take(self, line: Line) -> None:
        change = line.change
        if isinstance(change, (PersonChange, PersonGone)):
            known = self.people.get(change.nik)
            if known is None:
                self.people[change.nik] = [line]
            else:
                known.append(line)
        elif isinstance(change, Rejected):
            if change.nik:
                self._rejected.setdefault(change.nik, []).append(len(self.kept_out))
            self.kept_out.append((line, change))
        else:
            if isinstance(change, Watermark):
                self.watermarks[change.regency_code] = change
            elif isinstance(change, OutreachBatch):
                self.outreach[change.batch_id] = change
            # Where reading ended: it says again what it said, or what a cut left out.
            if line.position == self._applied:
                self.counts.repeated += 1
            else:
                self.counts.applied += 1

    @property
    def news(self) -> bool:
        """Whether anything was in it that had not been applied before."""
        return self.position > self._applied or self.counts.repeated < self.counts.lines

    def settle(self, held: Mapping[str, Held]) -> None:
        """Decide about people's lines. `held` has those whose lines are not all newer or removals.

        Afterwards `kept_out` is complete, and so are `counts` but for it; what `last` gives of a
        person is to be written if it is newer than what is held.
        """
        for nik, lines in self.people.items():
            if len(lines) == 1 and nik not in held and isinstance(lines[0].change, PersonChange):
                self.counts.applied += 1
            else:
                self._settle_person(nik, lines, held.get(nik))

    def _settle_person(self, nik: str, lines: list[Line], held: Held | None) -> None:
        floor = held.position if held is not None and held.position is not None else -1
        present = held is None or held.position is not None
        floor_line: Line | None = None
        for line in lines:
            assert line.position is not None
            at = line.position.change
            if at <= floor:
                self._keep_out(line, floor_line, older=at < floor)
            elif isinstance(line.change, PersonGone):
                if present:
                    self.counts.applied += 1
                elif line.position == self._applied:
                    self.counts.repeated += 1
                else:
                    self.counts.absent += 1
                self._void(nik, line)
                present, floor, floor_line = False, at, line
            else:
                self.counts.applied += 1
                present, floor, floor_line = True, at, line

    def _keep_out(self, line: Line, same: Line | None, *, older: bool) -> None:
        """Count a line that is not newer than what is held; only news goes into quarantine."""
        before = same.position if same is not None else self._applied
        if line.snapshot or (not older and line.position == before):
            self.counts.repeated += 1
        elif older:
            self.kept_out.append((line, Rejected(Reason.OLDER, "source.lsn", _nik(line))))
        else:
            self.kept_out.append((line, Rejected(Reason.DUPLICATE, "source.lsn", _nik(line))))

    def _void(self, nik: str, removal: Line) -> None:
        """Close what was kept out of a person before: a retry must not bring it back."""
        self.removed.add(nik)
        assert removal.position is not None
        for number in self._rejected.get(nik, ()):
            line, _ = self.kept_out[number]
            if line.position is not None and line.position < removal.position:
                gone = Rejected(Reason.OLDER, REMOVED, nik)
                self.kept_out[number] = (line, gone)


def last(lines: list[Line]) -> Line:
    """Give the line that a person's record is to be as: the first of the highest position."""
    if len(lines) == 1:
        return lines[0]
    return max(lines, key=lambda line: line.position.change if line.position else 0)


def _nik(line: Line) -> str:
    assert isinstance(line.change, PersonChange | PersonGone)
    return line.change.nik
