"""One row in one round: a load generator against a subject, with the processor time it cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calls import token_of
from benchmarks.children import Child, MeasurementError
from benchmarks.cores import Cores, cpu_seconds
from benchmarks.figures import Measurement
from benchmarks.load import MEASURED, Job, Result
from benchmarks.subject import Subject
from padan_client.keys import PartnerKey


@dataclass(frozen=True, slots=True)
class Row:
    """A way of calling a subject. One call in `cold_every` is about a person not asked before."""

    name: str
    cold_every: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What all rows share."""

    people_file: Path
    key: PartnerKey
    placed: Cores
    connections: int
    streams: int
    warm_up_seconds: float
    seconds: float
    warm: int
    """The first so many people are the warm ones."""
    people: int


def job_of(plan: Plan, row: Row, subject: Subject, *, cold_from: int, seconds: float) -> Job:
    """Write the load generator's job. The token is minted now and holds for this job only."""
    return Job(
        target=subject.target,
        certificate=str(subject.tls.certificate) if subject.tls else None,
        token=token_of(plan.key),
        people=str(plan.people_file),
        warm=(0, 0) if row.cold_every == 1 else (0, plan.warm),
        cold=(cold_from, plan.people),
        cold_every=row.cold_every,
        connections=plan.connections,
        streams=plan.streams,
        warm_up_seconds=plan.warm_up_seconds,
        seconds=seconds,
        core=plan.placed.load,
        echo=subject.echo,
    )


def measure(
    job: Job, subject: Subject, *, at_start: Callable[[], None] = lambda: None
) -> tuple[Measurement, Result]:
    """Run a job against a subject, with `at_start` called just before the interval.

    Raises MeasurementError unless every answer is right.
    """
    with Child("benchmarks.load", job) as generator:
        at_start()
        worker, everything = cpu_seconds([subject.worker]), cpu_seconds(subject.processes)
        generator.tell("go")
        generator.expect(MEASURED)
        worker = cpu_seconds([subject.worker]) - worker
        everything = cpu_seconds(subject.processes) - everything
        result = generator.result(Result)
    if result.faults:
        raise MeasurementError("; ".join(result.faults))
    measurement = Measurement(
        calls=result.answered_in_interval,
        seconds=job.seconds,
        p50_ms=result.p50_ms,
        p99_ms=result.p99_ms,
        cpu_seconds=everything,
        worker_busy=worker / job.seconds,
        load_busy=(everything - worker + result.cpu_seconds) / job.seconds,
    )
    return measurement, result
