"""What the check of a ledger reads, and from where."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from padan_server.domain.agreement import Agreement, Partner
from padan_server.domain.ledger import Batch, BoundRow, Head, LogRow, SearchRow


class Present(msgspec.Struct, frozen=True, kw_only=True):
    """The database's present state, all of one moment. `clock` is in microseconds.

    `agreements` are all versions, by partner and version; `beyond` counts the rows of entries, and
    of what is sealed beside them, that stand at no index of the log.
    """

    log: LogRow
    size: int
    root: bytes
    clock: int
    partners: dict[str, Partner]
    heads: dict[str, Head]
    used: dict[tuple[str, str], int]
    agreements: dict[tuple[str, str], Agreement]
    beyond: int


class Reader(Protocol):
    """The ledger's database, read only."""

    async def present(self) -> Present:
        """Read the present state."""
        ...

    def batches(self, first: int) -> AsyncIterator[Batch]:
        """Read the batches from an index on, in order. Damaged ones have no entries."""
        ...

    async def rows(self, first: int, end: int) -> dict[int, tuple[SearchRow, int]]:
        """Read the search side of entries, with their times, by index."""
        ...

    async def personal(self, first: int, end: int) -> dict[int, bytes]:
        """Read what is sealed beside entries, by index."""
        ...

    async def bound(self, keys: Sequence[tuple[str, str]]) -> list[BoundRow]:
        """Give those of the request ids (partner, id) that are bound."""
        ...

    async def bound_count(self, since: float, size: int) -> int:
        """Count bound ids not older than `since` (seconds) that entries below `size` bound."""
        ...
