"""What the registry says of regions: frozen values with Python enums, dates and aware UTC times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from padan.v1.registry_pb2 import GetRegionResponse, ListRegionsResponse
from padan_client.results import EntryReference
from padan_client.vocabulary import Channel, RegionLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How complete the registry copy is for a regency, or all regencies of a province or country.

    `regencies` counts them (1 for a regency), and of these `regencies_centralised`,
    `regencies_behind` (not centralised, or with a watermark too old) and
    `regencies_outreach_pending`. `complete_to`: everything entered up to then is here; the oldest
    watermark, None if there is none. `centralised_since`: None while a regency is not.
    `records_expected` and `share_recorded`: None where no register said. `channel_records`: the
    records by channel. `outreach_batches` are still to come, with `outreach_recordings` as far as
    was announced, the earliest made in the field at `outreach_recorded_from`.
    """

    regencies: int
    regencies_centralised: int
    regencies_behind: int
    regencies_outreach_pending: int
    complete_to: datetime | None
    centralised_since: date | None
    records: int
    records_expected: int | None
    share_recorded: float | None
    channel_records: Mapping[Channel, int]
    outreach_batches: int
    outreach_recordings: int
    outreach_recorded_from: datetime | None

    @property
    def behind(self) -> bool:
        """Whether any of the regencies is behind."""
        return self.regencies_behind > 0

    @property
    def outreach_pending(self) -> bool:
        """Whether any of the regencies waits for outreach batches."""
        return self.regencies_outreach_pending > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region of the code list. `code` is "ID" for the country, else of 2, 4 or 6 digits.

    `parent` is the code one level up, "" for the country. `retired`: the newest edition does not
    have it; `successors` took its people over. `coverage` is None for districts and retired ones.
    """

    code: str
    level: RegionLevel
    name: str
    parent: str
    retired: bool
    first_edition: str
    last_edition: str
    successors: tuple[str, ...]
    coverage: Coverage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """`as_of`: the coverage is at least as new; `received_at` is by this machine's clock."""

    as_of: datetime | None
    received_at: datetime
    entry: EntryReference | None

    @property
    def age(self) -> timedelta | None:
        """How old the coverage was, at most, when the answer came."""
        return None if self.as_of is None else self.received_at - self.as_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionResult(_Told):
    """One region, as of when, and the ledger entry of the call."""

    region: Region
    message: GetRegionResponse = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPage(_Told):
    """One page of regions, as of when, and the ledger entry of the call that gave it."""

    regions: tuple[Region, ...]
    next_page_token: str
    message: ListRegionsResponse = field(repr=False)
