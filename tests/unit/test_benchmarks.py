"""The benchmark's own parts: framing, statistics, and a run against the real echo."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from struct import pack
from typing import Any

import hpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import cores, ledger, load, memory, people, report, scale, steady
from benchmarks.calls import Tally, caller
from benchmarks.children import READY, Child, MeasurementError
from benchmarks.figures import Measurement, percentile, summarise
from benchmarks.freshness import Freshness, is_probe, probe_of
from benchmarks.http2 import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    Connection,
    Exchange,
    ProtocolError,
    ResponseHeaders,
    frame,
    grpc_message,
    leaves_table,
    message_of,
)
from benchmarks.load import Job, Source
from benchmarks.people import Question
from benchmarks.registry_table import Figures
from padan.v1 import verification_pb2 as pb
from padan_server.domain import request_id

ANSWER = pb.VerifyResponse(
    outcome=pb.OUTCOME_MATCHED,
    billable=True,
    entry=pb.EntryReference(statement_salt=bytes(16)),
).SerializeToString()


def questions(count: int) -> list[Question]:
    return [
        people.question(
            number,
            f"317101010190{number + 1:04}",
            "BUDI CONTOH",
            "JAKARTA PUSAT",
            date(1990, 1, 1),
            "AMINAH CONTOH",
            life_status=1,
            record_status=1,
        )
        for number in range(count)
    ]


def exchange(calls: int = 1) -> Exchange:
    return Exchange([grpc_message(b"call")] * calls, deadline=time.perf_counter() + 60)


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True


def connected() -> tuple[Connection, Wire]:
    connection, wire = Connection([(":method", "POST"), ("authorization", "Bearer t")]), Wire()
    connection.connection_made(wire)  # type: ignore[arg-type]
    return connection, wire


def answer(stream: int, message: bytes = b"answer", status: str = "0") -> bytes:
    # Literals that are not added to the table, so that each test's encoder may be new.
    initial = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple(":status", "200")])
    trailer = hpack.Encoder().encode([hpack.NeverIndexedHeaderTuple("grpc-status", status)])
    return (
        frame(HEADERS, END_HEADERS, stream, initial)
        + frame(DATA, 0, stream, grpc_message(message))
        + frame(HEADERS, END_HEADERS | END_STREAM, stream, trailer)
    )


def test_frame_is_written_as_rfc_9113_has_it() -> None:
    written = frame(DATA, END_STREAM, 5, b"x" * 300)

    assert written[:9] == bytes([0, 1, 44, 0, 1, 0, 0, 0, 5])
    assert written[9:] == b"x" * 300


@given(st.binary(max_size=300))
def test_message_survives_grpc_framing_and_nothing_else_does(message: bytes) -> None:
    framed = grpc_message(message)

    assert message_of(framed) == message
    assert message_of(framed + b"x") is None
    assert message_of(framed[:-1]) is None
    assert message_of(b"\x01" + framed[1:]) is None


@given(st.lists(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=200)), max_size=4)))
def test_header_blocks_read_as_a_full_decoder_reads_them(blocks: list[list[Any]]) -> None:
    encoder, decoder, reader = hpack.Encoder(), hpack.Decoder(), ResponseHeaders()
    for headers in [block for block in blocks for _ in range(3)]:
        encoded = encoder.encode(headers)

        before = list(decoder.header_table.dynamic_entries)
        expected = {str(name): str(value) for name, value in decoder.decode(encoded)}
        assert reader.read(encoded) == expected
        if leaves_table(encoded):
            assert list(decoder.header_table.dynamic_entries) == before


def test_literal_that_is_not_indexed_leaves_the_table() -> None:
    # What a gRPC server sends: an index, then an empty grpc-message, spelled out.
    assert leaves_table(b"\xbe\x00\x0cgrpc-message\x00")
    assert not leaves_table(b"\x40\x0bgrpc-status\x010")


async def test_connection_greets_and_names_its_headers_by_index_from_the_second_call() -> None:
    connection, wire = connected()
    made = exchange(calls=2)
    done = connection.run(made, in_flight=2)

    assert not done.done()
    assert wire.written.startswith(PREFACE)
    assert wire.written.count(grpc_message(b"call")) == 2
    assert wire.written.count(b"authorization") <= 1  # Huffman-coded, or spelled out once
    assert made.exhausted


async def test_answer_is_kept_whatever_pieces_it_comes_in() -> None:
    connection, _ = connected()
    made = exchange()
    done = connection.run(made, in_flight=1)
    for byte in answer(1):
        connection.data_received(bytes([byte]))

    await done
    assert message_of(made.answers[0]) == b"answer"
    assert made.ended[0] >= made.started[0] > 0


async def test_next_call_begins_when_one_ends() -> None:
    connection, _ = connected()
    made = exchange(calls=3)
    done = connection.run(made, in_flight=1)
    for stream in (1, 3, 5):
        assert made.begun == (stream + 1) // 2
        connection.data_received(answer(stream))

    await done
    assert all(made.ended)


async def test_no_call_begins_after_the_deadline() -> None:
    connection, _ = connected()
    made = Exchange([grpc_message(b"call")] * 2, deadline=time.perf_counter() - 1)

    await connection.run(made, in_flight=2)
    assert made.begun == 0


@pytest.mark.parametrize(
    ("ending", "why"),
    [
        (answer(1, status="14"), "14 "),
        (frame(RST_STREAM, 0, 1, pack(">I", 8)), "reset 8"),
        (frame(DATA, END_STREAM, 1, b""), "no status"),
    ],
)
async def test_call_without_an_answer_is_a_failure(ending: bytes, why: str) -> None:
    connection, _ = connected()
    made = exchange()
    done = connection.run(made, in_flight=1)
    connection.data_received(ending)

    await done
    assert made.failures == {why: 1}
    assert made.ended == [0.0]


@pytest.mark.parametrize(
    "received",
    [
        frame(GOAWAY, 0, 0, pack(">II", 0, 0) + b"max_age"),
        frame(DATA, 0, 7, b"unasked"),
        frame(SETTINGS, 0, 0, pack(">HI", 3, 1)),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
    ],
)
async def test_server_that_breaks_off_or_speaks_otherwise_ends_the_exchange(
    received: bytes,
) -> None:
    connection, wire = connected()
    done = connection.run(exchange(calls=2), in_flight=2)
    connection.data_received(received)

    with pytest.raises(ProtocolError):
        await done
    assert wire.aborted


async def test_lost_connection_ends_the_exchange() -> None:
    connection, _ = connected()
    done = connection.run(exchange(), in_flight=1)
    connection.connection_lost(None)

    with pytest.raises(ProtocolError):
        await done


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, 0), ([1], 99, 1), ([1, 2], 50, 1), ([1, 2, 3, 4], 99, 4), (range(1, 101), 99, 99)],
)
def test_percentile_is_the_nearest_rank(values: Any, percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected


def measured(calls: int) -> Measurement:
    return Measurement(
        calls=calls,
        seconds=2,
        p50_ms=1,
        p99_ms=2,
        cpu_seconds=1,
        worker_busy=1,
        load_busy=0.5,
    )


def test_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians() -> None:
    row = [measured(50), measured(180), measured(100)]
    echo = [measured(100), measured(200), measured(400)]

    summary = summarise(row, echo)

    assert (summary.per_second, summary.per_second_min, summary.per_second_max) == (50, 25, 90)
    assert (summary.ratio, summary.ratio_min, summary.ratio_max) == (0.5, 0.25, 0.9)
    assert summary.cpu_seconds_per_1000 == 10


def test_latest_has_the_keys_that_are_promised() -> None:
    summary = summarise([measured(50)], [measured(100)])
    rows = dict.fromkeys((report.ECHO, report.WARM, report.MIXED, report.COLD), summary)

    latest = report.latest(rows, rounds=1, seconds=2, settings={}, date="2025-01-01")

    assert latest["verify_ratio_to_echo"] == 0.5
    assert {
        *("echo_per_second", "verify_per_second", "verify_warm_ratio_to_echo"),
        *("verify_ratio_to_echo", "verify_cold_ratio_to_echo", "verify_p50_ms", "verify_p99_ms"),
        *("echo_p99_ms", "cpu_seconds_per_1000", "cpu_seconds_per_1000_echo"),
        *("rounds", "seconds", "settings", "date"),
    } == latest.keys()


def test_profile_leaves_out_what_is_not_the_event_loop() -> None:
    lines = [f"main;{report.LOOP};a;b 3", f"main;{report.LOOP};a 1", "thread;a 100"]

    assert dict(report.shares(lines)) == {
        report.LOOP: (1.0, 0.0),
        "a": (1.0, 0.25),
        "b": (0.75, 0.75),
    }


def test_cold_questions_are_asked_once_each_among_warm_ones() -> None:
    asked = questions(30)
    source = Source(warm=asked[:4], cold=asked[4:8], cold_every=5)

    first = source.peek(7)
    source.advance(6)
    second = source.peek(100)

    assert first == [*asked[:4], asked[4], asked[0], asked[1]]
    assert source.cold_used == 1
    assert second[:5] == [asked[1], asked[2], asked[3], asked[5], asked[0]]
    assert sum(question in asked[4:8] for question in second) == 3
    assert len(second) < 100


@given(asked=st.integers(0, 40), every=st.integers(0, 6))
def test_peeking_again_after_asking_goes_on_where_it_was(asked: int, every: int) -> None:
    some = questions(50)
    source = Source(warm=some[:10], cold=some[10:], cold_every=every)
    whole = source.peek(40)
    source.advance(min(asked, len(whole)))

    assert source.peek(len(whole) - min(asked, len(whole))) == whole[min(asked, len(whole)) :]


def test_question_survives_the_file_and_each_call_has_an_id_of_its_own(tmp_path: Path) -> None:
    people.write(tmp_path / "people", questions(12))
    read = people.read(tmp_path / "people")
    calls = [
        message_of(
            people.call(read[0], unix_milliseconds=1_700_000_000_000, randomness=os.urandom(10))
        )
        for _ in range(2)
    ]

    assert read == questions(12)
    first, second = (pb.VerifyRequest.FromString(call or b"") for call in calls)
    assert first.nik == "3171010101900001"
    assert first.request_id != second.request_id
    assert request_id.time_of(first.request_id) == 1_700_000_000


def test_every_tenth_question_must_not_match() -> None:
    outcomes = [question.outcome for question in questions(20)]

    assert outcomes == [*[pb.OUTCOME_MATCHED] * 9, pb.OUTCOME_MISMATCHED] * 2


@pytest.mark.parametrize(
    ("life_status", "record_status", "outcome"),
    [
        (2, 1, pb.OUTCOME_DECEASED),
        (1, 2, pb.OUTCOME_INACTIVE),
        (2, 3, pb.OUTCOME_DUPLICATE),
    ],
)
def test_status_of_the_record_is_the_answer_that_is_expected(
    life_status: int, record_status: int, outcome: int
) -> None:
    asked = people.question(
        *(0, "3171010101900001", "BUDI CONTOH", "JAKARTA", date(1990, 1, 1), None),
        life_status=life_status,
        record_status=record_status,
    )

    assert asked.outcome == outcome


def tallied(message: bytes, question: Question, echo: bytes | None = None) -> Tally:
    made = exchange()
    made.begun, made.ended, made.answers = 1, [1.0], [grpc_message(message)]
    tally = Tally(echo=echo)
    tally.add(made, [question])
    return tally


def test_wrong_outcome_replay_and_missing_entry_are_faults() -> None:
    (question,) = questions(1)
    good = pb.VerifyResponse(outcome=pb.OUTCOME_MATCHED, billable=True)
    good.entry.statement_salt = bytes(16)
    wrong = pb.VerifyResponse(outcome=pb.OUTCOME_NOT_FOUND, replayed=True)

    sound, faulty = (tallied(m.SerializeToString(), question) for m in (good, wrong))

    assert (sound.answered, sound.billable, sound.faults) == (1, 1, {})
    assert sound.sample == good.SerializeToString()
    assert faulty.faults == {
        "OUTCOME_NOT_FOUND where OUTCOME_MATCHED is right": 1,
        "an answer is a replay, or names no entry": 1,
    }


def test_echo_must_answer_to_the_byte() -> None:
    (question,) = questions(1)

    assert not tallied(ANSWER, question, echo=ANSWER).faults
    assert tallied(ANSWER + b"\x00", question, echo=ANSWER).faults


def test_ledger_that_lacks_an_entry_or_a_charge_is_refused() -> None:
    before = ledger.Counts(answers=5, others=0, charged=4)
    after = ledger.Counts(answers=15, others=0, charged=13)

    ledger.require_recorded(before, after, answered=10, billable=9)
    for answered, billable in ((11, 9), (10, 10)):
        with pytest.raises(ledger.LedgerError):
            ledger.require_recorded(before, after, answered=answered, billable=billable)


def test_processor_time_includes_ended_children() -> None:
    before = cores.cpu_seconds([os.getpid()])
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)

    assert cores.cpu_seconds([os.getpid()]) - before >= 0.2


def test_process_is_pinned_with_all_its_threads() -> None:
    core = min(os.sched_getaffinity(0))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        cores.pin(process.pid, core)
        cores.require_pinned(process.pid, core)


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[str]:
    """Run the real echo; gives its port."""
    (tmp_path / "answer").write_bytes(ANSWER)
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.echo", "--answer", str(tmp_path / "answer")],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def test_load_generator_measures_the_echo(echo: str, tmp_path: Path) -> None:
    people.write(tmp_path / "people", questions(200))
    job = Job(
        target=f"127.0.0.1:{echo}",
        certificate=None,
        token="t" * 300,
        people=str(tmp_path / "people"),
        warm=(0, 100),
        cold=(100, 100),
        cold_every=0,
        connections=2,
        streams=4,
        warm_up_seconds=0.1,
        seconds=0.5,
        echo=ANSWER,
    )
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=msgspec.json.encode(job).decode() + "\ngo\n",
        capture_output=True,
        text=True,
        check=True,
    )
    ready, measured_word, line = done.stdout.splitlines()
    result = msgspec.json.decode(line, type=load.Result)

    assert (ready, measured_word) == (READY, load.MEASURED)
    assert result.faults == []
    assert 0 < result.answered_in_interval < result.answered
    assert 0 < result.p50_ms <= result.p99_ms


async def test_load_generator_tells_when_nobody_listens(tmp_path: Path) -> None:
    job = Job("127.0.0.1:1", None, "t", str(tmp_path), (0, 1), (1, 1), 0, 1, 1, 0.1, 0.1)

    with pytest.raises(ConnectionRefusedError):
        await asyncio.wait_for(load.perform(job), 5)


async def test_caller_asks_every_question_once_and_times_it(echo: str) -> None:
    async with caller(
        f"127.0.0.1:{echo}", certificate=None, token="t" * 300, connections=2
    ) as connected:
        timing = await connected.ask(questions(9), in_flight=4, seconds=10)

    assert timing.calls == connected.tally.answered == connected.tally.billable == 9
    assert not connected.tally.faults
    assert 0 < timing.p50_ms < 1_000 * timing.seconds


async def test_caller_that_has_no_time_says_so(echo: str) -> None:
    async with caller(
        f"127.0.0.1:{echo}", certificate=None, token="t" * 300, connections=1
    ) as connected:
        with pytest.raises(TimeoutError):
            await connected.ask(questions(9), in_flight=1, seconds=0)


async def test_steady_load_does_what_is_due_and_tells_its_rate() -> None:
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done = 0

    async def act(count: int) -> None:
        nonlocal done
        assert 0 < count <= steady.BEHIND_MAX
        done += count
        if done >= 2 * steady.BEHIND_MAX:
            stop.set_result(None)

    started = time.perf_counter()
    rate = await steady.steadily(act, per_second=100_000, stop=stop)

    assert done >= 2 * steady.BEHIND_MAX
    assert rate >= done / (time.perf_counter() - started)
    assert rate <= 100_000 + steady.BEHIND_MAX / steady.TICK_SECONDS


def test_steady_calls_are_checked_and_counted(echo: str, tmp_path: Path) -> None:
    people.write(tmp_path / "people", questions(9))
    job = steady.Calls(
        target=f"127.0.0.1:{echo}",
        certificate=None,
        token="t" * 300,
        people=str(tmp_path / "people"),
        numbers=(0, 9),
        connections=1,
        per_second=1_000,
    )
    with Child("benchmarks.steady", job) as calling:
        calling.tell("stop")
        result = calling.result(steady.Result)

    assert result.faults == []
    assert result.answered == result.billable


def test_child_that_ends_early_fails_the_measurement(tmp_path: Path) -> None:
    people.write(tmp_path / "people", questions(1))
    job = steady.Calls("127.0.0.1:1", None, "t", str(tmp_path / "people"), (0, 1), 1, 1)

    with pytest.raises(MeasurementError, match="steady"), Child("benchmarks.steady", job):
        pass


def test_memory_of_a_process_is_seen_from_outside() -> None:
    before = memory.proportional_bytes(os.getpid())
    held = b"\x01" * 64 * 1024 * 1024

    grown = memory.proportional_bytes(os.getpid()) - before
    assert 0.9 * len(held) < grown < 1.5 * len(held)


def test_probe_is_someone_whose_claims_are_right() -> None:
    asked = questions(10)

    assert [is_probe(question) for question in asked] == [*[True] * 9, False]
    assert probe_of(asked[0]).nik == people.nik_of(asked[0]) == "3171010101900001"
    assert probe_of(asked[0]).birth_date == date(1990, 1, 1)


def test_figures_of_the_registry_join_those_that_are_there(tmp_path: Path) -> None:
    figures = Figures(
        freshness=Freshness(
            seconds=[0.1, 0.2, 0.3],
            answered=20,
            billable=20,
            polls=10,
            changes_per_second=500,
            calls_per_second=500,
        ),
        misses=[10, 30, 12],
        misses_of_one=[1, 1, 1],
        growth=memory.Growth(records=1_000, bytes=500_000, idle_bytes_per_call=0),
    )
    report.write({"echo_per_second": 1, "l1_bytes_per_record": 2}, tmp_path / "latest.json")
    report.join(figures.latest(), tmp_path / "latest.json")

    assert msgspec.json.decode((tmp_path / "latest.json").read_bytes()) == {
        "echo_per_second": 1,
        "freshness_p50_ms": 200,
        "freshness_p99_ms": 300,
        "sql_per_1000_misses": 12,
        "sql_per_1000_misses_max": 30,
        "sql_per_1000_calls_for_one": 1,
        "l1_bytes_per_record": 500,
    }


def scaled(*per_second: float) -> list[scale.Row]:
    return [scale.Row(rate, p50_ms=1) for rate in per_second]


def test_scale_is_the_worse_of_cold_and_warm_by_the_medians_of_rounds() -> None:
    small = {"cold": scaled(100, 200, 300), "warm": scaled(400, 400, 400)}
    large = {"cold": scaled(100, 100, 300), "warm": scaled(200, 100, 400)}

    latest = scale.latest({100_000: small, 10_000_000: large})

    assert latest["scale_10m_over_100k_cold_ratio"] == 1
    assert latest["scale_10m_over_100k_warm_ratio"] == 2
    assert latest["scale_10m_over_100k_ratio"] == 2
    assert latest["scale_10000000_cold_per_second"] == 100
    assert "scale_10m_over_100k_ratio" not in scale.latest({100_000: small, 1_000_000: large})


def test_scale_that_the_disk_has_no_room_for_is_refused_before_it_begins(tmp_path: Path) -> None:
    scale.require_space(tmp_path, [])
    with pytest.raises(MeasurementError, match="GB are needed"):
        scale.require_space(tmp_path, [10**12])
