"""Commits batches: build, append, take in, sign. One at a time, in order.

Whatever goes wrong beyond what is named here ends the notary: its memory might then differ from
the database, and a start reads everything anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from padan_server.domain.control import Action, ControlRefused
from padan_server.domain.draft import Kind, Verdict
from padan_server.domain.ledger import AlreadyRecorded, LedgerError, Write
from padan_server.domain.refusal import Reason
from padan_server.link import Controlled, Policy
from padan_server.notary.batch import Built, build
from padan_server.notary.control import build_control
from padan_server.notary.head import SignedHead
from padan_server.notary.intake import Item
from padan_server.notary.ports import Anchor, Entropy, Monotonic, NotaryKeys, Store
from padan_server.notary.resent import verdict_again
from padan_server.notary.state import State

_log = structlog.get_logger(__name__)


class Committer:
    """The end of the log: its memory, its head, and the one way to extend it."""

    def __init__(
        self,
        state: State,
        head: SignedHead,
        *,
        clock: int,
        store: Store,
        keys: NotaryKeys,
        entropy: Entropy,
        monotonic: Monotonic,
    ) -> None:
        self._state = state
        self._head = head
        self._store = store
        self._keys = keys
        self._entropy = entropy
        self._monotonic = monotonic
        self._read_clock(clock)

    @classmethod
    async def take_over(
        cls,
        *,
        log: str,
        store: Store,
        anchor: Anchor,
        keys: NotaryKeys,
        entropy: Entropy,
        monotonic: Monotonic,
    ) -> Committer:
        """Become the log's notary: fence off any other, and check the log against the anchor.

        Raises LedgerError.
        """
        tail = await store.take_over()
        if tail.log.name != log:
            raise LedgerError(f"the database holds the log {tail.log.name!r}, not {log!r}")
        head = await SignedHead.open(tail, store=store, anchor=anchor, keys=keys)
        await store.keep_partitions(max(tail.clock, tail.time))
        _log.info("took_over", epoch=tail.log.epoch, size=tail.frontier.size)
        return cls(
            State(tail),
            head,
            clock=tail.clock,
            store=store,
            keys=keys,
            entropy=entropy,
            monotonic=monotonic,
        )

    def policy(self, known: int) -> Policy:
        """Give the partners that changed after a version of the policy."""
        state = self._state
        return Policy(state.policy_version, state.changed_since(known), state.log)

    async def commit(self, items: Sequence[Item]) -> dict[bytes, Verdict]:
        """Record drafts; give the verdict on each by its id, committed and signed."""
        resent = [item for item in items if item.resent]
        verdicts = await self._recorded(resent) if resent else {}
        try:
            built = await self._append(items, verdicts)
        except AlreadyRecorded:
            # A request_id bound before our memory reaches, or a draft that came twice.
            await self._recall(items)
            verdicts |= await self._recorded(items)
            built = await self._append(items, verdicts)
        if built is not None:
            verdicts |= built.verdicts
        return verdicts

    async def control(self, action: Action) -> Controlled:
        """Apply and record an action."""
        try:
            write, partner, index = build_control(
                self._state, action, time=self._now(), keys=self._keys, entropy=self._entropy
            )
        except ControlRefused as refused:
            return Controlled(-1, None, str(refused))
        await self._commit(write, {})
        return Controlled(index, partner, "")

    async def keep_house(self) -> None:
        """Do what is due each hour: partitions ahead, windows that are over forgotten."""
        now = self._now()
        await self._store.keep_partitions(now)
        self._state.forget_windows(now)

    def _build(self, items: Sequence[Item], known: dict[bytes, Verdict]) -> Built:
        fresh = [item for item in items if item.draft.draft_id not in known] if known else items
        return build(self._state, fresh, time=self._now(), keys=self._keys, entropy=self._entropy)

    async def _append(self, items: Sequence[Item], known: dict[bytes, Verdict]) -> Built | None:
        built = self._build(items, known)
        doubtful = [item for item in items if self._is_doubtful(item, built)]
        if doubtful and await self._recall(doubtful):
            built = self._build(items, known)
        if not built.write.entries:
            return None
        await self._commit(built.write, built.attempts)
        return built

    def _is_doubtful(self, item: Item, built: Built) -> bool:
        """Whether a draft may be a retry that memory does not know and no index will tell of.

        A request_id that was bound before memory begins is found when its draft binds it again. One
        that is refused for its budget, or does not bind, must be looked for.
        """
        if (
            item.request is None
            or item.draft.kind != Kind.ANSWER
            or self._state.bound.get(item.request) is not None
        ):
            return False
        given = built.verdicts.get(item.draft.draft_id)
        return given is not None and (
            given.reason == Reason.BUDGET_SPENT or not item.draft.sealed_answer
        )

    async def _recall(self, items: Sequence[Item]) -> bool:
        """Look for the request ids of drafts; tells whether any is bound."""
        requests = [item.request for item in items if item.request is not None]
        found = await self._store.bound(requests)
        self._state.recall(found)
        return bool(found)

    async def _commit(self, write: Write, attempts: dict[tuple[str, str], int]) -> None:
        self._read_clock(await self._store.append(write))
        self._state.apply(write, attempts)
        self._head.advance(write)

    async def _recorded(self, items: Sequence[Item]) -> dict[bytes, Verdict]:
        """Find the drafts that are recorded, and give their verdicts again."""
        entries = await self._store.recorded([item.draft.draft_id for item in items])
        if not entries:
            return {}
        found = [item for item in items if item.draft.draft_id in entries]
        self._state.recall(
            await self._store.bound([item.request for item in found if item.request is not None])
        )
        now = self._now()
        return {
            item.draft.draft_id: verdict_again(
                self._state, item, entries[item.draft.draft_id], now=now
            )
            for item in found
        }

    def _read_clock(self, clock: int) -> None:
        self._clock = clock
        self._clock_read = self._monotonic()

    def _now(self) -> int:
        """Give the time of the next entry: the database's clock, never before the last entry."""
        passed = int((self._monotonic() - self._clock_read) * 1_000_000)
        return max(self._state.time, self._clock + passed)
