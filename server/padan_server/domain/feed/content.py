"""What the quarantine keeps of a line: its position and the columns that are known, no more.

The form is that of a feed's line, so that a retry reads it as the feed was read. Rows of a loaded
file have the operation LOAD and no source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from padan_server.domain.feed.columns import BIODATA_NAMES, TABLES
from padan_server.domain.feed.envelope import UNDECODABLE, decode_row, unwrapped

LOAD = "load"
"""The operation of rows that a load quarantined."""


def of_line(raw: bytes) -> str:
    """Give a line's content without anything that is not known; empty if it is unreadable."""
    try:
        envelope = unwrapped(raw)
    except UNDECODABLE:
        return ""
    if envelope is None or envelope.source is None:
        return ""
    source = envelope.source
    names = TABLES.get(source.table.lower())
    kept: dict[str, Any] = {
        "op": envelope.op[:1],
        "ts_ms": envelope.ts_ms,
        "source": {
            "table": source.table.lower() if names is not None else "",
            "ts_ms": source.ts_ms,
            "lsn": source.lsn,
            "sequence": source.sequence,
            "snapshot": source.snapshot,
        },
    }
    for side in ("before", "after"):
        row = _row(getattr(envelope, side))
        # What stood there before a change is no part of the change.
        if row is not None and names is not None and (side == "after" or envelope.op == "d"):
            kept[side] = known(row, names)
    return msgspec.json.encode(kept).decode()


def of_row(row: Mapping[str, Any]) -> str:
    """Give a loaded row's content."""
    kept = {"op": LOAD, "after": known(row, BIODATA_NAMES)}
    return msgspec.json.encode(kept).decode()


def loaded_row(content: str) -> dict[str, Any] | None:
    """Give the row that a load quarantined; None if a feed did."""
    try:
        envelope = unwrapped(content.encode())
    except UNDECODABLE:
        return None
    return _row(envelope.after) if envelope is not None and envelope.op == LOAD else None


def known(row: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Give the columns of a row that are known, by SIAK's names; of their values only plain ones.

    A NIK is text, so that a person's lines are found whichever way they were sent.
    """
    kept = {
        upper: value
        for name, value in row.items()
        if (upper := name.upper()) in names and isinstance(value, str | int | float | None)
    }
    if "NIK" in kept:
        kept["NIK"] = str(kept["NIK"]).strip()
    return kept


def mentions(nik: str) -> str:
    """Give the text that stands in the content of every row of a person."""
    return f'"NIK":"{nik}"'


def _row(encoded: msgspec.Raw) -> dict[str, Any] | None:
    try:
        return decode_row(encoded)
    except UNDECODABLE:
        return None
