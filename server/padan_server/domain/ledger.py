"""What the ledger's database holds, as values: what one transaction writes, and what is read back.

Shared by the notary, which decides what is written, the adapter, which writes and reads it, and
the check. Times are microseconds since the epoch, UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from padan_server.domain.agreement import Partner
from padan_server.domain.merkle import Frontier

SUBJECT_KEY_BYTES = 8
"""How much of HMAC-SHA-256(epoch key, NIK) is kept to search by; hits are checked again."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    """Give a time as a datetime, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(moment: datetime) -> int:
    """Give a datetime as microseconds since the epoch, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


class LedgerError(Exception):
    """The ledger does not hold what it must, or cannot be reached. The message is for operators."""


class Fenced(LedgerError):
    """Another notary has taken the log over."""


class AnchorMissing(LedgerError):
    """There is no anchor: only `ledger init` makes one, for an empty log."""


class AnchorMoved(LedgerError):
    """Another process wrote the anchor since we last did."""


class AnchorAhead(LedgerError):
    """The database's log does not hold what the anchor says was signed: it was set back."""


class AlreadyRecorded(LedgerError):
    """A draft or a request_id of a batch is in the ledger already; nothing was written."""


class SearchRow(NamedTuple):
    """The search side of an entry; all but `subject_key` derive from the entry's bytes.

    What does not apply is "" or empty. The fields from `partner` to `reason` repeat much.
    """

    position: int
    draft_id: bytes
    partner_seq: int
    regency: str
    subject_key: bytes
    partner: str
    kind: str
    method: str
    purpose: str
    outcome: str
    reason: str


class BoundRow(msgspec.Struct, frozen=True, gc=False):
    """A bound request_id (in lower case): the answer that holds it, and what a replay needs."""

    partner: str
    request_id: str
    content_mac: bytes
    index: int
    time: int
    sealed_answer: bytes


class Charged(NamedTuple):
    """A budget's use in one window: how much a batch adds, and what it must then be."""

    partner: str
    window: str
    added: int
    used: int


class Head(NamedTuple):
    """A partner's chain: the number of its next entry, and the leaf hash of its last."""

    next_seq: int
    leaf_hash: bytes


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction writes. `partner` is set by a CONTROL entry, and then alone.

    `entries`, `rows` and `personal` (empty where nothing is sealed) go together, one by one.
    """

    epoch: int
    first: int
    frontier: Frontier
    root: bytes
    time: int
    entries: list[bytes]
    rows: list[SearchRow]
    personal: list[bytes]
    bound: list[BoundRow]
    charged: list[Charged]
    heads: dict[str, Head]
    partner: Partner | None = None


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch as stored: `size` is the tree's size after it, `entries` are the entries' bytes."""

    first: int
    size: int
    root: bytes
    frontier: bytes
    time: int
    entries: list[bytes]


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """The log itself: its name, its public key, the epoch of its notary, the policy's version."""

    name: str
    public_key: bytes
    epoch: int
    policy_version: int


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the log, with all that a notary must know to go on.

    `clock` is the database's. `used` holds the windows of now alone.
    """

    log: LogRow
    frontier: Frontier
    root: bytes
    time: int
    clock: int
    partners: dict[str, Partner]
    heads: dict[str, Head]
    used: dict[tuple[str, str], int]


def search_row(entry: dict[str, Any], subject_key: bytes) -> SearchRow:
    """Derive the search side of a parsed entry."""
    ask = entry.get("ask", {})
    return SearchRow(
        position=entry["index"],
        draft_id=bytes.fromhex(entry["draft_id"]),
        partner_seq=entry["partner_seq"],
        regency=ask.get("regency", ""),
        subject_key=subject_key,
        partner=entry["partner"],
        kind=entry["kind"],
        method=ask.get("method", ""),
        purpose=ask.get("purpose", ""),
        outcome=entry.get("answer", {}).get("outcome", ""),
        reason=entry.get("reason", ""),
    )
