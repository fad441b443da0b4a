"""What `python -m benchmarks.registry` tells: its figures, their goals, and how they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.freshness import Freshness
from benchmarks.memory import Growth

GOAL_FRESHNESS_P99_MS = 500
GOAL_SQL_PER_1000_MISSES = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run measured."""

    freshness: Freshness
    misses: Sequence[int]
    misses_of_one: Sequence[int]
    growth: Growth

    def latest(self) -> dict[str, float]:
        """Give what latest.json holds of them."""
        return {
            "freshness_p50_ms": round(self.freshness.percentile_ms(50), 1),
            "freshness_p99_ms": round(self.freshness.percentile_ms(99), 1),
            "sql_per_1000_misses": median(self.misses),
            "sql_per_1000_misses_max": max(self.misses),
            "sql_per_1000_calls_for_one": max(self.misses_of_one),
            "l1_bytes_per_record": round(self.growth.bytes_per_record),
        }


def show(out: Console, figures: Figures, *, people: int, cores: str) -> None:
    """Print a line for each figure, with its goal and how it was measured."""
    fresh, growth = figures.freshness, figures.growth
    table = Table(
        title=f"The registry side; {people:,} people; {cores}",
        title_justify="left",
        box=box.SIMPLE,
    )
    for name in ("", "measured", "goal", "how"):
        table.add_column(name, justify="left" if name in ("", "how") else "right")
    table.add_row(
        "change to answer, p50",
        f"{fresh.percentile_ms(50):.0f} ms",
        "",
        f"{len(fresh.seconds)} changes, through a warm cache; {fresh.polls:,} answers looked at",
    )
    table.add_row(
        "change to answer, p99",
        f"{fresh.percentile_ms(99):.0f} ms",
        f"< {GOAL_FRESHNESS_P99_MS} ms",
        f"{fresh.changes_per_second:.0f} other changes/s and {fresh.calls_per_second:.0f} other "
        "calls/s meanwhile",
    )
    table.add_row(
        "statements per 1,000 misses",
        f"{median(figures.misses):.0f}",
        f"<= {GOAL_SQL_PER_1000_MISSES}",
        f"median of {len(figures.misses)} rounds of 1,000 calls at once; all of them: "
        f"{', '.join(map(str, figures.misses))}",
    )
    table.add_row(
        "and per 1,000 calls for one person",
        f"{max(figures.misses_of_one)}",
        "1",
        f"the most of {len(figures.misses_of_one)} rounds",
    )
    table.add_row(
        "worker's memory per record",
        f"{growth.bytes_per_record:,.0f} bytes",
        "",
        f"growth with {growth.records:,} records; with calls that brought none: "
        f"{growth.idle_bytes_per_call:,.0f} bytes each",
    )
    out.print(table)
