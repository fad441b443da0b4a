"""What waits for the next commit: answers and control actions in order, and refusals beside them.

Refusals, faults and summaries never displace answers: they have room of their own, and at most a
quarter of a batch while answers wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from padan_server.domain.control import Action
from padan_server.domain.draft import Kind
from padan_server.link import Controlled
from padan_server.notary.intake import Item

BATCH_MAX = 1000
"""Drafts in one transaction: beyond it, a batch costs more latency than it saves."""

GATHERED = 64
"""Waiting answers for which a commit's own cost is small."""

ANSWERS_MAX = 20_000
"""Waiting answers: what is committed within about a second. More than that is overload."""

REFUSALS_MAX = 5_000
"""Waiting refusals, faults and summaries; workers count what is not taken."""

REFUSALS_SHARE = 4
"""While answers wait, refusals get one part in so many of a batch."""


class ControlItem(msgspec.Struct, frozen=True):
    """A control action in the queue, and where its outcome goes."""

    action: Action
    outcome: asyncio.Future[Controlled]


class Queue:
    """Bounded, in order of arrival, for one reader."""

    def __init__(self) -> None:
        self._answers: deque[Item | ControlItem] = deque()
        self._refusals: deque[Item] = deque()
        self._filled = asyncio.Event()
        self._closed = False
        self._nudged = False

    def put(self, items: Sequence[Item]) -> list[Item]:
        """Take drafts; give back those for which there is no room."""
        if self._closed:
            return list(items)
        declined, answer = [], Kind.ANSWER.value
        answers, refusals = self._answers, self._refusals
        for item in items:
            if item.draft.kind == answer:
                if len(answers) < ANSWERS_MAX:
                    answers.append(item)
                    continue
            elif len(refusals) < REFUSALS_MAX:
                refusals.append(item)
                continue
            declined.append(item)
        self._filled.set()
        return declined

    def put_control(self, item: ControlItem) -> bool:
        """Take a control action; False if there is no room."""
        if self._closed or len(self._answers) >= ANSWERS_MAX:
            return False
        self._answers.append(item)
        self._filled.set()
        return True

    def close(self) -> None:
        """Take nothing any more; what waits is still given out."""
        self._closed = True
        self._filled.set()

    def nudge(self) -> None:
        """Let the reader go on, if only with an empty batch."""
        self._nudged = True
        self._filled.set()

    async def gather(self, seconds: float) -> None:
        """Wait for more, unless it is enough for a good batch already, or nothing more comes."""
        if len(self._answers) < GATHERED and not self._closed:
            await asyncio.sleep(seconds)

    async def take(self) -> list[Item] | ControlItem | None:
        """Give the next batch, or the next control action; None once closed and empty."""
        while True:
            if self._nudged:  # before all that waits: under load something always does
                self._nudged = False
                return []
            if self._answers or self._refusals:
                break
            if self._closed:
                return None
            self._filled.clear()
            await self._filled.wait()
        answers = self._answers
        if answers and isinstance(first := answers[0], ControlItem):
            answers.popleft()
            return first
        share = BATCH_MAX // REFUSALS_SHARE if answers else BATCH_MAX
        refusals = self._refusals
        batch = [refusals.popleft() for _ in range(min(share, len(refusals)))]
        while answers and len(batch) < BATCH_MAX:
            item = answers[0]
            if isinstance(item, ControlItem):
                break
            batch.append(item)
            answers.popleft()
        return batch
