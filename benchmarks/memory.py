"""What a record in a worker's memory cache takes, from the outside: the growth of the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calls import Caller
from benchmarks.children import MeasurementError
from benchmarks.people import Question
from benchmarks.statements import Statements

IN_FLIGHT = 256
SECONDS_MAX = 120.0

WARM_UP_ROUNDS, IDLE_ROUNDS = 8, 4
"""Rounds over the first people before more come: what calls take once is taken in the former, and
what the worker grows by in the latter is not for records."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes by which a worker grew while so many records came into its cache.

    `idle_bytes_per_call` is by how much it grew with calls that brought none, just before.
    """

    records: int
    bytes: int
    idle_bytes_per_call: float

    @property
    def bytes_per_record(self) -> float:
        """What one record takes."""
        return self.bytes / self.records


async def measure(
    caller: Caller,
    worker: int,
    statements: Statements,
    *,
    first: Sequence[Question],
    more: Sequence[Question],
) -> Growth:
    """Have a worker keep the first people, then more, and see it grow.

    Between its cache and the replica there must be no other cache. Raises MeasurementError if it
    does not keep all of them.
    """

    async def ask(questions: Sequence[Question]) -> int:
        before = proportional_bytes(worker)
        await caller.ask(questions, in_flight=IN_FLIGHT, seconds=SECONDS_MAX)
        return proportional_bytes(worker) - before

    for _ in range(WARM_UP_ROUNDS):
        await ask(first)
    idle = [await ask(first) for _ in range(IDLE_ROUNDS)]
    grown = await ask(more)
    await require_kept(caller, statements, [*first, *more])
    return Growth(
        records=len(more), bytes=grown, idle_bytes_per_call=sum(idle) / len(idle) / len(first)
    )


async def require_kept(
    caller: Caller, statements: Statements, questions: Sequence[Question]
) -> None:
    """Ask twice. Raises MeasurementError if the replica is asked for any of it the second time."""
    await caller.ask(questions, in_flight=IN_FLIGHT, seconds=SECONDS_MAX)
    before = statements.count()
    await caller.ask(questions, in_flight=IN_FLIGHT, seconds=SECONDS_MAX)
    if statements.count() != before:
        raise MeasurementError("the worker does not keep all records in its memory")


def proportional_bytes(pid: int) -> int:
    """Give a process's memory; what it shares with others counts in parts (PSS)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * 1024
    raise MeasurementError("this kernel does not tell a process's memory")
