"""`make bench-scale`: calls about people of registries of several sizes, cold and warm.

Each size has servers and a worker of its own. All run at once, and are called in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.table import Table

from benchmarks import machine, people, report
from benchmarks.calls import caller, token_of
from benchmarks.children import MeasurementError
from benchmarks.command import ending, out, progress, working_directory
from benchmarks.cores import Cores
from benchmarks.ledger import require_recorded
from benchmarks.people import Question
from benchmarks.subject import Padan, padan
from padan_server.embedded.population import PEOPLE_MAX

SIZES = (100_000, 1_000_000, 10_000_000)

SMALLEST, LARGEST = SIZES[0], SIZES[-1]
"""Between these two the goal is."""

CONNECTIONS = 4
IN_FLIGHT = 256
CALLS_SECONDS_MAX = 120.0
WARM_UP_CALLS = 2_000

BYTES_PER_PERSON = 1_900
"""Of primary and standby, with their write-ahead logs while they fill; measured at a million."""
BYTES_BESIDES = 512 * 1024**2
"""Of each size: empty clusters, logs, the ledger."""

GOAL_RATIO = 1.2

KINDS = ("cold", "warm")


@dataclass(frozen=True, slots=True)
class Row:
    """One size's calls in one round, cold or warm."""

    per_second: float
    p50_ms: float


Rows = Mapping[str, Sequence[Row]]
"""The rows of a size over all rounds, by KINDS."""


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument(
        "--people",
        type=lambda text: tuple(int(size) for size in text.split(",")),
        default=SIZES,
        help="the sizes, by commas",
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=5_000, help="of each row in each round")
    given = parser.parse_args()
    if given.rounds < 1 or given.calls < 1:
        parser.error("rounds and calls from 1")
    if len(set(given.people)) != len(given.people) or max(given.people) > PEOPLE_MAX:
        parser.error(f"each size once, at most {PEOPLE_MAX}")
    if min(given.people) < 2 * _needed(given):
        parser.error(f"people from {2 * _needed(given)}, for so many rounds and calls")
    return given


def _needed(given: argparse.Namespace) -> int:
    return int(WARM_UP_CALLS + given.rounds * given.calls)


def require_space(directory: Path, sizes: Sequence[int]) -> None:
    """Raise MeasurementError unless the disk has room for populations of these sizes."""
    needed = sum(size * BYTES_PER_PERSON + BYTES_BESIDES for size in sizes)
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise MeasurementError(
            f"{needed / 1e9:.0f} GB are needed in {directory}, and {free / 1e9:.0f} GB are free"
        )


class Sized:
    """A service over so many people, and those of them whom nobody has asked about."""

    def __init__(self, measured: Padan, placed: Cores, *, size: int, needed: int) -> None:
        self.size = size
        self._padan = measured
        self._core = placed.worker
        self._cold = people.read_sample(measured.replica_url, count=needed, people=size)
        if len(self._cold) < needed:
            raise MeasurementError("the sample of people is too small")

    async def rows(self, calls: int) -> tuple[Row, Row]:
        """Ask about people for the first time, then about the same ones again."""
        asked, self._cold = self._cold[:calls], self._cold[calls:]
        return await self._ask(asked), await self._ask(asked)

    async def _ask(self, questions: Sequence[Question]) -> Row:
        """Ask all once; require right answers and their entries."""
        subject, ledger = self._padan.subject, self._padan.ledger
        before = ledger.counts()
        async with caller(
            subject.target,
            certificate=None,
            token=token_of(self._padan.key),
            connections=CONNECTIONS,
        ) as connected:
            timing = await connected.ask(questions, in_flight=IN_FLIGHT, seconds=CALLS_SECONDS_MAX)
        tally = connected.tally
        if tally.faults:
            raise MeasurementError("; ".join(tally.told_faults))
        require_recorded(before, ledger.counts(), answered=tally.answered, billable=tally.billable)
        self._padan.require_steady(self._core)
        return Row(timing.calls / timing.seconds, timing.p50_ms)


def ratio(large: Sequence[Row], small: Sequence[Row]) -> float:
    """Give the time per call of one size by another's: the median of the rounds' ratios."""
    return statistics.median(
        of_small.per_second / of_large.per_second
        for of_large, of_small in zip(large, small, strict=True)
    )


def latest(measured: Mapping[int, Rows]) -> dict[str, float]:
    """Give what latest.json holds: rates and p50 by size, and ratios if the goal's sizes are there.

    `scale_10m_over_100k_ratio` is the greater one, of cold and warm calls.
    """
    figures: dict[str, float] = {}
    for size, rows in measured.items():
        for kind, row in rows.items():
            figures[f"scale_{size}_{kind}_per_second"] = round(_per_second(row))
            figures[f"scale_{size}_{kind}_p50_ms"] = round(_p50_ms(row), 2)
    if {SMALLEST, LARGEST} <= measured.keys():
        large, small = measured[LARGEST], measured[SMALLEST]
        ratios = {kind: round(ratio(large[kind], small[kind]), 3) for kind in large}
        figures |= {f"scale_10m_over_100k_{kind}_ratio": value for kind, value in ratios.items()}
        figures["scale_10m_over_100k_ratio"] = max(ratios.values())
    return figures


def _per_second(rows: Sequence[Row]) -> float:
    return statistics.median(row.per_second for row in rows)


def _p50_ms(rows: Sequence[Row]) -> float:
    return statistics.median(row.p50_ms for row in rows)


def main() -> None:
    """Run the benchmark; an error of a known kind is one line and exit code 1."""
    given = options()
    with ending(), working_directory("scale") as directory, ExitStack() as stack:
        placed = Cores.of_machine()
        os.sched_setaffinity(0, placed.rest)
        require_space(directory, [size for size in given.people if not _filled(directory, size)])
        sizes = [
            Sized(
                stack.enter_context(
                    padan(
                        _part(directory, size),
                        people=size,
                        use_tls=False,
                        placed=placed,
                        tell=progress.print,
                    )
                ),
                placed,
                size=size,
                needed=_needed(given),
            )
            for size in sorted(given.people)
        ]
        measured = asyncio.run(_rounds(sizes, rounds=given.rounds, calls=given.calls))
        described = machine.describe(directory)
    _show(measured, given, cores=placed.told())
    settings = {
        **described,
        "people": sorted(given.people),
        "rounds": given.rounds,
        "calls": given.calls,
        "in_flight": IN_FLIGHT,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    report.join({**latest(measured), "scale": settings})
    out.print(f"written to {report.LATEST}", soft_wrap=True)


async def _rounds(sizes: Sequence[Sized], *, rounds: int, calls: int) -> dict[int, Rows]:
    """Call all sizes in every round, each time in another order, so that drifts meet all alike."""
    measured: dict[int, dict[str, list[Row]]] = {
        each.size: {kind: [] for kind in KINDS} for each in sizes
    }
    for each in sizes:
        await each.rows(WARM_UP_CALLS)
    for number in range(rounds):
        turn = number % len(sizes)
        for each in [*sizes[turn:], *sizes[:turn]]:
            cold, warm = await each.rows(calls)
            for kind, row in zip(KINDS, (cold, warm), strict=True):
                measured[each.size][kind].append(row)
            progress.print(
                f"round {number + 1}  {each.size:>10,} people  cold {cold.per_second:6,.0f}/s  "
                f"warm {warm.per_second:6,.0f}/s"
            )
    return dict(measured)


def _part(directory: Path, size: int) -> Path:
    return directory / str(size)


def _filled(directory: Path, size: int) -> bool:
    """Tell whether a kept directory has this population from a former run."""
    return (_part(directory, size) / "servers" / "standby").exists()


def _show(measured: Mapping[int, Rows], given: argparse.Namespace, *, cores: str) -> None:
    table = Table(
        title=f"Medians of {given.rounds} interleaved rounds of {given.calls:,} calls, {IN_FLIGHT} "
        f"in flight; {cores}",
        title_justify="left",
        box=box.SIMPLE,
    )
    table.add_column("people", justify="right")
    for kind in KINDS:
        for name in (f"{kind} calls/s", "p50 ms", "time"):
            table.add_column(name, justify="right")
    smallest = measured[min(measured)]
    for size, rows in measured.items():
        table.add_row(
            f"{size:,}",
            *(
                text
                for kind in KINDS
                for text in (
                    f"{_per_second(rows[kind]):,.0f}",
                    f"{_p50_ms(rows[kind]):.1f}",
                    f"{ratio(rows[kind], smallest[kind]):.3f}",
                )
            ),
        )
    out.print(table)
    out.print(
        f"time: per call, as a multiple of the smallest registry's; goal at {LARGEST:,} people "
        f"against {SMALLEST:,}: <= {GOAL_RATIO}"
    )


if __name__ == "__main__":
    main()
