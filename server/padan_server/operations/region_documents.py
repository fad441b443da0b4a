"""The JSON documents of a call about regions: what its statement says was asked and answered.

Their fields are docs/entry.md's. Every function gives canonical bytes.
"""

from __future__ import annotations

from typing import Any

from padan_server.domain import canonical, entry
from padan_server.domain.claims import RegionQuery, RegionsQuery
from padan_server.domain.coverage import Summary
from padan_server.domain.listing import Listing, RegionReport
from padan_server.domain.outcome import FOUND
from padan_server.domain.region import COUNTRY
from padan_server.operations.documents import as_of_text


def request(partner: str, method: str, query: RegionsQuery | RegionQuery) -> bytes:
    """The statement's `request`."""
    document: dict[str, Any] = {"method": method, "partner": partner}
    if isinstance(query, RegionQuery):
        document["code"] = query.code
    else:
        document["parent"] = query.parent
        if query.level:
            document["level"] = query.level
        if query.include_retired:
            document["include_retired"] = True
        if query.page_size:
            document["page_size"] = query.page_size
        if query.page_token:
            document["page_token"] = query.page_token
    return canonical.dumps(document)


def answer(listing: Listing) -> bytes:
    """What was answered, as far as the entry tells it, without the commitment."""
    return canonical.dumps({"as_of": as_of_text(listing.as_of), "outcome": FOUND})


def told(listing: Listing) -> bytes:
    """The statement's `answer`: what the caller is told."""
    document: dict[str, Any] = {
        "as_of": as_of_text(listing.as_of),
        "outcome": FOUND,
        "regions": [_region(report) for report in listing.regions],
    }
    if listing.next_page_token:
        document["next_page_token"] = listing.next_page_token
    return canonical.dumps(document)


def _region(report: RegionReport) -> dict[str, Any]:
    region = report.region
    document: dict[str, Any] = {
        "code": region.code,
        "first_edition": region.first_edition,
        "last_edition": region.last_edition,
        "level": region.level,
        "name": region.name,
    }
    if region.code != COUNTRY:
        document["parent"] = region.parent or COUNTRY
    if report.retired:
        document["retired"] = True
    if region.successors:
        document["successors"] = region.successors
    if report.coverage is not None:
        document["coverage"] = _coverage(report.coverage)
    return document


def _coverage(summary: Summary) -> dict[str, Any]:
    """Write a coverage. What can be computed from the rest is left out."""
    document: dict[str, Any] = {
        "outreach_batches": summary.outreach_batches,
        "outreach_recordings": summary.outreach_recordings,
        "records": summary.records,
        "records_expected": summary.records_expected,
        "records_of_those": summary.records_of_those,
        "regencies": summary.regencies,
        "regencies_behind": summary.behind,
        "regencies_centralised": summary.centralised,
        "regencies_outreach_pending": summary.outreach_pending,
    }
    if summary.centralised_since is not None:
        document["centralised_since"] = summary.centralised_since.isoformat()
    for name, moment in (
        ("complete_to", summary.complete_to),
        ("outreach_recorded_from", summary.outreach_recorded_from),
    ):
        if moment is not None:
            document[name] = entry.timestamp(round(moment * 1_000_000))
    return document
