"""How complete the registry copy is: by regency, and rolled up to province and centre.

A regency's trouble stays visible in every roll-up: counts say how many regencies are not
centralised, behind, or waiting for outreach teams, and the oldest watermark is the roll-up's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import msgspec


class Coverage(msgspec.Struct, frozen=True):
    """How complete the copy is for one regency or city.

    `complete_to` is in seconds since the epoch: every event that the regency entered up to then is
    here. It is None while the regency is not centralised, as is `centralised_since`.
    `outreach_batches` were announced and are still to come. They hold `outreach_recordings`, as far
    as was announced, the earliest made in the field at `outreach_recorded_from`.
    `records_expected` is what the regency's own register counts, or None if it never said.
    `records` are the records held, by the channel of their last event. `as_of` is the heartbeat
    that the copy showed with all this; 0 where it is not known. `told` is False for a regency that
    has no watermark row at all, and is here for its records alone.
    """

    complete_to: float | None
    outreach_batches: int = 0
    centralised_since: date | None = None
    records_expected: int | None = None
    records: dict[str, int] = {}
    outreach_recordings: int = 0
    outreach_recorded_from: float | None = None
    as_of: float = 0.0
    told: bool = True

    @property
    def outreach_pending(self) -> bool:
        """Whether results of outreach teams are still to come."""
        return self.outreach_batches > 0


class Summary(msgspec.Struct, frozen=True):
    """The coverage of a regency, or of all regencies of a province or of the country.

    `regencies` counts them, and the fields that follow count those of them that are centralised,
    behind (as answers tell it: not centralised yet, or with a watermark too old), and waiting for
    outreach. `complete_to` is the oldest watermark of those that have one. `centralised_since` is
    the day on which the last regency was centralised; None while one is not. `records_expected`
    sums up what regencies' own registers count, and `records_of_those` what is held of the same
    regencies; both are 0 where none said.
    """

    regencies: int
    centralised: int
    behind: int
    outreach_pending: int
    complete_to: float | None
    centralised_since: date | None
    records: dict[str, int]
    records_expected: int
    records_of_those: int
    outreach_batches: int
    outreach_recordings: int
    outreach_recorded_from: float | None

    @property
    def records_held(self) -> int:
        """The records held, over all channels."""
        return sum(self.records.values())

    @property
    def share_recorded(self) -> float | None:
        """The part of the expected records that is held; None where nothing is expected.

        Above 1 where a register counted before its latest people were recorded.
        """
        return self.records_of_those / self.records_expected if self.records_expected else None


NOTHING_HELD = Coverage(None, told=False)
"""The coverage of a regency that the copy says nothing about."""


def summary_of(coverage: Coverage, *, behind: bool) -> Summary:
    """Give the summary of one regency."""
    expected = coverage.records_expected
    return Summary(
        regencies=1,
        centralised=int(coverage.centralised_since is not None),
        behind=int(behind),
        outreach_pending=int(coverage.outreach_pending),
        complete_to=coverage.complete_to,
        centralised_since=coverage.centralised_since,
        records=coverage.records,
        records_expected=expected or 0,
        records_of_those=0 if expected is None else sum(coverage.records.values()),
        outreach_batches=coverage.outreach_batches,
        outreach_recordings=coverage.outreach_recordings,
        outreach_recorded_from=coverage.outreach_recorded_from,
    )


def rolled_up(summaries: Iterable[Summary]) -> Summary:
    """Give the summary of several summaries, of regencies or of roll-ups of them."""
    parts = list(summaries)
    records: dict[str, int] = {}
    for part in parts:
        for channel, count in part.records.items():
            records[channel] = records.get(channel, 0) + count
    since = [part.centralised_since for part in parts]
    return Summary(
        regencies=sum(part.regencies for part in parts),
        centralised=sum(part.centralised for part in parts),
        behind=sum(part.behind for part in parts),
        outreach_pending=sum(part.outreach_pending for part in parts),
        complete_to=_earliest(part.complete_to for part in parts),
        centralised_since=max((day for day in since if day is not None), default=None)
        if None not in since
        else None,
        records=records,
        records_expected=sum(part.records_expected for part in parts),
        records_of_those=sum(part.records_of_those for part in parts),
        outreach_batches=sum(part.outreach_batches for part in parts),
        outreach_recordings=sum(part.outreach_recordings for part in parts),
        outreach_recorded_from=_earliest(part.outreach_recorded_from for part in parts),
    )


def _earliest(moments: Iterable[float | None]) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)
