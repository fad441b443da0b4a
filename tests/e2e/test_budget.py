"""Budgets under concurrency."""

from __future__ import annotations

import asyncio

from padan_client import AsyncClient, BudgetSpent
from tests.support.padan import Padan

NIK = "3171015203909001"
CALLERS = 64


async def test_64_callers_get_exactly_the_smaller_budget(running: Padan) -> None:
    credentials = running.partner("bank-many", budget_day=1000, budget_month=900)
    answered = 0
    windows = set()

    async def call_until_spent(client: AsyncClient) -> None:
        nonlocal answered
        for _ in range(1000):
            try:
                answer = await client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING")
            except BudgetSpent as spent:
                windows.add(spent.window)
                return
            assert answer.billable
            answered += 1

    async with AsyncClient(
        target=running.serving.target,
        credentials=credentials,
        insecure=True,
        channels=8,
        timeout_seconds=20,
    ) as client:
        await asyncio.gather(*(call_until_spent(client) for _ in range(CALLERS)))
    assert answered == 900
    assert windows == {"month"}
    entries = running.entries("bank-many")
    assert sum("charge" in entry for entry in entries) == 900
