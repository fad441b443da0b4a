"""The first cache: findings in this worker's memory, bounded in bytes.

What may be answered from it, and as of when, is domain/freshness.py's to say. People who have a
record and NIKs that have none are kept apart: who asks for what does not exist displaces nobody.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from padan_server.domain.freshness import Freshness
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from padan_server.ports import Clock, Registry

ABSENT_SHARE = 16
"""One part in so many of the bytes is for NIKs without a record."""

ENTRY_BYTES = 200
"""What an entry takes beside its value and key: its place in the table, and its links."""


class MemoryCache:
    """Decorates a registry; keeps findings for `ttl_seconds` after their `as_of`.

    All of it takes about `bytes_max` bytes; the least recently used goes first.
    """

    def __init__(
        self,
        inner: Registry,
        *,
        freshness: Freshness,
        clock: Clock,
        ttl_seconds: float,
        bytes_max: int,
    ) -> None:
        self._inner = inner
        self._freshness = freshness
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._records = _Partition(bytes_max - bytes_max // ABSENT_SHARE)
        self._absent = _Partition(bytes_max // ABSENT_SHARE)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Finding).decode
        self.hits = 0
        self.misses = 0

    @property
    def bytes_held(self) -> int:
        """How much of `bytes_max` is in use."""
        return self._records.bytes_held + self._absent.bytes_held

    @property
    def records_held(self) -> int:
        """How many people's records are kept."""
        return len(self._records)

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        """See ports.Registry."""
        read_after = self._clock() - self._ttl_seconds
        found = [self._current(nik, not_before, read_after) for nik in niks]
        missing = [nik for nik, finding in zip(niks, found, strict=True) if finding is None]
        self.hits += len(niks) - len(missing)
        self.misses += len(missing)
        if not missing:
            return found  # type: ignore[return-value]  # none is None
        read = iter(await self._inner.find(missing, not_before=not_before))
        return [
            self._keep(nik, next(read)) if finding is None else finding
            for nik, finding in zip(niks, found, strict=True)
        ]

    def _current(self, nik: Nik, not_before: float, read_after: float) -> Finding | None:
        value = self._records.get(nik) or self._absent.get(nik)
        if value is None:
            return None
        kept = self._decode(value)
        if kept.as_of < read_after:
            return None
        finding = self._freshness.current(nik, kept)
        return finding if finding is not None and finding.as_of >= not_before else None

    def _keep(self, nik: Nik, finding: Finding) -> Finding:
        """Keep what was read, unless what is kept is newer: readings may come late."""
        keeps, drops = self._records, self._absent
        if finding.record is None:
            keeps, drops = drops, keeps
        value = keeps.get(nik) or drops.get(nik)
        if value is None or self._decode(value).beat <= finding.beat:
            drops.drop(nik)
            keeps.put(nik, self._encode(finding))
        return finding


class _Partition:
    """Values by NIK, the least recently used first."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._values: OrderedDict[Nik, bytes] = OrderedDict()
        self.bytes_held = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, nik: Nik) -> bytes | None:
        value = self._values.get(nik)
        if value is not None:
            self._values.move_to_end(nik)
        return value

    def put(self, nik: Nik, value: bytes) -> None:
        self.drop(nik)
        self._values[nik] = value
        self.bytes_held += _size(nik, value)
        while self.bytes_held > self._bytes_max:
            self.drop(next(iter(self._values)))

    def drop(self, nik: Nik) -> None:
        value = self._values.pop(nik, None)
        if value is not None:
            self.bytes_held -= _size(nik, value)


def _size(nik: Nik, value: bytes) -> int:
    return ENTRY_BYTES + sys.getsizeof(nik) + sys.getsizeof(value)
