"""Rows of `watermark`, `outreach_batch` and `heartbeat` into what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from padan_server.domain.feed import (
    Beat,
    OutreachBatch,
    Reason,
    Rejected,
    Watermark,
    sentence,
)
from padan_server.domain.feed.person import Horizon, KnownRegions
from padan_server.domain.feed.values import EPOCH, Reader, Unfit, day, moment, text, whole

_BATCH_ID = text(100)


class _Row:
    """Reads columns by name, and gathers what is wrong."""

    def __init__(self, row: Mapping[str, Any], regions: KnownRegions) -> None:
        self._row = {name.upper(): value for name, value in row.items()}
        self._regions = regions
        self.problems: list[tuple[Reason, str]] = []

    def read(self, name: str, reader: Reader, *, required: bool = False) -> Any:
        value = self._row.get(name)
        if value is None or value == "":
            if required:
                self.problems.append((Reason.COLUMN_MISSING, f"{name} is missing"))
            return None
        try:
            return reader(value)
        except Unfit as unfit:
            self.problems.append((unfit.reason, f"{name} {unfit.text}"))
            return None

    def regency(self) -> str:
        code = self.read("REGENCY_CODE", text(10), required=True)
        if code is None:
            return ""
        plain: str = code.replace(".", "")
        if not self._regions.regency(plain):
            self.problems.append((Reason.REGION_UNKNOWN, "REGENCY_CODE is in no edition"))
        return plain

    def rejected(self) -> Rejected | None:
        if not self.problems:
            return None
        return Rejected(self.problems[0][0], sentence(text for _, text in self.problems))


def read_watermark(
    row: Mapping[str, Any],
    *,
    gone: bool,
    regions: KnownRegions,
    horizon: Horizon,
    sent_at: datetime,
) -> Watermark | Rejected:
    """Read a row of watermark. It is complete at most to when it was sent."""
    given = _Row(row, regions)
    code = given.regency()
    if gone:
        return given.rejected() or Watermark(regency_code=code, gone=True)
    since = given.read("CENTRALISED_SINCE", day)
    complete_to = given.read("COMPLETE_TO", moment)
    expected = given.read("RECORDS_EXPECTED", whole)
    if complete_to is not None and complete_to > horizon.moment:
        given.problems.append((Reason.DATE_IMPOSSIBLE, "COMPLETE_TO is yet to come"))
    elif complete_to is not None:
        complete_to = min(complete_to, sent_at)
    return given.rejected() or Watermark(
        regency_code=code,
        centralised_since=since,
        complete_to=complete_to,
        records_expected=expected,
    )


def read_outreach(
    row: Mapping[str, Any], *, gone: bool, regions: KnownRegions
) -> OutreachBatch | Rejected:
    """Read a row of outreach_batch."""
    given = _Row(row, regions)
    name = given.read("BATCH_ID", _BATCH_ID, required=True) or ""
    if gone:
        return given.rejected() or OutreachBatch(batch_id=name, gone=True)
    batch = OutreachBatch(
        batch_id=name,
        regency_code=given.regency(),
        announced_at=given.read("ANNOUNCED_AT", moment, required=True),
        recorded_from=given.read("RECORDED_FROM", moment),
        recorded_until=given.read("RECORDED_UNTIL", moment),
        records_expected=given.read("RECORDS_EXPECTED", whole),
        applied_at=given.read("APPLIED_AT", moment),
    )
    return given.rejected() or batch


def read_beat(
    row: Mapping[str, Any], *, regions: KnownRegions, committed_ms: int
) -> Beat | Rejected:
    """Read a row of heartbeat: the earlier of what it says and when it was committed."""
    given = _Row(row, regions)
    stated = given.read("TS", moment)
    refused = given.rejected()
    if refused is not None:
        return refused
    times = [committed_ms] if committed_ms else []
    if stated is not None:
        times.append(int((stated - EPOCH).total_seconds() * 1000))
    if not times:
        return Rejected(Reason.COLUMN_MISSING, "TS is missing, and so is the source's ts_ms")
    return Beat(min(times))
