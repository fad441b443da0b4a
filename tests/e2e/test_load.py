"""`registry load` on a real registry: three formats, wrong headers, refused rows, loaded again."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from padan_server.adapters.feed_files import open_file
from padan_server.domain.feed import FeedError
from tests.support.feed import Feed, Registry, lines, nik, registry, row


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("load")) as started:
        yield started


@pytest.fixture
def empty(served: Registry) -> Registry:
    served.empty()
    return served


PEOPLE = [
    row(1, NAMA_LGKP="SITI, CONTOH", ALAMAT='JL. "MELATI" NO. 1'),
    row(2, NAMA_LGKP="MUHAMMAD CONTOH", GLR_AKADEMIS="S.T.", KODE_POS=None, GOL_DRH=None),
    row(
        3,
        NAMA_LGKP="JOSÉ CONTOH",
        ALAMAT="JL. A\\B\tC\nD\\N",
        DUSUN="\\N",
        TGL_KWN="2015-05-05",
        STAT_KWN=2,
    ),
]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), **options)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_ndjson(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    typed = [
        dict(one)
        | {
            "TGL_LHR": date.fromisoformat(one["TGL_LHR"]),
            "TGL_ENTRI": datetime.fromisoformat(one["TGL_ENTRI"]),
        }
        for one in rows
    ]
    pq.write_table(pa.Table.from_pylist(typed), path)
    return path


WRITERS = {"csv": write_csv, "ndjson": write_ndjson, "parquet": write_parquet}


@pytest.mark.parametrize("form", WRITERS)
def test_every_format_gives_the_same_people(empty: Registry, tmp_path: Path, form: str) -> None:
    source = tmp_path / "feed.ndjson"
    feed = Feed()
    source.write_bytes(lines(*(feed.line(one) for one in PEOPLE)))
    empty.run(source)
    expected = [one | {"source_position": 0} for one in empty.people()]
    empty.empty()
    done = empty.command("load", str(WRITERS[form](tmp_path / f"people.{form}", PEOPLE)))
    assert done.returncode == 0, done.stderr
    assert "3 written" in done.stdout
    assert empty.people() == expected
    assert empty.quarantined() == []


@pytest.mark.parametrize("form", WRITERS)
def test_a_wrong_header_is_one_error_and_nothing_is_written(
    empty: Registry, tmp_path: Path, form: str
) -> None:
    wrong = []
    for one in PEOPLE:
        renamed: dict[str, Any] = {"TGL_LHR": one["TGL_LHR"], "TGL_ENTRI": one["TGL_ENTRI"]}
        renamed |= {name: value for name, value in one.items() if name not in ("NIK", "NO_KAB")}
        wrong.append(renamed | {"NOMOR": one["NIK"]})
    file = WRITERS[form](tmp_path / f"people.{form}", wrong)
    before = empty.state()
    done = empty.command("load", str(file))
    assert done.returncode == 2
    assert "missing columns: NIK, NO_KAB; unknown columns: NOMOR" in done.stderr
    assert done.stderr.count("error") == 1
    assert empty.state() == before


def test_wrong_rows_are_reported_with_their_lines_and_stop_no_others(
    empty: Registry, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    write_csv(
        file,
        [
            row(1),
            row(2, NIK="317101"),
            row(3, TGL_LHR="1990-13-01"),
            row(4, NO_PROP="99"),
            row(5, ALAMAT="JL. DUA\nBARIS"),
            row(6, NO_KK=""),
            row(1),
            row(7),
        ],
    )
    with file.open("ab") as grown:
        grown.write(b"too,few\n\xff" + b"," * (len(row(1)) - 1) + b"\n")
    done = empty.command("load", str(file))
    assert done.returncode == 1
    assert [one["nik"] for one in empty.people()] == [nik(1), nik(5), nik(7)]
    kept = empty.rows("SELECT place, source, reason FROM quarantine ORDER BY id")
    assert {one["source"] for one in kept} == {"load:people.csv"}
    assert sorted((one["place"], one["reason"]) for one in kept) == [
        ("line 11", "VALUE_UNFIT"),
        ("line 12", "VALUE_UNFIT"),
        ("line 3", "NIK_MALFORMED"),
        ("line 4", "DATE_IMPOSSIBLE"),
        ("line 5", "REGION_UNKNOWN"),
        ("line 8", "COLUMN_MISSING"),
        ("line 9", "DUPLICATE"),
    ]
    for place in ("line 3", "line 11"):
        assert place in done.stdout
    assert "317101" not in done.stdout + done.stderr


def test_loading_a_file_again_changes_nothing(empty: Registry, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "people.csv", [*PEOPLE, row(4, NIK="1"), row(1)])
    empty.command("load", str(file))
    versions = "SELECT nik, record_version FROM person ORDER BY nik"
    before = empty.state(), empty.rows(versions), empty.rows("SELECT max(id) FROM change_feed")
    done = empty.command("load", str(file))
    assert "0 written" in done.stdout
    assert "3 unchanged" in done.stdout
    after = empty.state(), empty.rows(versions), empty.rows("SELECT max(id) FROM change_feed")
    assert after == before


def test_a_corrected_record_is_written_and_announced(empty: Registry, tmp_path: Path) -> None:
    empty.command("load", str(write_csv(tmp_path / "people.csv", PEOPLE)))
    corrected = [PEOPLE[0], PEOPLE[1] | {"ALAMAT": "JL. BARU"}]
    done = empty.command("load", str(write_csv(tmp_path / "people.csv", corrected)))
    assert "1 written" in done.stdout
    (told,) = empty.rows("SELECT nik, operation FROM change_feed ORDER BY id DESC LIMIT 1")
    assert told == {"nik": nik(2), "operation": "UPDATE"}


def test_a_record_that_came_with_a_feed_is_the_feeds(empty: Registry, tmp_path: Path) -> None:
    source = tmp_path / "feed.ndjson"
    feed = Feed()
    source.write_bytes(lines(feed.person(1), feed.person(2)))
    empty.run(source)
    before = empty.people()
    rows = [row(1), row(2, NAMA_LGKP="SITI DARI BERKAS")]
    done = empty.command("load", str(write_csv(tmp_path / "people.csv", rows)))
    assert done.returncode == 1
    assert "KEPT_BY_FEED" in done.stdout
    assert "1 unchanged" in done.stdout
    assert empty.people() == before


def test_a_load_leaves_the_heartbeat_alone(empty: Registry, tmp_path: Path) -> None:
    before = empty.heartbeat()
    empty.command("load", str(write_csv(tmp_path / "people.csv", PEOPLE)))
    assert empty.heartbeat() == before


@pytest.mark.parametrize("form", WRITERS)
def test_protected_elements_of_a_file_are_stored_nowhere(
    empty: Registry, tmp_path: Path, form: str
) -> None:
    secret = "RAHASIA-7731"
    rows = [
        one | {"KLAIN_FSK": secret, "SIDIK_JARI": secret, "AKTA_LHR": "2"}
        for one in (row(1), row(2, NIK="1"))
    ]
    done = empty.command("load", str(WRITERS[form](tmp_path / f"people.{form}", rows)))
    assert done.returncode == 1
    assert len(empty.people()) == 1
    assert len(empty.quarantined()) == 1
    assert secret not in empty.everything()


def test_a_row_that_the_database_refuses_stops_no_others(empty: Registry, tmp_path: Path) -> None:
    empty.rows("ALTER TABLE person ADD CONSTRAINT tested CHECK (full_name <> 'TIDAK BISA')")
    try:
        rows = [row(n, NAMA_LGKP="TIDAK BISA" if n == 4 else "SITI") for n in range(1, 9)]
        done = empty.command("load", str(write_csv(tmp_path / "people.csv", rows)))
        assert done.returncode == 1
        assert len(empty.people()) == 7
        assert empty.quarantined() == [("NOT_STORABLE", "CheckViolation")]
    finally:
        empty.rows("ALTER TABLE person DROP CONSTRAINT tested")


def test_a_file_without_a_known_suffix_needs_its_format_named(
    empty: Registry, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "people.txt", PEOPLE)
    assert "name its --format" in empty.command("load", str(file)).stderr
    assert empty.command("load", str(file), "--format=csv").returncode == 0


def test_a_file_that_is_no_parquet_is_told(empty: Registry, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "people.parquet", PEOPLE)
    done = empty.command("load", str(file))
    assert done.returncode == 2
    assert "is no Parquet file" in done.stderr


def test_without_pyarrow_an_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_parquet(tmp_path / "people.parquet", PEOPLE)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(FeedError, match=r"padan-server\[parquet\]"):
        open_file(file, None)
