"""`registry follow` on a real registry: killed, torn, repeated, out of order, beside another."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.feed import STARTED, Feed, Registry, lines, nik, registry, row
from tests.support.waiting import until

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECONDS_MAX = 30.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("follow")) as started:
        yield started


@pytest.fixture
def empty(served: Registry) -> Registry:
    served.empty()
    return served


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "feed.ndjson"


def test_people_watermarks_and_batches_arrive_as_they_were_sent(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    source.write_bytes(
        lines(
            feed.person(1, op="c", CHANNEL="OUTREACH", HAPPENED_AT="2026-02-20T10:00:00+07:00"),
            feed.line(
                {
                    "REGENCY_CODE": "3171",
                    "CENTRALISED_SINCE": "2021-03-01",
                    "COMPLETE_TO": "2026-03-02T00:59:00Z",
                    "RECORDS_EXPECTED": 2,
                },
                table="watermark",
            ),
            feed.line(
                {
                    "BATCH_ID": "JB-7",
                    "REGENCY_CODE": "3171",
                    "ANNOUNCED_AT": "2026-03-01T00:00:00Z",
                    "RECORDS_EXPECTED": 10_000,
                },
                table="outreach_batch",
            ),
            feed.beat(),
        )
    )
    done = empty.follow(source)
    assert "4 applied" in done.stdout
    (person,) = empty.rows("SELECT * FROM person")
    assert person["nik"] == nik(1)
    assert person["village_code"] == "3171011001"
    assert person["channel"] == "OUTREACH"
    assert person["happened_at"] == datetime(2026, 2, 20, 3, tzinfo=UTC)
    assert person["source_position"] == 1_100
    (mark,) = empty.rows("SELECT * FROM watermark")
    assert mark["complete_to"] == datetime(2026, 3, 2, 0, 59, tzinfo=UTC)
    assert mark["records_expected"] == 2
    (batch,) = empty.rows("SELECT * FROM outreach_batch")
    assert (batch["batch_id"], batch["applied_at"]) == ("JB-7", None)
    (told,) = empty.rows("SELECT nik, region, channel FROM change_feed ORDER BY id DESC LIMIT 1")
    assert told == {"nik": nik(1), "region": "3171", "channel": "OUTREACH"}


def test_following_a_file_again_changes_nothing(empty: Registry, source: Path) -> None:
    feed = Feed()
    source.write_bytes(
        lines(*(feed.person(n) for n in range(1, 30)), b"{", feed.person(1), feed.gone(2))
    )
    first = empty.run(source)
    before = empty.state(), empty.rows("SELECT nik, record_version FROM person ORDER BY 1")
    again = empty.run(source)
    assert (
        empty.state(),
        empty.rows("SELECT nik, record_version FROM person ORDER BY 1"),
    ) == before
    assert first.counts.applied == 31
    assert again.counts.repeated == again.counts.lines == 32


def test_a_torn_last_line_is_left_until_its_rest_has_come(empty: Registry, source: Path) -> None:
    feed = Feed()
    whole, torn = feed.person(1), feed.person(2)
    source.write_bytes(lines(whole) + torn[:400])
    done = empty.follow(source)
    assert "the last line has no end" in done.stdout
    assert [one["nik"] for one in empty.people()] == [nik(1)]
    assert empty.quarantined() == []
    source.write_bytes(lines(whole, torn))
    assert "the last line has no end" not in empty.follow(source).stdout
    assert [one["nik"] for one in empty.people()] == [nik(1), nik(2)]


def test_a_growing_file_and_new_files_of_a_directory_are_followed(
    empty: Registry, tmp_path: Path
) -> None:
    feed = Feed()
    directory = tmp_path / "feed"
    directory.mkdir()
    (directory / "000.ndjson").write_bytes(lines(feed.person(1)))
    (directory / "notes.txt").write_bytes(b"not a feed")
    following = empty.start("follow", str(directory))
    try:
        until(lambda: len(empty.people()) == 1)
        second = feed.person(2)
        with (directory / "000.ndjson").open("ab", buffering=0) as growing:
            growing.write(second[:100])
            growing.write(second[100:] + b"\n")
        until(lambda: len(empty.people()) == 2)
        (directory / "001.jsonl").write_bytes(lines(feed.person(3), feed.beat()))
        until(lambda: len(empty.people()) == 3)
        following.send_signal(signal.SIGTERM)
        out, _ = following.communicate(timeout=SECONDS_MAX)
    finally:
        following.kill()
        following.communicate()
    assert following.returncode == 0
    assert b"4 applied" in out
    assert empty.quarantined() == []


def test_standard_input_is_followed_to_its_end(empty: Registry) -> None:
    feed = Feed()
    done = empty.command("follow", "-", input=lines(feed.person(1), feed.person(2)))
    assert done.returncode == 0, done.stderr
    assert len(empty.people()) == 2


def test_killed_at_any_moment_it_goes_on_to_the_same_end(empty: Registry, source: Path) -> None:
    feed = Feed()
    written = []
    for n in range(1, 4_001):
        written.append(feed.person(1 + n % 900, ALAMAT=f"JL. CONTOH NO. {n}"))
        if n % 100 == 0:
            written.append(feed.person(n, TGL_LHR="1990-02-30"))
        if n % 500 == 0:
            written.append(feed.gone(1 + n % 900))
    source.write_bytes(lines(*written))
    empty.run(source)
    expected = empty.state()
    empty.empty()
    kills = sum(_killed_after_a_batch(empty, source) for _ in range(8))
    assert kills > 0
    rest = empty.run(source)
    assert rest.counts.lines == len(written)
    assert rest.counts.repeated > 0
    assert empty.state() == expected
    assert len(empty.quarantined()) == 40


def _killed_after_a_batch(to: Registry, source: Path) -> bool:
    """Follow, and kill it once it came further; tells whether it still ran."""
    following = to.start("follow", str(source), "--batch=50")
    try:
        reached = _position(to)
        until(lambda: _position(to) > reached or following.poll() is not None)
    finally:
        following.kill()
        following.communicate()
    return following.returncode == -signal.SIGKILL


def _position(of: Registry) -> int:
    rows = of.rows("SELECT position FROM feed_position")
    return int(rows[0]["position"]) if rows else 0


def test_a_change_older_than_what_is_held_is_kept_out_and_counted(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    newer = feed.person(1, NAMA_LGKP="SITI YANG BARU")
    # A later commit, whose change of the same person is older.
    older = feed.line(row(1, NAMA_LGKP="SITI YANG LAMA"), position=(feed.commit + 500, 900))
    source.write_bytes(lines(newer, older))
    progress = empty.run(source)
    assert (progress.counts.applied, progress.counts.older) == (1, 1)
    assert empty.people()[0]["full_name"] == "SITI YANG BARU"
    assert empty.quarantined() == [("OLDER", "source.lsn")]
    # The same when the two come apart.
    empty.empty()
    source.write_bytes(lines(newer))
    empty.run(source)
    source.write_bytes(lines(newer, older))
    again = empty.run(source)
    assert (again.counts.repeated, again.counts.older) == (1, 1)
    assert empty.people()[0]["full_name"] == "SITI YANG BARU"


def test_a_duplicate_changes_nothing_twice(empty: Registry, source: Path) -> None:
    feed = Feed()
    first = feed.person(1)
    same = feed.line(row(1), position=(feed.commit + 500, feed.change))
    source.write_bytes(lines(first, same))
    assert empty.run(source).counts.duplicate == 1
    assert empty.quarantined() == [("DUPLICATE", "source.lsn")]
    assert empty.rows("SELECT record_version FROM person") == [{"record_version": 1}]


def test_lines_below_the_position_are_repeated_whatever_they_say(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    first, second = feed.person(1), feed.person(2)
    source.write_bytes(lines(second, first))
    counts = empty.run(source).counts
    assert (counts.applied, counts.repeated) == (1, 1)
    assert [one["nik"] for one in empty.people()] == [nik(2)]


def test_people_of_one_log_record_share_a_position_and_all_arrive(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    at = (5_000, 4_900)
    source.write_bytes(lines(*(feed.line(row(n), op="c", position=at) for n in range(1, 8))))
    assert empty.run(source, batch=3).counts.applied == 7
    assert len(empty.people()) == 7
    assert empty.run(source).counts.repeated == 7


def test_a_snapshot_that_was_cut_off_is_finished(empty: Registry, source: Path) -> None:
    feed = Feed()
    snapshot = [
        feed.line(row(n), op="r", position=(None, 5_000), snapshot="true") for n in range(1, 10)
    ]
    change = feed.line(row(1, NAMA_LGKP="SITI BERUBAH"), position=(6_000, 5_500))
    source.write_bytes(lines(*snapshot[:4]))
    empty.run(source)
    source.write_bytes(lines(*snapshot, change))
    counts = empty.run(source).counts
    assert (counts.applied, counts.repeated) == (6, 4)
    assert len(empty.people()) == 9
    assert empty.run(source).counts.repeated == 10


def test_rows_of_an_incremental_snapshot_are_taken_unless_newer_ones_are_held(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    changed = feed.person(1, NAMA_LGKP="SITI BARU")
    late = [feed.line(row(n), op="r", position=(500, 900), snapshot="incremental") for n in (1, 2)]
    source.write_bytes(lines(changed, *late, feed.beat()))
    counts = empty.run(source).counts
    assert (counts.applied, counts.repeated) == (3, 1)
    assert [one["full_name"] for one in empty.people()] == ["SITI BARU", "SITI CONTOH"]


def test_removals_are_applied_and_those_of_nobody_counted(empty: Registry, source: Path) -> None:
    feed = Feed()
    source.write_bytes(lines(feed.person(1), feed.person(2), feed.gone(1), feed.gone(77)))
    counts = empty.run(source).counts
    assert (counts.applied, counts.absent) == (3, 1)
    assert [one["nik"] for one in empty.people()] == [nik(2)]


def test_the_heartbeat_moves_only_as_the_feed_proves(empty: Registry, source: Path) -> None:
    feed = Feed()
    written = [feed.person(1), feed.line(row(2), same_commit=True)]
    source.write_bytes(lines(*written))
    empty.follow(source)
    # The transaction may have more lines: not even its own time is proven.
    assert empty.heartbeat()["kept_by"] == "FEED"
    assert empty.heartbeat()["beat_at"] == EPOCH
    written.append(feed.person(3))
    source.write_bytes(lines(*written))
    empty.follow(source)
    first = empty.heartbeat()
    assert first["beat_at"] == STARTED + timedelta(seconds=1)
    written.append(feed.beat())
    source.write_bytes(lines(*written))
    empty.follow(source)
    second = empty.heartbeat()
    assert second["beat_at"] == STARTED + timedelta(seconds=3)
    assert second["beat"] > first["beat"]
    empty.follow(source)
    assert empty.heartbeat() == second


def test_a_heartbeat_that_states_an_earlier_time_proves_no_more(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    stated = STARTED - timedelta(minutes=5)
    source.write_bytes(lines(feed.line({"TS": stated.isoformat()}, table="heartbeat")))
    empty.run(source)
    assert empty.heartbeat()["beat_at"] == stated


def test_a_snapshot_proves_nothing_by_its_own_times(empty: Registry, source: Path) -> None:
    feed = Feed()
    snapshot = [
        feed.line(row(n), op="r", position=(None, 5_000), snapshot="true") for n in (1, 2, 3)
    ]
    source.write_bytes(lines(*snapshot, feed.line(row(1), position=(6_000, 5_500))))
    empty.run(source)
    assert empty.heartbeat()["beat_at"] == EPOCH


def test_what_our_clock_said_of_regions_is_forgotten_when_a_feed_takes_over(
    empty: Registry, source: Path
) -> None:
    put = (
        "INSERT INTO watermark (regency_code, centralised_since, complete_to) "
        "VALUES ('3171', '2021-03-01', clock_timestamp())"
    )
    told = "SELECT complete_to IS NULL AS forgotten FROM watermark"
    empty.rows("UPDATE heartbeat SET kept_by = 'CLOCK' RETURNING one")
    empty.rows(put + " RETURNING regency_code")
    source.write_bytes(lines(Feed().person(1)))
    empty.run(source)
    assert empty.rows(told) == [{"forgotten": True}]
    empty.rows("UPDATE watermark SET complete_to = clock_timestamp() RETURNING regency_code")
    empty.run(source)
    assert empty.rows(told) == [{"forgotten": False}]


def test_unreadable_lines_of_two_files_are_both_kept(empty: Registry, source: Path) -> None:
    for written in (b"not json", b"nor this", b"not json"):
        source.write_bytes(lines(written))
        empty.run(source)
    assert [reason for reason, _ in empty.quarantined()] == ["NOT_JSON", "NOT_JSON"]


def test_a_second_follower_is_refused(empty: Registry, tmp_path: Path) -> None:
    first = empty.start("follow", "-")
    try:
        until(lambda: empty.heartbeat()["kept_by"] == "FEED")
        second = empty.command("follow", "-", "--name=other")
        assert second.returncode == 1
        assert "another process follows" in second.stderr
    finally:
        first.communicate(timeout=SECONDS_MAX)
    assert first.returncode == 0


def test_protected_elements_are_stored_nowhere(empty: Registry, source: Path) -> None:
    feed = Feed()
    secret = "RAHASIA-7731"
    protected: dict[str, Any] = {
        "KLAIN_FSK": secret,
        "PNYDNG_CCT": secret,
        "FINGERPRINT": {"LEFT": secret},
    }
    source.write_bytes(
        lines(
            feed.person(1, **protected),
            feed.person(2, TGL_LHR="1990-02-30", **protected),
            feed.line(row(3, NIK="12", **protected), before=row(3, **protected)),
            feed.line({"X": secret}, table=secret),
            feed.line({"SCAN": secret}, op="x"),
            f'{{"op": "{secret}'.encode(),
            json.dumps({"op": "u", "source": [secret]}).encode(),
        )
    )
    counts = empty.run(source).counts
    assert (counts.applied, counts.rejected) == (1, 6)
    assert secret not in empty.everything()


def test_a_change_that_the_database_refuses_stops_no_others(empty: Registry, source: Path) -> None:
    feed = Feed()
    empty.rows("ALTER TABLE person ADD CONSTRAINT tested CHECK (full_name <> 'TIDAK BISA')")
    try:
        names = {7: "TIDAK BISA"}
        written = [feed.person(n, NAMA_LGKP=names.get(n, "SITI CONTOH")) for n in range(1, 21)]
        source.write_bytes(lines(*written))
        counts = empty.run(source).counts
        assert (counts.applied, counts.rejected) == (19, 1)
        assert empty.quarantined() == [("NOT_STORABLE", "CheckViolation")]
    finally:
        empty.rows("ALTER TABLE person DROP CONSTRAINT tested")


def test_a_lost_session_is_taken_up_again(empty: Registry) -> None:
    feed = Feed()
    following = empty.start("follow", "-")
    try:
        assert following.stdin is not None
        following.stdin.write(lines(feed.person(1)))
        following.stdin.flush()
        until(lambda: len(empty.people()) == 1)
        empty.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'registry-follow'"
        )
        out, _ = following.communicate(lines(feed.person(2), feed.person(3)), SECONDS_MAX)
    finally:
        following.kill()
        following.communicate()
    assert following.returncode == 0
    assert b"3 applied" in out
    assert len(empty.people()) == 3


@pytest.mark.parametrize("words", [["/nowhere/feed.ndjson"], ["-", "--batch=0"]])
def test_what_cannot_be_followed_is_told_in_one_line(empty: Registry, words: list[str]) -> None:
    done = empty.command("follow", "--once", *words)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_a_registry_that_cannot_be_reached_is_told(empty: Registry, source: Path) -> None:
    source.write_bytes(b"")
    away = Registry(empty.url.replace("/registry", "/nowhere"))
    done = away.command("follow", str(source), "--once")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr


CHANGES = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(["change", "bad", "gone", "beat", "mark"])),
    min_size=1,
    max_size=25,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=CHANGES,
    cuts=st.lists(st.integers(0, 25), max_size=4),
    batch=st.integers(1, 7),
    data=st.data(),
)
def test_however_a_feed_is_split_and_repeated_the_end_is_the_same(
    served: Registry,
    tmp_path: Path,
    changes: list[tuple[int, str]],
    cuts: list[int],
    batch: int,
    data: st.DataObject,
) -> None:
    feed = Feed()
    written = [_written(feed, number, kind) for number, kind in changes]
    source = tmp_path / "feed.ndjson"
    served.empty()
    source.write_bytes(lines(*written))
    served.run(source)
    expected = served.state()
    served.empty()
    for cut in [*sorted(min(cut, len(written)) for cut in cuts), len(written)]:
        start = data.draw(st.integers(0, cut))
        # What was sent before may be sent again, but nothing is left out.
        reached = _applied(served, written)
        source.write_bytes(lines(*written[min(start, reached) : cut]))
        served.run(source, batch=batch)
    assert served.state() == expected


def _written(feed: Feed, number: int, kind: str) -> bytes:
    match kind:
        case "change":
            return feed.person(number, ALAMAT=f"JL. NO. {feed.change}")
        case "bad":
            return feed.person(number, JENIS_KLMIN=9, ALAMAT=f"JL. NO. {feed.change}")
        case "gone":
            return feed.gone(number)
        case "beat":
            return feed.beat()
        case _:
            mark = {"REGENCY_CODE": f"317{number}", "COMPLETE_TO": feed.at.isoformat()}
            return feed.line(mark, table="watermark")


def _applied(of: Registry, written: list[bytes]) -> int:
    """Tell how many of these lines are applied."""
    reached = _position(of)
    return sum(json.loads(line)["source"]["lsn"] <= reached for line in written)


def test_nothing_of_a_feed_is_in_the_log(empty: Registry, source: Path) -> None:
    feed = Feed()
    source.write_bytes(lines(feed.person(1, NAMA_LGKP="JANGAN TERCATAT", TGL_LHR="x")))
    done: subprocess.CompletedProcess[str] = empty.follow(source)
    assert "JANGAN" not in done.stdout + done.stderr
    assert nik(1) not in done.stdout + done.stderr
    with psycopg.connect(empty.url) as connection:
        assert connection.execute("SELECT count(*) FROM quarantine").fetchone() == (1,)
