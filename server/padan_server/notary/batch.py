"""A batch: drafts in order of arrival, each judged at its place in the log, made into entries.

Pure: nothing changes but the batch. Each draft sees what the drafts before it in the batch did; the
memory takes the batch in once it is committed.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from padan_server.domain.agreement import SERVICE_PARTNER, Agreement, check_standing
from padan_server.domain.draft import Draft, Kind, Standing, Verdict
from padan_server.domain.ledger import BoundRow, Charged, Write
from padan_server.domain.refusal import FAULTS, BudgetSpent, Reason, Refusal
from padan_server.domain.request_id import check_time
from padan_server.notary.entries import Entries
from padan_server.notary.intake import Item
from padan_server.notary.ports import Entropy, SubjectKeys
from padan_server.notary.state import State
from padan_server.notary.verdicts import left, verdict

# Plain text: an enum's members are slow to get at and to write, and this runs for each draft.
_ANSWER = Kind.ANSWER.value
_REPLAY = Kind.REPLAY.value
_REFUSED_KINDS = frozenset({Kind.REFUSAL.value, Kind.FAULT.value})
_RECORDED = Standing.RECORDED.value
_REPLAYED = Standing.REPLAYED.value
_REFUSED = Standing.REFUSED.value


class Built(msgspec.Struct, frozen=True):
    """What a batch writes, and the verdict on each draft by its id."""

    write: Write
    attempts: dict[tuple[str, str], int]
    verdicts: dict[bytes, Verdict]


class _Account:
    """A partner's use of the present windows, this batch included."""

    __slots__ = ("added", "day", "month")

    def __init__(self, day: int, month: int) -> None:
        self.day = day
        self.month = month
        self.added = 0


def build(
    state: State, items: Iterable[Item], *, time: int, keys: SubjectKeys, entropy: Entropy
) -> Built:
    """Build a batch. A draft_id that stands in it twice is recorded once."""
    batch = _Batch(state, time=time, keys=keys, entropy=entropy)
    for item in items:
        batch.add(item)
    return batch.built()


class _Batch:
    def __init__(self, state: State, *, time: int, keys: SubjectKeys, entropy: Entropy) -> None:
        self._state = state
        self._time = time
        self._seconds = time / 1_000_000
        self._windows = state.windows(time)
        self._charged_windows = (self._windows.day, self._windows.month)
        self._entries = Entries(state, time=time, keys=keys, entropy=entropy)
        self._agreements: dict[tuple[str, str], Agreement] = {}
        self._accounts: dict[str, _Account] = {}
        self._bound: dict[tuple[str, str], BoundRow] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self._verdicts: dict[bytes, Verdict] = {}

    def add(self, item: Item) -> None:
        draft = item.draft
        if draft.draft_id in self._verdicts:
            return
        if draft.kind == _ANSWER:
            try:
                given = self._answer(item)
            except Refusal as refusal:
                given = self._refuse(item, refusal)
        else:
            index = self._put(item, kind=draft.kind, reason=draft.reason)
            given = verdict(draft.draft_id, _RECORDED, index=index, time=self._time)
        self._verdicts[draft.draft_id] = given

    def built(self) -> Built:
        charged = [
            Charged(partner, window, account.added, used)
            for partner, account in self._accounts.items()
            if account.added
            for window, used in zip(
                self._charged_windows, (account.day, account.month), strict=True
            )
        ]
        write = self._entries.write(bound=list(self._bound.values()), charged=charged)
        return Built(write, self._attempts, self._verdicts)

    def _answer(self, item: Item) -> Verdict:
        """Judge an answer: standing, then request_id, then budget. Raises Refusal."""
        draft = item.draft
        agreement = self._standing(draft)
        if item.request is not None:
            first = self._first_answer(item.request, draft)
            if first is not None:
                return self._replay(item, first)
        account = self._account(draft.partner)
        charge = None
        if draft.billable:
            self._charge(account, agreement)
            charge = (agreement.price_rupiah, self._charged_windows)
        index = self._put(item, kind=_ANSWER, charge=charge, answered=True)
        if item.request is not None and draft.sealed_answer:
            self._bound[item.request] = BoundRow(
                *item.request, draft.content_mac, index, self._time, draft.sealed_answer
            )
        return verdict(
            draft.draft_id,
            _RECORDED,
            index=index,
            time=self._time,
            charged=draft.billable,
            left=left((agreement.budget_day, agreement.budget_month), (account.day, account.month)),
        )

    def _standing(self, draft: Draft) -> Agreement:
        """Check partner, key and agreement as they stand here in the log."""
        caller = (draft.partner, draft.key_id)
        agreement = self._agreements.get(caller)
        if agreement is None:
            partner = self._state.partners.get(draft.partner)
            agreement = check_standing(partner, draft.key_id, self._windows.today)
            self._agreements[caller] = agreement
        if draft.agreement_version != agreement.version:
            raise Refusal(
                Reason.POLICY_UNAVAILABLE,
                "the call was judged by an agreement that has changed",
                retry_after_seconds=0.5,
            )
        return agreement

    def _first_answer(self, request: tuple[str, str], draft: Draft) -> BoundRow | None:
        """Find the answer that bound this request_id. Raises Refusal if it is not the same call."""
        check_time(draft.request_id, self._seconds)
        first = self._bound.get(request) or self._state.bound.get(request)
        if first is not None and first.content_mac != draft.content_mac:
            raise Refusal(Reason.REQUEST_ID_REUSED, "the request_id is bound to another request")
        return first

    def _replay(self, item: Item, first: BoundRow) -> Verdict:
        self._put(item, kind=_REPLAY, replay_of=first.index)
        return verdict(
            item.draft.draft_id,
            _REPLAYED,
            index=first.index,
            time=first.time,
            sealed_answer=first.sealed_answer,
        )

    def _account(self, partner: str) -> _Account:
        account = self._accounts.get(partner)
        if account is None:
            used = self._state.used
            account = self._accounts[partner] = _Account(
                used.get((partner, self._windows.day), 0),
                used.get((partner, self._windows.month), 0),
            )
        return account

    def _charge(self, account: _Account, agreement: Agreement) -> None:
        """Charge one to both windows, or to none. The window that ends last is named first."""
        day, month = agreement.budget_day, agreement.budget_month
        if month is not None and account.month >= month:
            raise BudgetSpent("month", retry_after_seconds=self._windows.month_ends - self._seconds)
        if day is not None and account.day >= day:
            raise BudgetSpent("day", retry_after_seconds=self._windows.day_ends - self._seconds)
        account.day += 1
        account.month += 1
        account.added += 1

    def _refuse(self, item: Item, refusal: Refusal) -> Verdict:
        kind = Kind.FAULT if refusal.reason in FAULTS else Kind.REFUSAL
        index = self._put(item, kind=kind.value, reason=refusal.reason.value)
        return verdict(
            item.draft.draft_id,
            _REFUSED,
            index=index,
            time=self._time,
            reason=refusal.reason,
            window=refusal.window if isinstance(refusal, BudgetSpent) else "",
            retry_after_seconds=refusal.retry_after_seconds or 0.0,
        )

    def _put(
        self,
        item: Item,
        *,
        kind: str,
        reason: str = "",
        charge: tuple[int, tuple[str, ...]] | None = None,
        replay_of: int = -1,
        answered: bool = False,
    ) -> int:
        """Put the entry, under the service's own name where the partner is not known."""
        partner, attempt = item.draft.partner, 0
        if item.request is not None:
            failed = self._attempts.get(item.request)
            if failed is None:
                failed = self._state.attempts.get(item.request) or 0
            attempt = failed + 1
            if kind in _REFUSED_KINDS:
                self._attempts[item.request] = attempt
        return self._entries.add(
            item,
            kind=kind,
            partner=partner if partner in self._state.partners else SERVICE_PARTNER,
            reason=reason,
            attempt=attempt,
            charge=charge,
            replay_of=replay_of,
            answered=answered,
        )
