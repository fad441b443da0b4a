"""Lines of a feed: each bad one has its reason, and tells no value."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.feed import (
    LINE_BYTES_MAX,
    START,
    Beat,
    Line,
    OutreachBatch,
    PersonChange,
    PersonGone,
    Position,
    Reason,
    Rejected,
    Watermark,
)
from padan_server.domain.feed.columns import PERSON
from padan_server.domain.feed.content import known, loaded_row, of_line, of_row
from padan_server.domain.feed.envelope import AHEAD_MS_MAX, FeedReader
from padan_server.domain.feed.person import KnownRegions
from padan_server.domain.region import RegionTable
from tests.support.feed import Feed, nik, row

REGIONS = KnownRegions(RegionTable.published())
NOW_MS = 1_772_413_200_000


def reader(**options: Any) -> FeedReader:
    return FeedReader(REGIONS, clock=lambda: NOW_MS, **options)


def read(raw: bytes) -> Line:
    line = reader().read(raw)
    assert line is not None
    return line


def rejected(raw: bytes) -> Rejected:
    change = read(raw).change
    assert isinstance(change, Rejected)
    return change


def person(**special: Any) -> dict[str, Any]:
    change = read(Feed().person(1, **special)).change
    assert isinstance(change, PersonChange), change
    return dict(zip(PERSON, change.values, strict=True))


@pytest.mark.parametrize(
    ("special", "reason", "column"),
    [
        ({"NIK": "317101410790"}, Reason.NIK_MALFORMED, "NIK"),
        ({"NIK": "3171014107900000"}, Reason.NIK_MALFORMED, "NIK"),
        ({"NIK": "31710141079000\u09661"}, Reason.NIK_MALFORMED, "NIK"),
        ({"NIK": None}, Reason.COLUMN_MISSING, "NIK"),
        ({"NO_KK": ""}, Reason.COLUMN_MISSING, "NO_KK"),
        ({"NO_KK": "123"}, Reason.VALUE_UNFIT, "NO_KK"),
        ({"NAMA_LGKP": "   "}, Reason.COLUMN_MISSING, "NAMA_LGKP"),
        ({"NAMA_LGKP": "A" * 61}, Reason.TEXT_TOO_LONG, "NAMA_LGKP"),
        ({"NAMA_LGKP": "A\u0000B"}, Reason.VALUE_UNFIT, "NAMA_LGKP"),
        ({"ALAMAT": ["JL."]}, Reason.VALUE_UNFIT, "ALAMAT"),
        ({"TGL_LHR": "1990-02-30"}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"TGL_LHR": "01-07-1990"}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"TGL_LHR": "19900701"}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"TGL_LHR": "2026-03-05"}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"TGL_LHR": "1799-12-31"}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"TGL_LHR": 20_600}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"TGL_LHR": 10**9}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"TGL_LHR": True}, Reason.DATE_IMPOSSIBLE, "TGL_LHR"),
        ({"HAPPENED_AT": "2026-03-05T00:00:00Z"}, Reason.DATE_IMPOSSIBLE, "HAPPENED_AT"),
        ({"TGL_ENTRI": "yesterday"}, Reason.DATE_IMPOSSIBLE, "TGL_ENTRI"),
        ({"TGL_ENTRI": 10**18}, Reason.DATE_IMPOSSIBLE, "TGL_ENTRI"),
        ({"JENIS_KLMIN": 3}, Reason.CODE_UNKNOWN, "JENIS_KLMIN"),
        ({"JENIS_KLMIN": 0}, Reason.CODE_UNKNOWN, "JENIS_KLMIN"),
        ({"JENIS_KLMIN": "L"}, Reason.CODE_UNKNOWN, "JENIS_KLMIN"),
        ({"AGAMA": 8}, Reason.CODE_UNKNOWN, "AGAMA"),
        ({"EKTP_CURRENT_STATUS_CODE": "LOST"}, Reason.CODE_UNKNOWN, "EKTP_CURRENT_STATUS_CODE"),
        ({"CHANNEL": "POST"}, Reason.CODE_UNKNOWN, "CHANNEL"),
        ({"CHANNEL": "OUTREACH", "HAPPENED_AT": None}, Reason.COLUMN_MISSING, "HAPPENED_AT"),
        ({"NO_PROP": "99"}, Reason.REGION_UNKNOWN, "region"),
        ({"NO_KEC": "99"}, Reason.REGION_UNKNOWN, "region"),
        ({"NO_KAB": None}, Reason.COLUMN_MISSING, "NO_KAB"),
        ({"NO_KEC": None}, Reason.COLUMN_MISSING, "NO_KEC"),
        ({"KODE_WILAYAH": "31.7"}, Reason.VALUE_UNFIT, "KODE_WILAYAH"),
    ],
)
def test_a_bad_row_has_its_reason_and_names_the_column(
    special: dict[str, Any], reason: Reason, column: str
) -> None:
    found = rejected(Feed().person(1, **special))
    assert found.reason is reason
    assert column in found.detail
    for name, value in special.items():
        assert name == "CHANNEL" or len(str(value)) < 5 or str(value) not in found.detail


def test_all_that_is_wrong_with_a_row_is_told_at_once() -> None:
    found = rejected(Feed().person(1, NO_KK="1", TGL_LHR="1990-02-30", AGAMA=99))
    assert found.detail == (
        "NO_KK is not 16 digits; TGL_LHR is no possible date; AGAMA is no code from 1 to 7"
    )
    assert found.nik == nik(1)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", Reason.NOT_JSON),
        (b"siti", Reason.NOT_JSON),
        (b"\xff\xfe", Reason.NOT_JSON),
        (b"[1]", Reason.NOT_AN_ENVELOPE),
        (b'"text"', Reason.NOT_AN_ENVELOPE),
        (b'{"op":"u"}', Reason.NOT_AN_ENVELOPE),
        (b'{"source":{"table":"biodata"},"op":7}', Reason.NOT_AN_ENVELOPE),
        (b'{"a":"' + b"x" * LINE_BYTES_MAX + b'"}', Reason.LINE_TOO_LONG),
        (Feed().line([1]), Reason.NOT_AN_ENVELOPE),  # type: ignore[arg-type]
        (Feed().line(None), Reason.NOT_AN_ENVELOPE),
        (Feed().line({}, table="penduduk"), Reason.TABLE_UNKNOWN),
        (Feed().line({}, op="t"), Reason.OPERATION_UNKNOWN),
        (Feed().line(row(1), sequence=None), Reason.POSITION_MISSING),
        (Feed().line(row(1), sequence="[]"), Reason.POSITION_MISSING),
        (Feed().line(row(1), sequence='["x","1"]'), Reason.POSITION_MISSING),
        (Feed().line(row(1), lsn=-4), Reason.POSITION_MISSING),
        (Feed().line(row(1), lsn=2**63), Reason.POSITION_MISSING),
        (Feed().line({"NIK": "1"}, op="d"), Reason.NOT_AN_ENVELOPE),
        (Feed().line(None, before={"NIK": "1"}, op="d"), Reason.NIK_MALFORMED),
        (Feed().line(None, before={}, op="d"), Reason.COLUMN_MISSING),
        (Feed().line({}, table="watermark"), Reason.COLUMN_MISSING),
        (Feed().line({"REGENCY_CODE": "9999"}, table="watermark"), Reason.REGION_UNKNOWN),
        (Feed().line({"REGENCY_CODE": "31"}, table="watermark"), Reason.REGION_UNKNOWN),
        (
            Feed().line({"REGENCY_CODE": "3171", "COMPLETE_TO": "2099-01-01"}, table="watermark"),
            Reason.DATE_IMPOSSIBLE,
        ),
        (
            Feed().line({"BATCH_ID": "1", "REGENCY_CODE": "3171"}, table="outreach_batch"),
            Reason.COLUMN_MISSING,
        ),
        (Feed().line({"TS": "soon"}, table="heartbeat"), Reason.DATE_IMPOSSIBLE),
        (Feed().line({}, table="heartbeat", ts_ms=0), Reason.COLUMN_MISSING),
    ],
)
def test_a_bad_line_has_its_reason(raw: bytes, reason: Reason) -> None:
    assert rejected(raw).reason is reason


@pytest.mark.parametrize(
    "raw", [b"", b"  ", b"null", b'{"schema":{},"payload":null}', b'{"ts_ms":1772413200000}']
)
def test_a_line_that_says_nothing_is_skipped(raw: bytes) -> None:
    assert reader().read(raw) is None


def test_an_envelope_may_come_with_its_schema() -> None:
    bare = Feed().person(1)
    wrapped = b'{"schema":{"type":"struct"},"payload":' + bare + b"}"
    assert read(wrapped).change == read(bare).change
    assert read(wrapped).position == read(bare).position


def test_values_come_in_several_forms() -> None:
    plain = person()
    lower = {name.lower(): value for name, value in row(1).items()}
    change = read(Feed().line(lower)).change
    assert isinstance(change, PersonChange)
    assert dict(zip(PERSON, change.values, strict=True)) == plain
    assert person(TGL_LHR=7486) == plain
    assert person(NO_PROP=31, NO_KAB=71, NO_KEC=1, NO_KEL=1001) == plain
    assert person(NO_PROP=None, KODE_WILAYAH="31.71.01.1001") == plain
    assert person(JENIS_KLMIN="2", AGAMA=1.0, NAMA_LGKP="  SITI CONTOH ") == plain
    at = 1_709_258_400_000
    assert person(TGL_ENTRI=at, HAPPENED_AT=at * 1000) == plain
    assert person(TGL_ENTRI="2024-03-01 09:00:00", HAPPENED_AT="2024-03-01T02:00:00Z") == plain
    assert person(HAPPENED_AT=None, TGL_UBAH="2024-03-01T09:00:00+07:00") == plain
    assert person(HAPPENED_AT=None) == plain
    assert person(CHANNEL="office") == plain
    assert person(NIK=int(nik(1)), NO_KK=3171010101200001) == plain


def test_where_nothing_is_on_record_the_record_says_so() -> None:
    empty = person(GOL_DRH=None, TMPT_LHR=None, NO_RT="", KODE_POS="", CHANNEL=None, AGAMA=0)
    assert (empty["blood_type"], empty["birth_place"], empty["rt"]) == (0, "", "")
    assert (empty["postal_code"], empty["channel"], empty["religion"]) == (None, "CENTRAL", 0)


def test_a_residence_may_be_known_to_the_regency_only() -> None:
    assert person(NO_KEC=None, NO_KEL=None)["village_code"] == "3171"
    assert person(NO_KEL=None)["village_code"] == "317101"


def test_a_residence_in_a_retired_region_is_known() -> None:
    table = RegionTable.published()
    retired = next(iter(table.retired("district")))
    parts = {"NO_PROP": retired.code[:2], "NO_KAB": retired.code[2:4], "NO_KEC": retired.code[4:]}
    assert person(**parts)["village_code"] == retired.code + "1001"


def test_other_tables_are_read() -> None:
    mark = read(
        Feed().line(
            {"regency_code": "31.71", "complete_to": "2026-03-02T08:00:09"}, table="WATERMARK"
        )
    ).change
    assert isinstance(mark, Watermark)
    # Complete at most to when it was sent, which is a second after eight in Jakarta.
    assert (mark.regency_code, mark.complete_to and mark.complete_to.second) == ("3171", 1)
    gone = read(Feed().line(None, before={"BATCH_ID": 7}, op="d", table="outreach_batch")).change
    assert gone == OutreachBatch(batch_id="7", gone=True)
    assert isinstance(read(Feed().beat()).change, Beat)
    assert read(Feed().gone(3)).change == PersonGone(nik(3))


def test_lines_have_places_of_their_own() -> None:
    feed = Feed()
    same = (5_000, 4_900)
    written = [
        b"{",
        feed.person(1),
        b"{",
        b"[",
        feed.line(row(2), position=same),
        feed.line(row(3), position=same),
        b"{",
        feed.person(4),
    ]
    one = reader()
    places = [line.place for line in map(one.read, written) if line is not None]
    assert places == [
        f"0/0+1.{crc32(b'{'):08x}",
        "1100/1100",
        f"1100/1100+1.{crc32(b'{'):08x}",
        f"1100/1100+2.{crc32(b'['):08x}",
        "5000/4900",
        "5000/4900~2",
        f"5000/4900~2+1.{crc32(b'{'):08x}",
        "1200/1200" if feed.commit == 1_200 else f"{feed.commit}/{feed.change}",
    ]


def test_lines_below_what_is_applied_are_read_no_further() -> None:
    feed = Feed()
    one = reader(applied=Position(1_200, 1_200))
    below, at, above = (one.read(feed.person(n, AGAMA=99)) for n in (1, 2, 3))
    assert below is not None
    assert below.change is None
    assert at is not None
    assert isinstance(at.change, Rejected)
    assert above is not None
    assert isinstance(above.change, Rejected)


def test_a_snapshot_needs_no_sequence_and_proves_no_time() -> None:
    line = read(Feed().line(row(1), op="r", sequence=None, snapshot="true"))
    assert line.position == Position(1_100, 1_100)
    assert line.committed_ms == 0
    assert line.snapshot
    assert not line.incremental


def test_quarantine_keeps_known_columns_only_and_can_be_read_again() -> None:
    raw = Feed().line(
        row(1, AGAMA=99, KLAIN_FSK=1, FINGERPRINT={"a": "b"}, ALAMAT={"nested": "x"}),
        before=row(1, KLAIN_FSK=1),
    )
    content = json.loads(of_line(raw))
    assert "before" not in content
    assert content["after"].keys() == row(1).keys() - {"ALAMAT"}
    again = rejected(of_line(raw).encode())
    assert again.reason is rejected(raw).reason
    assert read(of_line(raw).encode()).position == read(raw).position
    assert of_line(b"{") == of_line(b"[]") == ""
    assert "rahasia" not in of_line(Feed().line({"a": "rahasia"}, table="rahasia"))


def test_a_loaded_row_is_told_from_a_feeds_line() -> None:
    assert loaded_row(of_row({"NIK": nik(1), "X": 1})) == {"NIK": nik(1)}
    assert loaded_row(of_line(Feed().person(1))) is None
    assert known({"nik": int(nik(1))}, frozenset({"NIK"})) == {"NIK": nik(1)}


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    line = reader().read(raw)
    assert line is None or isinstance(line.change, Rejected)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(
    special=st.dictionaries(st.sampled_from(sorted(row(1))), JSON, max_size=4),
    source=st.dictionaries(
        st.sampled_from(["lsn", "sequence", "ts_ms", "table", "snapshot"]), JSON, max_size=2
    ),
    op=st.sampled_from("cudrx"),
)
def test_whatever_stands_in_an_envelope_is_read_or_refused(
    special: dict[str, Any], source: dict[str, Any], op: str
) -> None:
    stated = json.loads(Feed().line(row(1, **special), op=op, before=special))
    stated["source"] |= source
    raw = json.dumps(stated).encode()
    line = reader().read(raw)
    assert line is not None
    assert line.change is not None
    assert line.position is None or line.position > START
    of_line(raw)


def test_a_time_ahead_of_our_clock_proves_nothing_and_its_change_is_read() -> None:
    """Believed, it would make the registry look young until the time has come."""
    feed = Feed()
    ahead = json.loads(feed.person(1))
    for by_ms, proves in ((AHEAD_MS_MAX, True), (AHEAD_MS_MAX + 1, False)):
        ahead["source"]["ts_ms"] = NOW_MS + by_ms
        line = reader().read(json.dumps(ahead).encode())
        assert line is not None
        assert isinstance(line.change, PersonChange)
        assert bool(line.committed_ms) is proves
