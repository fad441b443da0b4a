"""SIGKILL of workers and of the notary, at random moments, under load.

Afterwards: every answered call has exactly one charged entry, no request_id was charged twice, no
budget was exceeded, and the log checks. PADAN_CHAOS_SECONDS sets how long; the seed is printed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from padan_client import AsyncClient, BudgetSpent, PadanError, PartnerKey
from padan_server.embedded.documented import documented_people
from tests.support.padan import Padan, padan

SECONDS = float(os.environ.get("PADAN_CHAOS_SECONDS", "15"))
SEED = int(os.environ.get("PADAN_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
CALLERS = 12
BUDGET = 1500
"""Budget of the second partner: small enough to be spent on the way."""

NIKS = [person.nik for person in documented_people()]


@pytest.mark.timeout(SECONDS + 240)
def test_kills_lose_nothing_and_charge_nothing_twice(tmp_path: Path) -> None:
    print(f"PADAN_CHAOS_SEED={SEED}")
    with padan(tmp_path / "padan") as started:
        partners = [
            started.partner("bank-free"),
            started.partner("bank-tight", budget_day=BUDGET),
        ]
        kills, answered = asyncio.run(_break(started, partners))
        print(f"{sum(kills.values())} kills {dict(kills)}, {len(answered)} answers")
        assert kills["notary"] > 0
        assert kills["worker"] > 0
        _check(started, answered)


async def _break(
    started: Padan, partners: list[PartnerKey]
) -> tuple[Counter[str], list[tuple[str, int]]]:
    """Have callers call while processes are killed; gives the kills and all answers."""
    stop = asyncio.Event()
    callers = [
        asyncio.create_task(_call(started, credentials, stop, random.Random(SEED + n)))
        for n, credentials in enumerate(partners * (CALLERS // len(partners)))
    ]
    kills = await _kill(started, random.Random(SEED))
    stop.set()
    return kills, [answer for answers in await asyncio.gather(*callers) for answer in answers]


async def _call(
    started: Padan, credentials: PartnerKey, stop: asyncio.Event, choice: random.Random
) -> list[tuple[str, int]]:
    """Call until told to stop; each request is repeated until it is answered or refused."""
    answered = []
    async with AsyncClient(
        target=started.serving.target, credentials=credentials, insecure=True, timeout_seconds=5
    ) as client:
        while not stop.is_set():
            request_id = client.new_request_id()
            nik = choice.choice(NIKS)
            give_up = time.monotonic() + 60
            while True:
                try:
                    answer = await client.verify(
                        nik, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING", request_id=request_id
                    )
                except BudgetSpent:
                    await asyncio.sleep(0.05)
                    break
                except PadanError:
                    if time.monotonic() > give_up:
                        raise
                    await asyncio.sleep(choice.uniform(0, 0.2))
                else:
                    if answer.entry is not None and answer.outcome != "NOT_YET_REPLICATED":
                        answered.append((request_id, answer.entry.index))
                    break
    return answered


async def _kill(started: Padan, choice: random.Random) -> Counter[str]:
    """Kill a process of the service now and then."""
    kills: Counter[str] = Counter()
    ends = time.monotonic() + SECONDS
    supervisor = psutil.Process(started.serving.process.pid)
    while time.monotonic() < ends:
        await asyncio.sleep(choice.uniform(0.2, 1.2))
        kind = choice.choice(("notary", "worker"))
        found = [child for child in supervisor.children() if kind in child.cmdline()]
        if found:
            choice.choice(found).send_signal(signal.SIGKILL)
            kills[kind] += 1
    return kills


def _check(started: Padan, answered: list[tuple[str, int]]) -> None:
    entries = started.entries()
    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    answers = [entry for entry in entries if entry["kind"] == "ANSWER"]
    charged = [entry for entry in answers if "charge" in entry]
    by_id = Counter(entry["ask"]["request_id"] for entry in charged)
    assert max(by_id.values()) == 1, "a request_id was charged twice"
    index_of = {entry["ask"]["request_id"]: entry["index"] for entry in charged}
    uncharged = {e["ask"]["request_id"] for e in answers if "charge" not in e}
    for request_id, index in answered:
        if request_id not in uncharged:
            assert index_of[request_id] == index
    tight = sum(entry["partner"] == "bank-tight" for entry in charged)
    assert tight <= BUDGET
    started.check()
