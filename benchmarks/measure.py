"""One row in one round: a load generator against a subject, with the processor time it cost."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.cores import Cores, cpu_seconds
from benchmarks.figures import Measurement
from benchmarks.load import MEASURED, READY, Job, Result
from benchmarks.subject import Subject
from padan_client.keys import PartnerKey
from padan_client.tokens import mint

AUDIENCE = "padan"
STOP_SECONDS_MAX = 5.0


class MeasurementError(Exception):
    """A measurement failed, or calls were not answered as they must be."""


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
    token = mint(
        plan.key, audience=AUDIENCE, now=int(time.time()), token_id=secrets.token_urlsafe(16)
    )
    return Job(
        target=subject.target,
        certificate=str(subject.tls.certificate) if subject.tls else None,
        token=token.text,
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
    generator = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _tell(generator, msgspec.json.encode(job).decode())
        _expect(generator, READY)
        at_start()
        worker, everything = cpu_seconds([subject.worker]), cpu_seconds(subject.processes)
        _tell(generator, "go")
        _expect(generator, MEASURED)
        worker = cpu_seconds([subject.worker]) - worker
        everything = cpu_seconds(subject.processes) - everything
        result = _result(generator)
    finally:
        generator.terminate()
        try:
            generator.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            generator.kill()
            generator.wait()
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


def _tell(generator: subprocess.Popen[str], line: str) -> None:
    assert generator.stdin is not None
    try:
        generator.stdin.write(line + "\n")
        generator.stdin.flush()
    except BrokenPipeError:
        raise MeasurementError("the load generator ended early") from None


def _expect(generator: subprocess.Popen[str], word: str) -> None:
    assert generator.stdout is not None
    if generator.stdout.readline().strip() != word:
        raise MeasurementError("the load generator ended early")


def _result(generator: subprocess.Popen[str]) -> Result:
    assert generator.stdout is not None
    line = generator.stdout.readline()
    if not line:
        raise MeasurementError("the load generator ended early")
    result = msgspec.json.decode(line, type=Result)
    if result.faults:
        raise MeasurementError("; ".join(result.faults))
    return result
