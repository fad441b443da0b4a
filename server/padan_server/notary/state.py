"""The notary's memory: where the log ends, as of the last commit.

It equals the database because nobody else writes there; it changes only after a commit.
"""

from __future__ import annotations

from padan_server.domain.agreement import Agreement, Partner
from padan_server.domain.ledger import BoundRow, Tail, Write
from padan_server.domain.window import Windows, windows_at
from padan_server.notary.recent import Recent
from padan_server.notary.verdicts import left

BOUND_MAX = 50_000
"""Bound request ids kept in memory (up to twice as many): quick retries cost no second trip."""

ATTEMPTS_MAX = 50_000
"""Request ids whose refused calls are counted (up to twice as many)."""


class State:
    """What a batch is built on. `attempts` counts refused and failed calls of a request_id."""

    def __init__(self, tail: Tail) -> None:
        self.log = tail.log.name
        self.epoch = tail.log.epoch
        self.policy_version = tail.log.policy_version
        self.frontier = tail.frontier
        self.time = tail.time
        self.partners = dict(tail.partners)
        self.heads = dict(tail.heads)
        self.used = dict(tail.used)
        self._windows = windows_at(tail.time / 1_000_000)
        self.bound: Recent[tuple[str, str], BoundRow] = Recent(BOUND_MAX)
        self.attempts: Recent[tuple[str, str], int] = Recent(ATTEMPTS_MAX)

    def windows(self, time: int) -> Windows:
        """Give the windows of a time that is not before the last one asked for."""
        seconds = time / 1_000_000
        if seconds >= self._windows.day_ends:
            self._windows = windows_at(seconds)
        return self._windows

    def left(self, agreement: Agreement, partner: str, windows: Windows) -> tuple[int, int]:
        """Give what is left of the day's and the month's budget; -1 where there is no limit."""
        used = self.used
        return left(
            (agreement.budget_day, agreement.budget_month),
            (used.get((partner, windows.day), 0), used.get((partner, windows.month), 0)),
        )

    def apply(self, write: Write, attempts: dict[tuple[str, str], int]) -> None:
        """Take in what was committed."""
        assert write.first == self.frontier.size, "a batch extends the head it was built on"
        self.frontier = write.frontier
        self.time = write.time
        self.heads.update(write.heads)
        for charged in write.charged:
            self.used[charged.partner, charged.window] = charged.used
        self.recall(write.bound)
        for request, failed in attempts.items():
            self.attempts.put(request, failed)
        if write.partner is not None:
            self._change(write.partner)

    def recall(self, bound: list[BoundRow]) -> None:
        """Remember bound request ids."""
        for row in bound:
            self.bound.put((row.partner, row.request_id), row)

    def forget_windows(self, time: int) -> None:
        """Drop the windows that are over."""
        windows = self.windows(time)
        now = (windows.day, windows.month)
        self.used = {key: used for key, used in self.used.items() if key[1] in now}

    def changed_since(self, known: int) -> list[Partner]:
        """Give the partners that changed after a version of the policy."""
        if known == self.policy_version:
            return []
        if known > self.policy_version:
            known = 0
        return [partner for partner in self.partners.values() if partner.changed > known]

    def _change(self, partner: Partner) -> None:
        self.partners[partner.partner] = partner
        self.policy_version = partner.changed
