"""What a run tells: the table for people, latest.json for tools."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Summary

LOOP = "run (uvloop/__init__.py)"
"""The frame of the event loop, which is written in C: its own time is gRPC's and the sockets'."""

LATEST = Path(__file__).parent / "latest.json"

ECHO, WARM, MIXED, COLD = "echo", "verify warm", "verify mixed", "verify cold"


def show(
    out: Console, summaries: Mapping[str, Summary], *, facts: Mapping[str, str], title: str
) -> None:
    """Print the facts of the run, then a line for each row."""
    for name, value in facts.items():
        out.print(f"{name:12} {value}", soft_wrap=True)
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for name in (
        *("calls/s", "range", "of echo", "range", "p50 ms", "p99 ms"),
        *("CPU s/1k", "worker core", "the rest"),
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in summaries.items():
        table.add_row(
            name,
            f"{row.per_second:,.0f}",
            f"{row.per_second_min:,.0f}-{row.per_second_max:,.0f}",
            f"{row.ratio:.3f}",
            f"{row.ratio_min:.3f}-{row.ratio_max:.3f}",
            f"{row.p50_ms:.2f}",
            f"{row.p99_ms:.2f}",
            f"{row.cpu_seconds_per_1000:.4f}",
            f"{row.worker_busy:.0%}",
            f"{row.load_busy:.0%}",
        )
    out.print(table)


def latest(
    summaries: Mapping[str, Summary],
    *,
    rounds: int,
    seconds: float,
    settings: Mapping[str, Any],
    date: str,
) -> dict[str, Any]:
    """Give what latest.json holds; unless a row's name says otherwise, of the mixed row."""
    mixed, echo = summaries[MIXED], summaries[ECHO]
    figures = {
        "echo_per_second": echo.per_second,
        "verify_per_second": mixed.per_second,
        "verify_warm_ratio_to_echo": summaries[WARM].ratio,
        "verify_ratio_to_echo": mixed.ratio,
        "verify_cold_ratio_to_echo": summaries[COLD].ratio,
        "verify_p50_ms": mixed.p50_ms,
        "verify_p99_ms": mixed.p99_ms,
        "echo_p99_ms": echo.p99_ms,
        "cpu_seconds_per_1000": mixed.cpu_seconds_per_1000,
        "cpu_seconds_per_1000_echo": echo.cpu_seconds_per_1000,
    }
    return {
        **{name: round(value, 4) for name, value in figures.items()},
        "rounds": rounds,
        "seconds": seconds,
        "settings": dict(settings),
        "date": date,
    }


def write(document: Mapping[str, Any], path: Path = LATEST) -> None:
    """Write a document, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    partial.replace(path)


def join(figures: Mapping[str, Any], path: Path = LATEST) -> None:
    """Write figures beside those that a document has already."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        found = {}
    write({**found, **figures}, path)


def show_profile(out: Console, stacks: Path, *, worker_us: float, lines: int) -> None:
    """Print where the event loop's time in a file of collapsed stacks went, by function.

    Microseconds are shares of `worker_us`, the processor time per call; it includes gRPC's threads.
    """
    table = Table(title="The event loop's time", title_justify="left", box=box.SIMPLE)
    table.add_column("with callees", justify="right", no_wrap=True)
    table.add_column("alone", justify="right", no_wrap=True)
    table.add_column("us/call", justify="right", no_wrap=True)
    table.add_column("function", no_wrap=True)
    for function, (whole, alone) in shares(stacks.read_text("utf-8").splitlines())[:lines]:
        table.add_row(f"{whole:.1%}", f"{alone:.1%}", f"{whole * worker_us:.1f}", function)
    out.print(table)


def shares(lines: Sequence[str]) -> list[tuple[str, tuple[float, float]]]:
    """Share samples out to functions: how many have it on the stack, how many innermost.

    Other threads than the event loop's, and what stands below the loop, are left out.
    """
    whole: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if LOOP in frames:
            above = frames[frames.index(LOOP) :]
            alone[above[-1]] += int(count)
            whole.update(dict.fromkeys(above, int(count)))
    total = alone.total() or 1
    return [(name, (n / total, alone[name] / total)) for name, n in whole.most_common()]
