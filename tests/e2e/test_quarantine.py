"""`registry quarantine` on a real registry: listing shows nobody, a retry respects what is held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_load import write_csv
from tests.support.feed import Feed, Registry, lines, nik, registry, row


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("quarantine")) as started:
        yield started


@pytest.fixture
def empty(served: Registry) -> Registry:
    served.empty()
    return served


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "feed.ndjson"


NEW_REGION = {"NO_PROP": "97", "NO_KAB": "01", "NO_KEC": "01", "NO_KEL": "2001"}
"""A region that no edition has yet."""


def publish(to: Registry) -> None:
    """Put the new region into the registry's list."""
    for code, level, parent in (
        ("97", "province", None),
        ("9701", "regency", "97"),
        ("970101", "district", "9701"),
    ):
        to.rows(
            "INSERT INTO region (code, level, name, parent, first_edition, last_edition) "
            "VALUES (%s, %s, 'Contoh', %s, 'test', '2025')",
            code,
            level,
            parent,
        )


def ids(of: Registry) -> list[str]:
    return [str(one["id"]) for one in of.rows("SELECT id FROM quarantine ORDER BY id")]


def test_a_list_shows_where_and_why_and_nobody(empty: Registry, source: Path) -> None:
    feed = Feed()
    source.write_bytes(
        lines(
            feed.person(1, NAMA_LGKP="SITI RAHASIA", TGL_LHR="1990-02-30"),
            feed.person(2, NAMA_LGKP="SITI RAHASIA", AGAMA=12),
            b"not json",
        )
    )
    empty.run(source, name="pusat")
    done = empty.command("quarantine", "list")
    assert done.returncode == 0
    for told in ("pusat", "1100/1100", "DATE_IMPOSSIBLE", "TGL_LHR is no possible date"):
        assert told in done.stdout
    assert "1200/1200+1" in done.stdout
    for personal in ("RAHASIA", nik(1), nik(2), "1990", "12 "):
        assert personal not in done.stdout + done.stderr
    only = empty.command("quarantine", "list", "--reason=CODE_UNKNOWN", "--source=pusat")
    assert "AGAMA" in only.stdout
    assert "TGL_LHR" not in only.stdout
    assert (
        "CODE_UNKNOWN"
        not in empty.command("quarantine", "list", "--limit=1").stdout.split("in quarantine")[0]
    )


def test_show_prints_the_content_and_says_that_it_is_personal(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    source.write_bytes(lines(feed.person(1, TGL_LHR="1990-02-30")))
    empty.run(source)
    done = empty.command("quarantine", "show", *ids(empty))
    assert "personal data" in done.stderr
    assert json.loads(done.stdout)["after"]["NIK"] == nik(1)
    missing = empty.command("quarantine", "show", "1")
    assert missing.returncode == 1
    assert "no row" in missing.stderr


def test_a_retry_applies_what_passes_once_the_region_is_known(
    empty: Registry, source: Path
) -> None:
    feed = Feed()
    source.write_bytes(
        lines(
            feed.person(1, **NEW_REGION),
            feed.person(2, TGL_LHR="1990-02-30"),
            feed.line(
                {"REGENCY_CODE": "9701", "COMPLETE_TO": "2026-03-02T00:00:00Z"}, table="watermark"
            ),
        )
    )
    empty.run(source)
    assert [reason for reason, _ in empty.quarantined()] == [
        "REGION_UNKNOWN",
        "DATE_IMPOSSIBLE",
        "REGION_UNKNOWN",
    ]
    before = empty.command("quarantine", "retry", "--all")
    assert before.returncode == 1
    assert "0 applied, 3 still kept out" in before.stdout
    publish(empty)
    done = empty.command("quarantine", "retry", "--reason=REGION_UNKNOWN")
    assert done.returncode == 0
    assert "2 applied, 0 still kept out" in done.stdout
    (person,) = empty.people()
    assert (person["nik"], person["village_code"], person["source_position"]) == (
        nik(1),
        "9701012001",
        1_100,
    )
    assert len(empty.rows("SELECT * FROM watermark WHERE regency_code = '9701'")) == 1
    assert empty.quarantined() == [("DATE_IMPOSSIBLE", "TGL_LHR is no possible date")]
    assert "REGION_UNKNOWN" in empty.command("quarantine", "list", "--resolved").stdout


def test_a_retry_does_not_replace_a_newer_record(empty: Registry, source: Path) -> None:
    feed = Feed()
    source.write_bytes(
        lines(feed.person(1, **NEW_REGION), feed.person(1, NAMA_LGKP="SITI YANG BARU"))
    )
    empty.run(source)
    publish(empty)
    done = empty.command("quarantine", "retry", *ids(empty))
    assert done.returncode == 1
    assert "OLDER" in done.stdout
    (person,) = empty.people()
    assert person["full_name"] == "SITI YANG BARU"
    assert [reason for reason, _ in empty.quarantined()] == ["OLDER"]


def test_a_retry_does_not_bring_back_who_was_removed(empty: Registry, source: Path) -> None:
    feed = Feed()
    first = feed.person(1, **NEW_REGION)
    source.write_bytes(lines(first))
    empty.run(source)
    source.write_bytes(lines(first, feed.gone(1), feed.person(2, **NEW_REGION), feed.gone(2)))
    empty.run(source)
    publish(empty)
    assert "0 applied, 2 still kept out" in empty.command("quarantine", "retry", "--all").stdout
    assert empty.people() == []


def test_retried_changes_of_one_person_end_with_the_last(empty: Registry, source: Path) -> None:
    feed = Feed()
    source.write_bytes(
        lines(*(feed.person(1, NAMA_LGKP=f"SITI {n}", **NEW_REGION) for n in ("SATU", "DUA")))
    )
    empty.run(source)
    publish(empty)
    assert "2 applied" in empty.command("quarantine", "retry", "--all").stdout
    assert empty.people()[0]["full_name"] == "SITI DUA"
    assert "0 applied, 0 still" in empty.command("quarantine", "retry", "--all").stdout


def test_a_retried_watermark_does_not_turn_back_a_newer_one(empty: Registry, source: Path) -> None:
    feed = Feed()
    marks = [
        feed.line({"REGENCY_CODE": "9701", "COMPLETE_TO": at}, table="watermark")
        for at in ("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")
    ]
    source.write_bytes(lines(marks[0]))
    empty.run(source)
    publish(empty)
    source.write_bytes(lines(*marks))
    empty.run(source)
    empty.command("quarantine", "retry", "--all")
    (mark,) = empty.rows("SELECT complete_to FROM watermark")
    assert mark["complete_to"].day == 2


def test_a_loaded_row_is_retried_unless_the_record_was_changed_since(
    empty: Registry, tmp_path: Path
) -> None:
    rows = [row(1, **NEW_REGION), row(2, **NEW_REGION)]
    empty.command("load", str(write_csv(tmp_path / "first.csv", rows)))
    empty.command("load", str(write_csv(tmp_path / "second.csv", [row(2, NAMA_LGKP="BARU")])))
    publish(empty)
    done = empty.command("quarantine", "retry", "--all")
    assert "1 applied, 1 still kept out" in done.stdout
    assert "changed since" in done.stdout
    assert [(one["nik"], one["full_name"]) for one in empty.people()] == [
        (nik(1), "SITI CONTOH"),
        (nik(2), "BARU"),
    ]


@pytest.mark.parametrize("words", [[], ["1", "--all"], ["--all", "--reason=OLDER"]])
def test_a_retry_is_told_which_rows(empty: Registry, words: list[str]) -> None:
    done = empty.command("quarantine", "retry", *words)
    assert done.returncode == 2
    assert "name either" in done.stderr


def test_retry_of_an_id_that_is_not_there_is_told(empty: Registry) -> None:
    done = empty.command("quarantine", "retry", "99999")
    assert done.returncode == 1
    assert "1 of these ids wait for nothing" in done.stdout


@pytest.mark.parametrize("command", [("follow", "-"), ("quarantine", "list")])
def test_a_url_that_is_none_is_one_clear_line(
    empty: Registry, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(empty, "url", "nonsense")
    done = empty.command(*command)
    assert done.returncode != 0
    assert "the registry's URL cannot be read" in done.stderr
    assert "Traceback" not in done.stderr
