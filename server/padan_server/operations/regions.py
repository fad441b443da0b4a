"""ListRegions and GetRegion: the code list, and how complete the copy is for each region.

They are about no person, so any partner in standing may ask, nothing is charged, and no request_id
binds. Each call leaves its entry all the same.
"""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar

from padan_server.domain.agreement import Grant
from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import Method, RegionQuery, RegionsQuery
from padan_server.domain.listing import (
    PAGE_SIZE_DEFAULT,
    PAGE_SIZE_MAX,
    Listing,
    RegionReport,
    code_before,
    token_after,
)
from padan_server.domain.refusal import Reason, Refusal, RequestInvalid
from padan_server.domain.region import COUNTRY, LEVELS, Region, RegionTable
from padan_server.operations.drafts import Drafted, Drafts
from padan_server.ports import CoverageReports

Q = TypeVar("Q", RegionsQuery, RegionQuery)


class _OfRegions(Generic[Q]):
    """What both methods share."""

    method: Method

    def __init__(self, *, table: RegionTable, coverage: CoverageReports, drafts: Drafts) -> None:
        self._table = table
        self._coverage = coverage
        self._drafts = drafts

    def elements(self, query: Q) -> tuple[str, ...]:
        """Name no element: nothing here needs a grant."""
        del query
        return ()

    def draft(
        self, call: Call, caller: Caller, grant: Grant, query: Q, judgement: Listing
    ) -> Drafted:
        """Draft the entry."""
        return self._drafts.listing(
            call, caller, grant, method=self.method, query=query, listing=judgement
        )

    def replay(self, partner: str, query: Q, judgement: Listing, sealed: bytes) -> NoReturn:
        """Never called: no request_id binds."""
        raise AssertionError("a listing of regions is never replayed")

    def _region(self, code: str) -> Region:
        region = self._table.country if code == COUNTRY else self._table.get(code)
        if region is None:
            raise Refusal(Reason.REGION_UNKNOWN, "no edition of the code list has this region")
        return region

    def _report(self, region: Region) -> RegionReport:
        return RegionReport(
            region, not self._table.is_current(region), self._coverage.summary(region.code)
        )


class GetRegion(_OfRegions[RegionQuery]):
    """The operation behind RegistryService.GetRegion."""

    method = Method.GET_REGION

    async def act(self, query: RegionQuery, grant: Grant) -> Listing:
        """Find the region. Raises Refusal (REGION_UNKNOWN, REGISTRY_UNAVAILABLE)."""
        del grant
        report = self._report(self._region(query.code))
        return Listing(self._coverage.as_of, (report,))


class ListRegions(_OfRegions[RegionsQuery]):
    """The operation behind RegistryService.ListRegions."""

    method = Method.LIST_REGIONS

    async def act(self, query: RegionsQuery, grant: Grant) -> Listing:
        """List a page. Raises Refusal (REGION_UNKNOWN, REQUEST_INVALID, REGISTRY_UNAVAILABLE)."""
        del grant
        level = _level_below(self._region(query.parent), query.level)
        try:
            after = code_before(query)
        except ValueError as error:
            raise RequestInvalid(
                [("page_token", "must be what the page before gave, with the same question")]
            ) from error
        size = min(query.page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
        found = self._table.within(query.parent, level, retired=query.include_retired)
        rest = [region for region in found if region.code > after]
        return Listing(
            self._coverage.as_of,
            tuple(self._report(region) for region in rest[:size]),
            token_after(query, rest[size - 1].code) if len(rest) > size else "",
        )


def _level_below(parent: Region, wanted: str) -> str:
    """Give the level to list. Raises RequestInvalid unless it is below the parent's."""
    below = LEVELS[LEVELS.index(parent.level) + 1 :]
    level = wanted or next(iter(below), "")
    if level not in below:
        raise RequestInvalid([("level", "must be below the level of parent")])
    return level
