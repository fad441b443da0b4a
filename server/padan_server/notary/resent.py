"""Verdicts on drafts that were recorded before: read from their entries, never recorded again."""

from __future__ import annotations

from datetime import datetime

from padan_server.domain import entry
from padan_server.domain.draft import Draft, Kind, Standing, Verdict
from padan_server.domain.ledger import microseconds
from padan_server.domain.refusal import Reason
from padan_server.domain.window import Windows
from padan_server.notary.intake import Item
from padan_server.notary.state import State
from padan_server.notary.verdicts import verdict


def verdict_again(state: State, item: Item, recorded: bytes, *, now: int) -> Verdict:
    """Give the verdict on a draft whose entry is given; budgets left are the present ones.

    A replay's first answer is taken from the memory of bound request ids. The window of a spent
    budget does not stand in the entry: it is the one that is spent now.
    """
    draft, written = item.draft, entry.parse(recorded)
    windows = state.windows(now)
    left = _left(state, draft, windows)
    index = written["index"]
    time = microseconds(datetime.fromisoformat(written["time"]))
    kind = written["kind"]
    if kind == draft.kind:
        return verdict(
            draft.draft_id,
            Standing.RECORDED,
            index=index,
            time=time,
            charged="charge" in written,
            left=left,
        )
    if kind == Kind.REPLAY:
        first = state.bound.get(item.request) if item.request is not None else None
        return verdict(
            draft.draft_id,
            Standing.REPLAYED,
            index=written["replay_of"],
            time=time if first is None else first.time,
            sealed_answer=b"" if first is None else first.sealed_answer,
        )
    window, ends = "", 0.0
    if written["reason"] == Reason.BUDGET_SPENT:
        spent_for_the_month = left[1] == 0
        window = "month" if spent_for_the_month else "day"
        ends = windows.month_ends if spent_for_the_month else windows.day_ends
    return verdict(
        draft.draft_id,
        Standing.REFUSED,
        index=index,
        time=time,
        reason=written["reason"],
        window=window,
        retry_after_seconds=max(0.0, ends - now / 1_000_000),
    )


def _left(state: State, draft: Draft, windows: Windows) -> tuple[int, int]:
    partner = state.partners.get(draft.partner)
    if draft.kind != Kind.ANSWER or partner is None or partner.agreement is None:
        return -1, -1
    return state.left(partner.agreement, draft.partner, windows)
