"""A foreign registry's feed as values: what its lines say, and why a line is kept out.

The form of a line is docs/feed.md. Reading it is envelope.py, judging it against what is held is
judge.py; nothing here knows where lines come from or where they go.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

BATCH_LINES = 5_000
"""Lines applied in one transaction. More gain little speed, and age what waits for the commit."""

BATCH_LINES_MAX = 50_000
"""More would hold hundreds of megabytes, and one transaction would last for seconds."""

LINE_BYTES_MAX = 1_048_576
"""A person is about 2 KB, some 20 KB with a schema beside it; a longer line is no change."""

FIRST_POSITION_PAST = 2**63
"""Positions are PostgreSQL's log sequence numbers, which a bigint holds."""


class Format(StrEnum):
    """The format of a file of whole records; by its suffix if it is not named."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class FeedError(Exception):
    """A feed or a load cannot go on; the text tells why, and holds no personal data."""


class Reason(StrEnum):
    """Why a line or a row is kept out."""

    NOT_JSON = "NOT_JSON"
    NOT_AN_ENVELOPE = "NOT_AN_ENVELOPE"
    LINE_TOO_LONG = "LINE_TOO_LONG"
    TABLE_UNKNOWN = "TABLE_UNKNOWN"
    OPERATION_UNKNOWN = "OPERATION_UNKNOWN"
    POSITION_MISSING = "POSITION_MISSING"
    COLUMN_MISSING = "COLUMN_MISSING"
    NIK_MALFORMED = "NIK_MALFORMED"
    REGION_UNKNOWN = "REGION_UNKNOWN"
    DATE_IMPOSSIBLE = "DATE_IMPOSSIBLE"
    CODE_UNKNOWN = "CODE_UNKNOWN"
    TEXT_TOO_LONG = "TEXT_TOO_LONG"
    VALUE_UNFIT = "VALUE_UNFIT"
    OLDER = "OLDER"
    DUPLICATE = "DUPLICATE"
    KEPT_BY_FEED = "KEPT_BY_FEED"
    NOT_STORABLE = "NOT_STORABLE"


FINAL_REASONS = frozenset({Reason.OLDER, Reason.DUPLICATE})
"""What was kept out for these stays out: what is held only becomes newer."""


class Position(NamedTuple):
    """Where a change stands: its commit, then itself. Positions order a feed."""

    commit: int
    change: int


START = Position(0, 0)
"""Before everything."""


class Rejected(msgspec.Struct, frozen=True):
    """A line that cannot be applied. `detail` names columns and holds no values."""

    reason: Reason
    detail: str
    nik: str = ""
    """Whose line it is, if it says so in good form."""


class PersonChange(msgspec.Struct, frozen=True):
    """A person's record as it now is. `values` stand in the order of columns.PERSON.

    Who reads for a store may ask for them in the store's own form.
    """

    nik: str
    values: Any


class PersonGone(msgspec.Struct, frozen=True):
    """A person's record was removed."""

    nik: str


class Watermark(msgspec.Struct, frozen=True, kw_only=True):
    """How complete the registry is for a regency; `gone` if it tells no longer."""

    regency_code: str
    centralised_since: date | None = None
    complete_to: datetime | None = None
    records_expected: int | None = None
    gone: bool = False


class OutreachBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of an outreach team: announced, then applied; `gone` if it was withdrawn."""

    batch_id: str
    regency_code: str = ""
    announced_at: datetime | None = None
    recorded_from: datetime | None = None
    recorded_until: datetime | None = None
    records_expected: int | None = None
    applied_at: datetime | None = None
    gone: bool = False


class Beat(msgspec.Struct, frozen=True):
    """Everything committed at the source before this moment was sent before it (epoch ms)."""

    at_ms: int


Change = PersonChange | PersonGone | Watermark | OutreachBatch | Beat


class Line(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a feed, read.

    `change` is None where the line stands below what was applied when reading began. `place` names
    the line for good: its position, and a number if others have the same.
    """

    place: str
    raw: bytes
    change: Change | Rejected | None
    position: Position | None
    committed_ms: int = 0
    """When its transaction was committed at the source; 0 if that is not said or proves nothing."""
    snapshot: bool = False
    """A row as it was, not a change: it says nothing against a newer record."""
    incremental: bool = False
    """A snapshot's row in the midst of changes: its position does not order it."""


class Counts(msgspec.Struct):
    """What became of lines. Every line is in exactly one."""

    applied: int = 0
    repeated: int = 0
    absent: int = 0
    """Removals of people who are not there."""
    older: int = 0
    duplicate: int = 0
    rejected: int = 0
    """For what they say: in quarantine, as are older lines and duplicates."""

    @property
    def kept_out(self) -> int:
        """Lines kept out for their position, not for what they say."""
        return self.older + self.duplicate

    @property
    def quarantined(self) -> int:
        """Lines put into quarantine."""
        return self.kept_out + self.rejected

    @property
    def lines(self) -> int:
        """All of them."""
        return self.applied + self.repeated + self.absent + self.quarantined

    def add(self, other: Counts) -> None:
        """Add another count to this one."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class KeptOut(msgspec.Struct, frozen=True):
    """A line or row for the quarantine; `content` without protected elements."""

    place: str
    rejected: Rejected
    content: str


def sentence(details: Iterable[str]) -> str:
    """Write what is wrong with several columns as one detail."""
    return "; ".join(details)
