"""Bursts: who starts at once, and who starts together."""

from __future__ import annotations

import asyncio

from padan_server.operations.bursts import BURST_MAX, Bursts


def begin(bursts: Bursts, started: list[int], count: int) -> list[asyncio.Task[None]]:
    """Begin calls that note their number when they start."""

    async def call(number: int) -> None:
        await bursts.join(alone=False)
        started.append(number)

    return [asyncio.create_task(call(number)) for number in range(count)]


async def test_call_that_is_alone_starts_at_once() -> None:
    alone = Bursts().join(alone=True)
    try:
        alone.send(None)
    except StopIteration:
        return
    raise AssertionError("it waited")


async def test_calls_beside_others_start_together_in_the_order_in_which_they_came() -> None:
    started: list[int] = []
    calls = begin(Bursts(), started, 3)
    await asyncio.sleep(0)
    assert started == []
    await asyncio.gather(*calls)
    assert started == [0, 1, 2]


async def test_full_burst_starts_without_waiting() -> None:
    started: list[int] = []
    calls = begin(Bursts(), started, BURST_MAX + 1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert sorted(started) == list(range(BURST_MAX))
    await asyncio.gather(*calls)
    assert len(started) == BURST_MAX + 1


async def test_call_that_is_given_up_holds_no_other_back() -> None:
    started: list[int] = []
    calls = begin(Bursts(), started, 3)
    await asyncio.sleep(0)
    calls[1].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert started == [0, 2]


async def test_alone_call_waits_with_those_that_wait_already() -> None:
    bursts = Bursts()
    started: list[int] = []
    calls = begin(bursts, started, 1)
    await asyncio.sleep(0)
    await bursts.join(alone=True)
    await asyncio.gather(*calls)
    assert started == [0]
