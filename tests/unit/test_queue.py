"""The notary's queue: order, shares, bounds."""

from __future__ import annotations

import asyncio

from padan_server.domain.control import Suspend
from padan_server.notary import queue as limits
from padan_server.notary.intake import Item
from padan_server.notary.queue import ControlItem, Queue
from tests.support.ledger import answer, items, refusal


def control() -> ControlItem:
    return ControlItem(Suspend(partner="bank"), asyncio.get_running_loop().create_future())


async def batch_of(queue: Queue) -> list[Item]:
    taken = await queue.take()
    assert isinstance(taken, list)
    return taken


async def test_control_action_stands_between_what_came_before_and_after() -> None:
    queue = Queue()
    before, after = items([answer(), answer()]), items([answer()])
    action = control()
    queue.put(before)
    queue.put_control(action)
    queue.put(after)

    assert await queue.take() == before
    assert await queue.take() is action
    assert await queue.take() == after


async def test_refusals_get_a_quarter_of_a_batch_while_answers_wait() -> None:
    queue = Queue()
    queue.put(items([refusal()] * 2000))
    queue.put(items([answer()] * 800))

    first, second, third = [await batch_of(queue) for _ in range(3)]

    assert [item.draft.kind for item in first].count("REFUSAL") == 250
    assert len(first) == limits.BATCH_MAX
    assert [item.draft.kind for item in second].count("ANSWER") == 50
    assert len(third) == limits.BATCH_MAX


async def test_full_queue_of_refusals_displaces_no_answer() -> None:
    queue = Queue()
    refusals = items([refusal()]) * (limits.REFUSALS_MAX + 3)
    answers = items([answer()]) * (limits.ANSWERS_MAX + 2)

    assert len(queue.put(refusals)) == 3
    assert len(queue.put(answers)) == 2
    assert not queue.put_control(control())


async def test_closed_queue_takes_nothing_and_gives_out_what_waits() -> None:
    queue = Queue()
    waiting, late = items([answer()]), items([answer()])
    queue.put(waiting)
    queue.close()

    assert queue.put(late) == late
    assert await queue.take() == waiting
    assert await queue.take() is None


async def test_nudge_wakes_the_reader_with_nothing() -> None:
    queue = Queue()
    reading = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.nudge()

    assert await reading == []


async def test_nudge_comes_before_what_waits() -> None:
    queue = Queue()
    waiting = items([answer()])
    queue.put(waiting)
    queue.nudge()

    assert await queue.take() == []
    assert await queue.take() == waiting
