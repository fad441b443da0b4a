"""How the ledger's values stand in rows: bundles of entries, documents, statements as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import zstandard

from padan_server.domain.agreement import Agreement, Partner
from padan_server.domain.ledger import (
    Batch,
    BoundRow,
    Head,
    LedgerError,
    LogRow,
    SearchRow,
    microseconds,
)
from padan_server.domain.tiles import LENGTH_BYTES, pack_entries

_BUNDLE_BYTES_MAX = 128 * 1024 * 1024
"""Longest bundle that is read: above a thousand of the longest entries."""

# Level 1 compresses entries to a quarter for a microsecond each; higher levels gain little.
_compress = zstandard.ZstdCompressor(level=1).compress
_decompress = zstandard.ZstdDecompressor().decompress
_partner = msgspec.json.Decoder(Partner).decode


def pack(entries: Sequence[bytes]) -> bytes:
    """Write a bundle: each entry with its length in two bytes (as C2SP tlog-tiles), compressed."""
    return _compress(pack_entries(entries))


def unpack(packed: bytes) -> list[bytes]:
    """Read a bundle. Raises LedgerError."""
    try:
        bundle = _decompress(packed, max_output_size=_BUNDLE_BYTES_MAX)
    except zstandard.ZstdError as error:
        raise LedgerError("a bundle of entries cannot be read") from error
    return list(_cut(bundle))


def _cut(bundle: bytes) -> Iterator[bytes]:
    at, end = 0, len(bundle)
    while at < end:
        begin = at + LENGTH_BYTES
        at = begin + int.from_bytes(bundle[at:begin], "big")
        if at > end:
            raise LedgerError("a bundle of entries is cut short")
        yield bundle[begin:at]


def batch_of(row: Any, *, damaged_is_empty: bool = False) -> Batch:
    """Read a row of `batch`. Raises LedgerError for a damaged bundle, unless it is to be empty."""
    try:
        entries = unpack(row["entries"])
    except LedgerError:
        if not damaged_is_empty:
            raise
        entries = []
    return Batch(
        first=row["first_index"],
        size=row["size"],
        root=row["root"],
        frontier=row["frontier"],
        time=microseconds(row["time"]),
        entries=entries,
    )


def row_of(row: Any) -> SearchRow:
    """Read a row of `entry`."""
    return SearchRow(
        position=row["index"],
        draft_id=row["draft_id"],
        partner_seq=row["partner_seq"],
        regency=row["regency"],
        subject_key=row["subject_key"] or b"",
        partner=row["partner"],
        kind=row["kind"],
        method=row["method"],
        purpose=row["purpose"],
        outcome=row["outcome"],
        reason=row["reason"],
    )


def log_of(row: Any) -> LogRow:
    """Read the row of `log`."""
    return LogRow(
        name=row["name"],
        public_key=row["public_key"],
        epoch=row["epoch"],
        policy_version=row["policy_version"],
    )


def head_of(row: Any) -> Head:
    """Read a row of `partner_head`."""
    return Head(row["next_seq"], row["leaf_hash"])


def bound_of(row: Any) -> BoundRow:
    """Read a row of `bound_request`."""
    return BoundRow(
        row["partner"],
        str(row["request_id"]),
        row["content_mac"],
        row["index"],
        microseconds(row["time"]),
        row["sealed_answer"],
    )


def partner_of(document: str) -> Partner:
    """Read a partner's document."""
    return _partner(document)


def agreement_of(document: str) -> Agreement:
    """Read a row's version of an agreement."""
    return msgspec.json.decode(document, type=Agreement)
