"""Refusals and faults become entries: the first ones each, the many as one summary with a count.

Nothing waits for these entries, and they displace no answer: the ledger has a queue of their own.
"""

from __future__ import annotations

import asyncio

import msgspec

from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import Query
from padan_server.domain.refusal import Reason
from padan_server.operations.drafts import Drafts
from padan_server.ports import Ledger

SINGLE_MAX = 20
"""Entries of one reason, partner and period before the rest is summed up."""

KINDS_MAX = 10_000
"""Different (partner or address, reason) in one period; the rest is summed up without address."""


class _Kind(msgspec.Struct, frozen=True):
    partner: str
    peer: str
    reason: Reason
    method: str


class _Many(msgspec.Struct):
    caller: Caller | None
    singles: int = 0
    unrecorded: int = 0


class Refusals:
    """Records refusals and faults, and sums them up once per period (seconds)."""

    def __init__(self, *, drafts: Drafts, ledger: Ledger, period_seconds: float) -> None:
        self._drafts = drafts
        self._ledger = ledger
        self._period_seconds = period_seconds
        self._kinds: dict[_Kind, _Many] = {}

    def record(
        self,
        call: Call,
        reason: Reason,
        *,
        method: str,
        caller: Caller | None,
        agreement_version: int,
        query: Query | None,
    ) -> None:
        """Record one: as an entry, or in the count of the period's summary.

        Callers who could not be identified are only counted, by address and reason.
        """
        many = self._many(call, reason, method, caller)
        if caller is not None and many.singles < SINGLE_MAX:
            many.singles += 1
            draft = self._drafts.refusal(
                call,
                reason,
                method=method,
                caller=caller,
                agreement_version=agreement_version,
                query=query,
            )
            if self._ledger.note(draft):
                return
        many.unrecorded += 1

    def sum_up(self) -> None:
        """End the period: one summary for each kind that has an unrecorded rest.

        What the ledger's queue does not take now stays for the next period.
        """
        kinds, self._kinds = self._kinds, {}
        for kind, many in kinds.items():
            if not many.unrecorded:
                continue
            draft = self._drafts.refusal(
                Call("", kind.peer),
                kind.reason,
                method=kind.method,
                caller=many.caller,
                agreement_version=0,
                query=None,
                count=many.unrecorded,
            )
            if not self._ledger.note(draft):
                self._kinds[kind] = _Many(many.caller, SINGLE_MAX, many.unrecorded)

    async def run(self) -> None:
        """Sum up once per period, until cancelled."""
        while True:
            await asyncio.sleep(self._period_seconds)
            self.sum_up()

    def _many(self, call: Call, reason: Reason, method: str, caller: Caller | None) -> _Many:
        kind = (
            _Kind(caller.partner, "", reason, method)
            if caller is not None
            else _Kind("", call.peer, reason, method)
        )
        many = self._kinds.get(kind)
        if many is None:
            if len(self._kinds) >= KINDS_MAX:
                kind = _Kind("", "", reason, method)
                caller = None
            many = self._kinds.setdefault(kind, _Many(caller))
        return many
