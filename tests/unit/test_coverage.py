"""Coverage of a regency, and its roll-up: a regency's trouble is visible at each level."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.coverage import NOTHING_HELD, Coverage, Summary, rolled_up, summary_of
from tests.support.builders import NOW

SINCE = date(2023, 5, 1)
COMPLETE = Coverage(
    NOW,
    centralised_since=SINCE,
    records_expected=1000,
    records={"OFFICE": 900, "OUTREACH": 50, "CENTRAL": 40},
    as_of=NOW,
)


def regency(*, behind: bool = False, **changes: Any) -> Summary:
    return summary_of(msgspec.structs.replace(COMPLETE, **changes), behind=behind)


def test_a_regency_counts_as_one() -> None:
    told = regency()
    assert (told.regencies, told.centralised, told.behind, told.outreach_pending) == (1, 1, 0, 0)
    assert (told.records_held, told.share_recorded) == (990, 0.99)
    assert (told.complete_to, told.centralised_since) == (NOW, SINCE)


def test_a_regency_of_which_nothing_is_known_expects_nothing() -> None:
    told = summary_of(NOTHING_HELD, behind=True)
    assert (told.regencies, told.centralised, told.behind) == (1, 0, 1)
    assert (told.records_held, told.share_recorded, told.complete_to) == (0, None, None)


@pytest.mark.parametrize(
    ("trouble", "counted"),
    [
        ({"complete_to": None, "centralised_since": None, "behind": True}, (2, 1, 0)),
        ({"complete_to": NOW - 90_000, "behind": True}, (3, 1, 0)),
        ({"outreach_batches": 2, "outreach_recordings": 300}, (3, 0, 1)),
    ],
)
def test_the_trouble_of_one_regency_shows_in_its_province_and_in_the_country(
    trouble: dict[str, Any], counted: tuple[int, int, int]
) -> None:
    province = rolled_up([regency(), regency(**trouble), regency()])
    assert (province.centralised, province.behind, province.outreach_pending) == counted
    country = rolled_up([province, rolled_up([regency()])])
    assert (country.regencies, country.regencies - country.centralised) == (4, 3 - counted[0])
    assert (country.behind, country.outreach_pending) == counted[1:]


def test_the_oldest_watermark_is_the_roll_ups() -> None:
    told = rolled_up([regency(), regency(complete_to=NOW - 500), regency(complete_to=None)])
    assert told.complete_to == NOW - 500


def test_a_roll_up_is_centralised_since_its_last_regency_was_and_not_before() -> None:
    later = date(2024, 2, 3)
    both = rolled_up([regency(), regency(centralised_since=later)])
    assert both.centralised_since == later
    assert rolled_up([both, regency(centralised_since=None)]).centralised_since is None


def test_the_share_is_of_the_regencies_that_said_what_they_expect() -> None:
    told = rolled_up([regency(), regency(records_expected=None, records={"OFFICE": 5000})])
    assert told.records_held == 5990
    assert told.share_recorded == 0.99


def test_channels_and_outreach_are_summed_up() -> None:
    first = regency(outreach_batches=1, outreach_recordings=10, outreach_recorded_from=NOW - 9)
    second = regency(outreach_batches=2, outreach_recordings=0, records={"OUTREACH": 7})
    told = rolled_up([first, second])
    assert told.records == {"OFFICE": 900, "OUTREACH": 57, "CENTRAL": 40}
    assert (told.outreach_batches, told.outreach_recordings) == (3, 10)
    assert told.outreach_recorded_from == NOW - 9


moments = st.none() | st.floats(min_value=0, max_value=NOW)
counts = st.integers(min_value=0, max_value=10**9)
regencies = st.builds(
    summary_of,
    st.builds(
        Coverage,
        complete_to=moments,
        outreach_batches=st.integers(0, 5),
        centralised_since=st.none() | st.dates(),
        records_expected=st.none() | counts,
        records=st.dictionaries(st.sampled_from(("OFFICE", "OUTREACH", "CENTRAL")), counts),
        outreach_recordings=counts,
        outreach_recorded_from=moments,
    ),
    behind=st.booleans(),
)


@given(st.lists(st.lists(regencies, min_size=1, max_size=5), min_size=1, max_size=5))
def test_rolling_up_in_steps_or_at_once_says_the_same(provinces: list[list[Summary]]) -> None:
    at_once = rolled_up(each for province in provinces for each in province)
    assert rolled_up(rolled_up(province) for province in provinces) == at_once
