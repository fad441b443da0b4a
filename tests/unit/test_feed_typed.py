"""The short way and the long way read the same rows into the same records."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.feed import PersonChange
from padan_server.domain.feed.person import Horizon, KnownRegions, read_person
from padan_server.domain.feed.typed import read_typed
from padan_server.domain.region import RegionTable
from tests.support.feed import row

REGIONS = KnownRegions(RegionTable.published())
HORIZON = Horizon(date(2026, 3, 3), datetime(2026, 3, 3, tzinfo=UTC))

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-10, 120)
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(
        [
            "",
            " ",
            " X",
            "X ",
            "X\u00a0",
            'A"B',
            "A\\B",
            "3171014107900001",
            "3171014107900000",
            "1990-07-01",
            "1990-02-30",
            "1700-01-01",
            "2030-01-01",
            "2024-03-01T09:00:00Z",
            "2024-03-01",
            1_709_258_400_000,
            "OUTREACH",
            "outreach",
            "CARD_ISSUED",
            "01",
            "99",
            "A" * 60,
            "A" * 61,
            1.0,
            2.0,
        ]
    )
)


@given(
    special=st.dictionaries(st.sampled_from(sorted(row(1))), VALUES, max_size=5),
    missing=st.sets(st.sampled_from(sorted(row(1))), max_size=1),
    added=st.dictionaries(st.sampled_from(["KODE_WILAYAH", "TGL_UBAH", "X", "x"]), VALUES),
    compact=st.booleans(),
    ascii_only=st.booleans(),
)
def test_the_short_way_gives_what_the_long_way_gives(
    special: dict[str, Any],
    missing: set[str],
    added: dict[str, Any],
    compact: bool,
    ascii_only: bool,
) -> None:
    sent = {name: value for name, value in row(1, **special).items() if name not in missing}
    raw = json.dumps(
        sent | added, separators=(",", ":") if compact else None, ensure_ascii=ascii_only
    ).encode("utf-8", "replace")
    short = read_typed(raw, regions=REGIONS, horizon=HORIZON)
    if short is not None:
        assert short == read_person(json.loads(raw), regions=REGIONS, horizon=HORIZON)


def test_an_ordinary_row_takes_the_short_way() -> None:
    raw = json.dumps(row(1), separators=(",", ":")).encode()
    assert isinstance(read_typed(raw, regions=REGIONS, horizon=HORIZON), PersonChange)
