"""How many statements the replica runs for calls that no cache can answer."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.calls import Caller
from benchmarks.people import Question
from benchmarks.statements import Statements

CALLS = 1_000
"""Under way at once: what a worker admits."""

SECONDS_MAX = 30.0


async def count(caller: Caller, statements: Statements, questions: Sequence[Question]) -> int:
    """Ask 1,000 questions at once; give the statements on people that the replica ran for them."""
    assert len(questions) == CALLS
    before = statements.count()
    await caller.ask(questions, in_flight=CALLS, seconds=SECONDS_MAX)
    return statements.count() - before
