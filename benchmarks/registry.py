"""`python -m benchmarks.registry`: how fresh answers are, and what misses and records cost.

`make bench` runs it after the comparison with the echo; its figures join those in latest.json.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import (
    freshness,
    machine,
    memory,
    misses,
    people,
    registry_table,
    report,
    statements,
)
from benchmarks.calls import Caller, caller, token_of
from benchmarks.children import MeasurementError
from benchmarks.command import ending, out, progress, working_directory
from benchmarks.cores import Cores
from benchmarks.freshness import Freshness
from benchmarks.ledger import Ledger, require_recorded
from benchmarks.memory import Growth
from benchmarks.people import Question
from benchmarks.statements import Statements
from benchmarks.steady import Calls, Changes
from benchmarks.subject import Padan, installed, serving

CONNECTIONS = 4
SESSIONS = 4

FOLLOWERS = 2
"""Changes that are waited for at once: more would wait for each other's turn in one process."""

STEADY_PEOPLE = 5_000
"""People who are changed and asked about all the time meanwhile."""

MISSES_ROUNDS = 5

CHANGES_MAX = 500
"""A token holds for five minutes, and so does a connection: what goes on meanwhile has one."""

FIRST_PEOPLE, MORE_PEOPLE = 5_000, 40_000
"""People who are held before the worker's memory is looked at, and who come then."""

MEMORY_SETTINGS = {"PADAN_VALKEY_URL": "", "PADAN_CACHE_BYTES_MAX": str(1024**3)}
"""No second cache, and room for everyone: the worker alone decides what is read again."""


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.registry", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000, help="synthetic people")
    parser.add_argument("--changes", type=int, default=200, help="changes that are waited for")
    parser.add_argument(
        "--changes-per-second", type=float, default=500, help="of other people, meanwhile"
    )
    parser.add_argument(
        "--calls-per-second", type=float, default=500, help="about other people, meanwhile"
    )
    given = parser.parse_args()
    needed = STEADY_PEOPLE + 2 * given.changes + (1 + MISSES_ROUNDS) * (misses.CALLS + 1)
    if given.people < max(needed, FIRST_PEOPLE + MORE_PEOPLE + 1):
        parser.error(f"people from {max(needed, FIRST_PEOPLE + MORE_PEOPLE + 1)}")
    if (
        not 1 <= given.changes <= CHANGES_MAX
        or given.changes_per_second <= 0
        or given.calls_per_second <= 0
    ):
        parser.error(f"changes from 1 to {CHANGES_MAX}, rates above 0")
    return given


@dataclass(slots=True)
class Counted:
    """Answers that came, to be found in the ledger."""

    answered: int = 0
    billable: int = 0


class Bench:
    """One service that runs, and people to ask it about, none of them twice."""

    def __init__(self, measured: Padan, directory: Path, placed: Cores) -> None:
        self._padan = measured
        self._core = placed.worker
        self._statements = Statements(measured.replica_url)
        self._people_file = directory / "questions"
        self._questions = people.read_registry(measured.replica_url)
        people.write(self._people_file, self._questions)
        self._used = 0

    def take(self, count: int) -> Sequence[Question]:
        """Give the next people."""
        taken = self._questions[self._used : self._used + count]
        if len(taken) < count:
            raise MeasurementError("there are too few people")
        self._used += count
        return taken

    def freshness(self, given: argparse.Namespace) -> Freshness:
        """Measure how long changes take to reach callers."""
        first = self._used
        steady = self.take(STEADY_PEOPLE)
        asked = [one for one in self.take(2 * given.changes) if freshness.is_probe(one)]
        asked = asked[: given.changes]
        asyncio.run(self._require_kept(asked))
        subject, key = self._padan.subject, self._padan.key
        with self._recorded() as counted:
            measured = freshness.measure(
                [freshness.probe_of(question) for question in asked],
                target=subject.target,
                key=key,
                registry_url=self._padan.registry_url,
                followers=FOLLOWERS,
                calls=Calls(
                    target=subject.target,
                    certificate=None,
                    token=token_of(key),
                    people=str(self._people_file),
                    numbers=(first, first + STEADY_PEOPLE),
                    connections=CONNECTIONS,
                    per_second=given.calls_per_second,
                ),
                changes=Changes(
                    registry_url=self._padan.registry_url,
                    niks=[people.nik_of(question) for question in steady],
                    sessions=SESSIONS,
                    per_second=given.changes_per_second,
                ),
            )
            counted.answered, counted.billable = measured.answered, measured.billable
        return measured

    async def _require_kept(self, questions: Sequence[Question]) -> None:
        """Have the worker keep these people; require that it does."""
        async with self._caller() as connected:
            await memory.require_kept(connected, self._statements, questions)

    async def misses(self) -> tuple[list[int], list[int]]:
        """Count statements for calls about people not asked before: a thousand, and one."""
        many, one = [], []
        async with self._caller() as connected:
            await connected.ask(
                self.take(misses.CALLS), in_flight=misses.CALLS, seconds=misses.SECONDS_MAX
            )  # the worker's first calls take longer, and more statements
            for _ in range(MISSES_ROUNDS):
                some = self.take(misses.CALLS)
                many.append(await misses.count(connected, self._statements, some))
                some = [*self.take(1)] * misses.CALLS
                one.append(await misses.count(connected, self._statements, some))
        return many, one

    async def growth(self) -> Growth:
        """Measure what a record takes in the worker's memory."""
        async with self._caller() as connected:
            return await memory.measure(
                connected,
                self._padan.subject.worker,
                self._statements,
                first=self.take(FIRST_PEOPLE),
                more=self.take(MORE_PEOPLE),
            )

    @asynccontextmanager
    async def _caller(self) -> AsyncIterator[Caller]:
        """Connect; at the end require right answers and their entries."""
        subject, key = self._padan.subject, self._padan.key
        with self._recorded() as counted:
            async with caller(
                subject.target, certificate=None, token=token_of(key), connections=CONNECTIONS
            ) as connected:
                yield connected
            tally = connected.tally
            if tally.faults:
                raise MeasurementError("; ".join(tally.told_faults))
            counted.answered, counted.billable = tally.answered, tally.billable

    @contextmanager
    def _recorded(self) -> Iterator[Counted]:
        """Require that the ledger holds what was answered meanwhile, and that the worker stayed."""
        before = self._padan.ledger.counts()
        counted = Counted()
        yield counted
        after = self._padan.ledger.counts()
        require_recorded(before, after, answered=counted.answered, billable=counted.billable)
        self._padan.require_steady(self._core)


def main() -> None:
    """Run the benchmark; an error of a known kind is one line and exit code 1."""
    given = options()
    with ending(), working_directory("registry") as directory:
        placed = Cores.of_machine()
        os.sched_setaffinity(0, placed.rest)
        with installed(
            directory,
            people=given.people,
            tell=progress.print,
            postgres_settings=statements.SETTINGS,
        ) as installation:
            durable = Ledger(installation.servers.ledger_url).required_settings()
            statements.install(installation.servers.registry_url)
            with serving(installation, placed=placed) as measured:
                bench = Bench(measured, directory, placed)
                progress.print("counting statements of misses")
                many, one = asyncio.run(bench.misses())
                progress.print(f"waiting for {given.changes} changes to be seen")
                fresh = bench.freshness(given)
            with serving(installation, placed=placed, settings=MEMORY_SETTINGS) as measured:
                progress.print("filling the worker's memory")
                growth = asyncio.run(Bench(measured, directory, placed).growth())
            figures = registry_table.Figures(fresh, many, one, growth)
            described = machine.describe(directory) | installation.servers.versions | durable
    registry_table.show(out, figures, people=given.people, cores=placed.told())
    settings = {
        **described,
        "people": given.people,
        "changes": given.changes,
        "changes_per_second": round(fresh.changes_per_second),
        "calls_per_second": round(fresh.calls_per_second),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    report.join({**figures.latest(), "registry": settings})
    out.print(f"written to {report.LATEST}", soft_wrap=True)


if __name__ == "__main__":
    main()
