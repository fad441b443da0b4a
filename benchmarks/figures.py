"""Statistics of measurements: percentiles, medians, ratios. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Give the nearest-rank percentile of sorted values; 0 for none."""
    assert 0 < percent <= 100
    if not ordered:
        return 0.0
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row in one round. Processor seconds are those of all server processes of the row."""

    calls: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_seconds: float
    worker_busy: float
    """Share of the worker's core that the server under test used."""
    load_busy: float
    """Share of one core that all other processes used: load generator, notary, databases."""

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return self.calls / self.seconds

    @property
    def worker_us(self) -> float:
        """Processor time of the worker's core per answer, in microseconds."""
        return 1e6 * self.worker_busy / self.per_second if self.calls else math.inf

    @property
    def cpu_seconds_per_1000(self) -> float:
        """Processor seconds of all server processes per 1,000 answers."""
        return 1_000 * self.cpu_seconds / self.calls if self.calls else math.inf


@dataclass(frozen=True, slots=True)
class Summary:
    """A row over all rounds: medians, and the range of the rates."""

    per_second: float
    per_second_min: float
    per_second_max: float
    ratio: float
    """Median over rounds of the row's rate by the baseline's of the same round."""
    ratio_min: float
    ratio_max: float
    p50_ms: float
    p99_ms: float
    cpu_seconds_per_1000: float
    worker_busy: float
    load_busy: float


def summarise(row: Sequence[Measurement], baseline: Sequence[Measurement]) -> Summary:
    """Sum up a row beside the baseline; both have one measurement of each round, in order."""
    rates = [one.per_second for one in row]
    ratios = [
        one.per_second / base.per_second if base.calls else math.inf
        for one, base in zip(row, baseline, strict=True)
    ]
    return Summary(
        per_second=statistics.median(rates),
        per_second_min=min(rates),
        per_second_max=max(rates),
        ratio=statistics.median(ratios),
        ratio_min=min(ratios),
        ratio_max=max(ratios),
        p50_ms=_median(one.p50_ms for one in row),
        p99_ms=_median(one.p99_ms for one in row),
        cpu_seconds_per_1000=_median(one.cpu_seconds_per_1000 for one in row),
        worker_busy=_median(one.worker_busy for one in row),
        load_busy=_median(one.load_busy for one in row),
    )


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)
