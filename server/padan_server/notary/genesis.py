"""The beginning of a log: its row in the database, and the first anchor."""

from __future__ import annotations

from typing import Protocol

from padan_server.domain.ledger import LedgerError, LogRow
from padan_server.domain.note import check_name
from padan_server.notary.head import initial_note
from padan_server.notary.ports import NotaryKeys


class NewLog(Protocol):
    """Where a log is opened."""

    async def create_log(self, name: str, public_key: bytes) -> tuple[LogRow, int]:
        """Write the log's row, unless there is one; give it, and the log's size."""
        ...


class NewAnchor(Protocol):
    """Where an anchor is made."""

    def create(self, note: bytes) -> None:
        """Make the anchor. Raises FileExistsError if there is one: it is never replaced."""
        ...


async def open_log(name: str, *, store: NewLog, anchor: NewAnchor, keys: NotaryKeys) -> None:
    """Open a new log. May be repeated if it was interrupted, as long as the log is empty.

    Raises LedgerError if the database or the anchor holds a log already; ValueError for a name
    that no log can have.
    """
    check_name(name)
    row, size = await store.create_log(name, keys.public_key())
    if (row.name, row.public_key) != (name, keys.public_key()):
        raise LedgerError(f"the database holds the log {row.name!r}, or one of another key")
    if size > 0:
        raise LedgerError("the log has entries already: its anchor cannot be made anew")
    try:
        anchor.create(initial_note(name, keys))
    except FileExistsError as error:
        raise LedgerError("there is an anchor already") from error
