"""`make bench`: starts everything, measures in interleaved rounds, prints the table."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import machine, people, report
from benchmarks.command import ending, out, progress, working_directory
from benchmarks.cores import Cores, require_pinned
from benchmarks.figures import Measurement, summarise
from benchmarks.ledger import require_recorded
from benchmarks.load import Result
from benchmarks.measure import Plan, Row, job_of, measure
from benchmarks.report import COLD, ECHO, MIXED, WARM
from benchmarks.subject import Padan, Subject, echo, padan
from padan.v1.verification_pb2 import VerifyResponse

ROWS = (Row(ECHO), Row(WARM), Row(MIXED, cold_every=5), Row(COLD, cold_every=1))

CONNECTIONS = 4
WARM_PEOPLE = 10_000
WARM_UP_SECONDS = 1.0
FIRST_SECONDS = 0.5
SECONDS_MAX = 45.0
"""All requests of an interval are made before it, and held in memory."""

PROFILE_SECONDS = 20.0
PROFILER_STOP_SECONDS_MAX = 60
PROFILE_RATE = 200
PROFILE_LINES = 60


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each row in each round")
    parser.add_argument("--people", type=int, default=200_000, help="synthetic people")
    parser.add_argument("--in-flight", type=int, default=256, help="calls under way at once")
    parser.add_argument("--tls", action="store_true", help="TLS, for Padan and the echo")
    parser.add_argument(
        "--profile",
        nargs="?",
        const="mixed",
        choices=[row.name.removeprefix("verify ") for row in ROWS if row.name != ECHO],
        help="profile the worker over one row instead (mixed if none is named)",
    )
    given = parser.parse_args()
    if given.rounds < 1 or not 0 < given.seconds <= SECONDS_MAX or given.people < 20_000:
        parser.error(f"rounds from 1, seconds up to {SECONDS_MAX:.0f}, people from 20000")
    if given.in_flight < CONNECTIONS or given.in_flight % CONNECTIONS:
        parser.error(f"in-flight must be a multiple of the {CONNECTIONS} connections")
    return given


class Bench:
    """Padan and its echo, up and ready, and how far into the population cold rows have come."""

    def __init__(self, plan: Plan, measured: Padan) -> None:
        self._plan = plan
        self._padan = measured
        self._cold_from = plan.warm

    def sample(self) -> bytes:
        """Give one answer of Padan's, as protobuf's own serialiser writes it."""
        sample = self._verify(Row("first answers"), seconds=FIRST_SECONDS)[1].sample
        return VerifyResponse.FromString(sample).SerializeToString()

    def run(self, row: Row, echoed: Subject) -> Measurement:
        """Measure a row once."""
        if row.name != ECHO:
            return self._verify(row, seconds=self._plan.seconds)[0]
        job = job_of(self._plan, row, echoed, cold_from=self._cold_from, seconds=self._plan.seconds)
        measurement, _ = measure(job, echoed)
        require_pinned(echoed.worker, self._plan.placed.worker)
        return measurement

    def profile(self, row: Row, stacks: Path) -> Measurement:
        """Measure a row while its worker's stacks are sampled into a file."""
        py_spy = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or "py-spy"
        words = [
            py_spy,
            "record",
            "--pid",
            str(self._padan.subject.worker),
            "--nolineno",
            "--nonblocking",
        ]
        words += ["--rate", str(PROFILE_RATE), "--duration", str(int(self._plan.seconds))]
        words += ["--format", "raw", "--output", str(stacks)]
        with ExitStack() as stack:

            def sample() -> None:
                sampling = subprocess.Popen(
                    words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )
                stack.callback(_ended, sampling)

            return self._verify(row, seconds=self._plan.seconds, at_start=sample)[0]

    def _verify(
        self, row: Row, *, seconds: float, at_start: Callable[[], None] = lambda: None
    ) -> tuple[Measurement, Result]:
        """Measure a row of Padan's, and require its entries and charges."""
        ledger, subject = self._padan.ledger, self._padan.subject
        before = ledger.counts()
        job = job_of(self._plan, row, subject, cold_from=self._cold_from, seconds=seconds)
        measurement, result = measure(job, subject, at_start=at_start)
        self._cold_from += result.cold_used
        after = ledger.counts()
        require_recorded(before, after, answered=result.answered, billable=result.billable)
        self._padan.require_steady(self._plan.placed.worker)
        return measurement, result


def _ended(sampling: subprocess.Popen[bytes]) -> None:
    """Let a profiler write what it has, and wait for it."""
    sampling.send_signal(signal.SIGINT)
    sampling.wait(PROFILER_STOP_SECONDS_MAX)


def main() -> None:
    """Run the benchmark; an error of a known kind is one line and exit code 1."""
    given = options()
    with ending(), working_directory() as directory, ExitStack() as stack:
        placed = Cores.of_machine()
        os.sched_setaffinity(0, placed.rest)
        measured = stack.enter_context(
            padan(
                directory,
                people=given.people,
                use_tls=given.tls,
                placed=placed,
                tell=progress.print,
            )
        )
        _bench(given, directory, measured, placed)


def _bench(given: argparse.Namespace, directory: Path, measured: Padan, placed: Cores) -> None:
    durable = measured.ledger.required_settings()
    questions = people.read_registry(measured.replica_url)
    people_file = directory / "questions"
    people.write(people_file, questions)
    plan = Plan(
        people_file=people_file,
        key=measured.key,
        placed=placed,
        connections=CONNECTIONS,
        streams=given.in_flight // CONNECTIONS,
        warm_up_seconds=WARM_UP_SECONDS,
        seconds=PROFILE_SECONDS if given.profile else given.seconds,
        warm=min(WARM_PEOPLE, len(questions) // 4),
        people=len(questions),
    )
    bench = Bench(plan, measured)
    if given.profile:
        _profile(bench, next(row for row in ROWS if row.name.endswith(given.profile)))
        return
    progress.print("the first answer, for the echo")
    answer = bench.sample()
    with echo(answer, directory=directory, tls=measured.subject.tls, placed=placed) as echoed:
        rows = _rounds(bench, echoed, rounds=given.rounds)
    summaries = {name: summarise(row, rows[ECHO]) for name, row in rows.items()}
    described = machine.describe(directory)
    facts = {
        "machine": f"{described['processor']}, {described['cores']} cores",
        "versions": f"Python {described['python']}, grpcio {described['grpcio']}, protobuf "
        f"{described['protobuf']}, uvloop {described['uvloop']}, PostgreSQL "
        f"{measured.versions['postgresql']}, Valkey {measured.versions['valkey']}",
        "cores": placed.told(),
        "durability": ", ".join(f"{name} {value}" for name, value in durable.items())
        + f"; a flush takes {described['flush_us']} us on {described['file_system']}",
        "checked": "each answer's outcome; answers = ANSWER entries, billable ones = charges",
    }
    title = (
        f"Medians of {given.rounds} interleaved rounds of {given.seconds:g} s; {given.in_flight} "
        f"calls in flight on {CONNECTIONS} connections; TLS {'on' if given.tls else 'off'}"
    )
    report.show(out, summaries, facts=facts, title=title)
    settings = described | measured.versions | durable
    report.write(
        report.latest(
            summaries,
            rounds=given.rounds,
            seconds=given.seconds,
            settings={
                **settings,
                "tls": given.tls,
                "in_flight": given.in_flight,
                "connections": CONNECTIONS,
                "people": len(questions),
                "warm_people": plan.warm,
            },
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )
    out.print(f"written to {report.LATEST}", soft_wrap=True)


def _rounds(bench: Bench, echoed: Subject, *, rounds: int) -> dict[str, list[Measurement]]:
    """Measure every row in every round, in turn, so that what drifts drifts for all."""
    rows: dict[str, list[Measurement]] = {row.name: [] for row in ROWS}
    for number in range(rounds):
        for row in ROWS:
            measurement = bench.run(row, echoed)
            rows[row.name].append(measurement)
            progress.print(f"round {number + 1}  {row.name:13} {measurement.per_second:8,.0f}/s")
    return rows


def _profile(bench: Bench, row: Row) -> None:
    descriptor, name = tempfile.mkstemp(prefix="padan-profile-", suffix=".txt")
    os.close(descriptor)
    stacks = Path(name)
    progress.print(f"profiling {row.name} for {PROFILE_SECONDS:.0f} s")
    measurement = bench.profile(row, stacks)
    report.show_profile(out, stacks, worker_us=measurement.worker_us, lines=PROFILE_LINES)
    out.print(f"{measurement.per_second:,.0f} calls/s while sampled; collapsed stacks, for")
    out.print(f"speedscope or a flame graph: {stacks}", soft_wrap=True)


if __name__ == "__main__":
    main()
