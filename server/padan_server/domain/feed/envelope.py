"""One line of a feed into what it says: Debezium's envelope for PostgreSQL (docs/feed.md).

The hot part reads as little as it can: a row is left as bytes until its position shows that it is
new, and columns that are not kept are never looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import msgspec

from padan_server.domain.feed import (
    FIRST_POSITION_PAST,
    LINE_BYTES_MAX,
    START,
    Beat,
    Change,
    Line,
    PersonChange,
    PersonGone,
    Position,
    Reason,
    Rejected,
)
from padan_server.domain.feed.person import Horizons, KnownRegions, read_person
from padan_server.domain.feed.tables import read_beat, read_outreach, read_watermark
from padan_server.domain.feed.typed import read_typed
from padan_server.domain.feed.values import Unfit, nik, of_epoch_ms

OPERATIONS = frozenset({"c", "u", "d", "r"})
INCREMENTAL = "incremental"

_NOTHING = msgspec.Raw(b"null")
_ABSENT = msgspec.Raw()
_EPOCH_MS_MAX = 253_370_764_800_000
"""The year 9999, which is as far as calendars here go."""


class Source(msgspec.Struct, gc=False):
    """Where and when a change was made."""

    table: str = ""
    ts_ms: int = 0
    lsn: int | None = None
    sequence: str | None = None
    snapshot: str | bool | None = None


class Envelope(msgspec.Struct, gc=False):
    """A change as Debezium sends it; `payload` if it came with its schema."""

    op: str = ""
    ts_ms: int | None = None
    source: Source | None = None
    before: msgspec.Raw = _NOTHING
    after: msgspec.Raw = _NOTHING
    payload: msgspec.Raw = _ABSENT


AHEAD_MS_MAX = 60_000
"""By how much a source's clock may be ahead of ours. A time further ahead proves nothing: believed,
it would make the registry look young for as long."""


class _Misplaced(Exception):
    """An envelope whose position cannot be read."""


_decode = msgspec.json.Decoder(Envelope).decode
decode_row = msgspec.json.Decoder(dict[str, Any]).decode
_decode_sequence = msgspec.json.Decoder(tuple[str | None, str | None]).decode
UNDECODABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class FeedReader:
    """Reads lines in the order of the feed; it gives each a place of its own.

    Lines strictly below `applied` are read no further than their position. `clock` gives epoch
    milliseconds, for lines that do not say when they were made. `render` gives a record's values
    the form that its store wants: reading goes on beside the store's work.
    """

    def __init__(
        self,
        regions: KnownRegions,
        *,
        clock: Callable[[], int],
        applied: Position = START,
        render: Callable[[tuple[Any, ...]], Any] = tuple,
    ) -> None:
        self._regions = regions
        self._clock = clock
        self._applied = applied
        self._render = render
        self._horizons = Horizons()
        self._last = START
        self._same = 0
        self._unread = 0

    def read(self, raw: bytes) -> Line | None:
        """Read a line; None if it says nothing (blank, a tombstone, the connector's own pulse)."""
        if len(raw) > LINE_BYTES_MAX:
            return self._unreadable(raw, Reason.LINE_TOO_LONG, f"over {LINE_BYTES_MAX} bytes")
        if not raw or raw.isspace():
            return None
        try:
            envelope = unwrapped(raw)
        except msgspec.ValidationError:
            return self._unreadable(raw, Reason.NOT_AN_ENVELOPE, "a part has another type")
        except UNDECODABLE:
            return self._unreadable(raw, Reason.NOT_JSON, f"{len(raw)} bytes")
        if envelope is None:
            return None
        if envelope.source is None or not envelope.op:
            return self._unreadable(raw, Reason.NOT_AN_ENVELOPE, "it has no source or no op")
        return self._line(raw, envelope, envelope.source)

    def _line(self, raw: bytes, envelope: Envelope, source: Source) -> Line:
        snapshot = envelope.op == "r"
        try:
            position, ordered = _position(source, snapshot=snapshot)
        except _Misplaced:
            return self._unreadable(
                raw, Reason.POSITION_MISSING, "source.sequence, source.lsn", keep=True
            )
        incremental = snapshot and source.snapshot == INCREMENTAL
        place = self._place(position)
        told = 0 < source.ts_ms <= self._clock() + AHEAD_MS_MAX
        proves = ordered and not snapshot and told
        change: Change | Rejected | None = None
        if incremental or position >= self._applied:
            change = self._change(envelope, source)
        return Line(
            place=place,
            raw=raw,
            change=change,
            position=position,
            committed_ms=source.ts_ms if proves else 0,
            snapshot=snapshot,
            incremental=incremental,
        )

    def _change(self, envelope: Envelope, source: Source) -> Change | Rejected:
        gone = envelope.op == "d"
        if envelope.op not in OPERATIONS:
            return Rejected(Reason.OPERATION_UNKNOWN, "op is none of c, u, d, r")
        sent_ms = source.ts_ms or envelope.ts_ms or self._clock()
        if not 0 < sent_ms < _EPOCH_MS_MAX:
            return Rejected(Reason.DATE_IMPOSSIBLE, "source.ts_ms is no possible time")
        horizon = self._horizons.at(sent_ms)
        if source.table == "biodata" and not gone:
            person = read_typed(bytes(envelope.after), regions=self._regions, horizon=horizon)
            if person is not None:
                return self._rendered(person)
        try:
            row = decode_row(envelope.before if gone else envelope.after)
        except UNDECODABLE:
            return Rejected(Reason.NOT_AN_ENVELOPE, f"{'before' if gone else 'after'} is no row")
        match source.table.lower():
            case "biodata" if gone:
                return _gone(row)
            case "biodata":
                return self._rendered(read_person(row, regions=self._regions, horizon=horizon))
            case "watermark":
                return read_watermark(
                    row,
                    gone=gone,
                    regions=self._regions,
                    horizon=horizon,
                    sent_at=of_epoch_ms(sent_ms),
                )
            case "outreach_batch":
                return read_outreach(row, gone=gone, regions=self._regions)
            case "heartbeat":
                if gone:
                    return Beat(0)
                return read_beat(row, regions=self._regions, committed_ms=source.ts_ms)
            case _:
                return Rejected(Reason.TABLE_UNKNOWN, "source.table is none of docs/feed.md")

    def _rendered(self, read: PersonChange | Rejected) -> PersonChange | Rejected:
        if isinstance(read, Rejected):
            return read
        return PersonChange(read.nik, self._render(read.values))

    def _place(self, position: Position) -> str:
        """Name a line by its position; the second of the same position, and so on, by number."""
        if position == self._last:
            self._same += 1
        else:
            self._last, self._same = position, 0
        self._unread = 0
        place = f"{position.commit}/{position.change}"
        return f"{place}~{self._same + 1}" if self._same else place

    def _unreadable(self, raw: bytes, reason: Reason, detail: str, *, keep: bool = False) -> Line:
        """Place a line without a position by the line before it, and by a checksum of its own.

        Without it, lines of two files would take each other's place, and one would be lost.
        """
        self._unread += 1
        same = f"~{self._same + 1}" if self._same else ""
        place = f"{self._last.commit}/{self._last.change}{same}+{self._unread}.{crc32(raw):08x}"
        kept = raw if keep else b""
        return Line(place=place, raw=kept, change=Rejected(reason, detail), position=None)


def unwrapped(raw: bytes) -> Envelope | None:
    """Read an envelope out of its schema; None if it says nothing. Raises one of UNDECODABLE."""
    if raw.strip() == b"null":
        return None
    envelope = _decode(raw)
    if envelope.payload != _ABSENT:
        if envelope.payload == _NOTHING:
            return None
        envelope = _decode(envelope.payload)
    if not envelope.op and envelope.source is None and envelope.ts_ms is not None:
        return None
    return envelope


def _gone(row: dict[str, Any]) -> PersonGone | Rejected:
    value = next((value for name, value in row.items() if name.upper() == "NIK"), None)
    if value is None:
        return Rejected(Reason.COLUMN_MISSING, "NIK is missing from before")
    try:
        return PersonGone(nik(value.strip() if type(value) is str else value))
    except Unfit as unfit:
        return Rejected(unfit.reason, f"NIK {unfit.text}")


def _position(source: Source, *, snapshot: bool) -> tuple[Position, bool]:
    """Give a line's position, and whether it tells one commit from another."""
    commit: int | None = None
    change = source.lsn
    if source.sequence is not None:
        try:
            first, second = _decode_sequence(source.sequence)
            commit = int(first) if first is not None else None
            change = change if change is not None or second is None else int(second)
        except (*UNDECODABLE, ValueError):
            raise _Misplaced from None
    elif not snapshot:
        # Changes stand in the order of commits, which their own positions do not tell.
        raise _Misplaced
    if change is None or not 0 < change < FIRST_POSITION_PAST:
        raise _Misplaced
    if commit is None:
        return Position(change, change), False
    if not 0 <= commit < FIRST_POSITION_PAST:
        raise _Misplaced
    return Position(commit, change), True
