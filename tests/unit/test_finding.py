"""Finding: a record young enough for the query, and the regions that bear on it."""

from __future__ import annotations

import pytest

from padan_server.adapters.regions_polled import PolledRegions
from padan_server.domain.coverage import Coverage
from padan_server.domain.outcome import RegionState
from padan_server.domain.person import Finding
from padan_server.domain.refusal import Reason, Refusal
from padan_server.domain.region import RegionTable, Standing
from padan_server.operations.finding import Finder
from tests.support.builders import NIK, NOW, ListedRegistry, found, record, verify_query

HOUR = 3600.0


class Watermarks:
    """What a replica says of regions; a test changes it."""

    def __init__(self) -> None:
        self.coverage = {
            "3171": Coverage(NOW - 1, False),
            "3578": Coverage(NOW - 2 * HOUR, True),
            "9502": Coverage(None, False),
        }
        self.away = False

    async def read(self) -> dict[str, Coverage]:
        if self.away:
            raise Refusal(Reason.REGISTRY_UNAVAILABLE, "away")
        return self.coverage


@pytest.fixture(scope="module")
def table() -> RegionTable:
    return RegionTable.published()


@pytest.fixture
def watermarks() -> Watermarks:
    return Watermarks()


@pytest.fixture
def regions(table: RegionTable, watermarks: Watermarks) -> PolledRegions:
    return PolledRegions(table=table, read=watermarks.read, behind_seconds=HOUR, clock=lambda: NOW)


DAY = 86_400.0
ERROR = 0.5
"""By how much the clocks here may differ."""


def finder(registry: ListedRegistry, regions: PolledRegions) -> Finder:
    return Finder(
        registry=registry,
        regions=regions,
        clock=lambda: NOW,
        staleness_seconds_max=DAY,
        clock_error_seconds=ERROR,
    )


async def refusal_of(registry: ListedRegistry, regions: PolledRegions, **query: float) -> Reason:
    with pytest.raises(Refusal) as refused:
        await finder(registry, regions).find(verify_query(**query))
    assert refused.value.retry_after_seconds
    return refused.value.reason


async def test_data_up_to_the_services_limit_will_do_where_the_query_names_none(
    regions: PolledRegions,
) -> None:
    registry = ListedRegistry(record(), as_of=NOW - DAY + ERROR)
    assert await finder(registry, regions).find(verify_query()) == found(NOW - DAY + ERROR)
    registry.as_of -= 0.001
    assert await refusal_of(registry, regions) is Reason.TOO_STALE


async def test_a_query_cannot_widen_the_services_limit(regions: PolledRegions) -> None:
    registry = ListedRegistry(record(), as_of=NOW - DAY)
    assert await refusal_of(registry, regions, max_staleness_seconds=2 * DAY) is Reason.TOO_STALE


async def test_an_age_is_taken_to_be_as_great_as_clocks_allow(regions: PolledRegions) -> None:
    registry = ListedRegistry(record(), as_of=NOW - 5 + ERROR)
    await finder(registry, regions).find(verify_query(max_staleness_seconds=5.0))
    assert registry.asked == [((NIK,), NOW - 5 + ERROR)]


async def test_an_older_finding_is_refused_as_too_stale(regions: PolledRegions) -> None:
    registry = ListedRegistry(record(), as_of=NOW - 5 + ERROR - 0.001)
    assert await refusal_of(registry, regions, max_staleness_seconds=5.0) is Reason.TOO_STALE


async def test_absence_is_refused_as_too_stale_as_well(regions: PolledRegions) -> None:
    registry = ListedRegistry(as_of=NOW - 6)
    assert await refusal_of(registry, regions, max_staleness_seconds=5.0) is Reason.TOO_STALE


async def test_data_from_the_future_is_a_fault_past_what_clocks_may_differ(
    regions: PolledRegions,
) -> None:
    registry = ListedRegistry(record(), as_of=NOW + ERROR)
    await finder(registry, regions).find(verify_query())
    registry.as_of += 0.001
    assert await refusal_of(registry, regions) is Reason.REGISTRY_UNAVAILABLE


def test_before_the_first_poll_every_region_is_behind(regions: PolledRegions) -> None:
    assert not regions.polled
    assert regions.of_prefix("317101").behind
    assert regions.of_prefix("990101").behind


@pytest.mark.parametrize(
    ("prefix", "state"),
    [
        ("317101", RegionState(Standing.CURRENT, Coverage(NOW - 1, False), behind=False)),
        ("357801", RegionState(Standing.CURRENT, Coverage(NOW - 2 * HOUR, True), behind=True)),
        ("950201", RegionState(Standing.CURRENT, Coverage(None, False), behind=True)),
        ("990101", RegionState(Standing.UNKNOWN, None, behind=False)),
    ],
)
async def test_a_region_is_behind_by_its_watermark(
    regions: PolledRegions, prefix: str, state: RegionState
) -> None:
    await regions.poll()
    assert regions.polled
    assert regions.of_prefix(prefix) == state


async def test_a_failed_poll_leaves_the_last_watermarks_to_grow_old(
    table: RegionTable, watermarks: Watermarks
) -> None:
    now = [NOW]
    regions = PolledRegions(
        table=table, read=watermarks.read, behind_seconds=HOUR, clock=lambda: now[0]
    )
    await regions.poll()
    assert not regions.of_prefix("317101").behind
    watermarks.away = True
    now[0] += HOUR
    await regions.poll()
    assert regions.of_prefix("317101").behind
    watermarks.away = False
    watermarks.coverage = {"3171": Coverage(now[0], False)}
    await regions.poll()
    assert not regions.of_prefix("317101").behind


async def test_a_retired_regency_has_the_coverage_of_its_only_successor(
    regions: PolledRegions, watermarks: Watermarks, table: RegionTable
) -> None:
    retired = next(r for r in table.retired("regency") if len(r.successors) == 1)
    watermarks.coverage[retired.successors[0]] = Coverage(NOW, True)
    await regions.poll()
    state = regions.of_prefix(f"{retired.code}01")
    assert (state.standing, state.coverage) == (Standing.RETIRED, Coverage(NOW, True))


async def test_the_region_of_residence_is_the_records_not_the_niks(
    regions: PolledRegions,
) -> None:
    await regions.poll()
    finds = finder(ListedRegistry(), regions)
    mover = found(village_code="3578011001")
    assert finds.residence(mover).coverage == Coverage(NOW - 2 * HOUR, True)
    assert finds.residence(Finding(None, NOW)).coverage is None


async def test_a_retired_regency_whose_successor_has_no_watermark_is_behind(
    regions: PolledRegions, watermarks: Watermarks, table: RegionTable
) -> None:
    retired = next(r for r in table.retired("regency") if len(r.successors) == 1)
    watermarks.coverage.pop(retired.successors[0], None)
    await regions.poll()
    assert regions.of_prefix(f"{retired.code}01").behind
