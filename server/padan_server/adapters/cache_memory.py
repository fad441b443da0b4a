"""The first cache: records in this worker's memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from padan_server.ports import Clock, Registry


class MemoryCache:
    """Decorates a registry; keeps findings of records for `ttl_seconds` after their `as_of`.

    At most `records_max` are kept, the latest used. A NIK without a record is never kept: a person
    who arrives is found at once.
    """

    def __init__(
        self, inner: Registry, *, clock: Clock, ttl_seconds: float, records_max: int
    ) -> None:
        self._inner = inner
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._records_max = records_max
        self._kept: OrderedDict[Nik, Finding] = OrderedDict()

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        """See ports.Registry."""
        oldest = max(not_before, self._clock() - self._ttl_seconds)
        found = [self._fresh(nik, oldest) for nik in niks]
        missing = [nik for nik, finding in zip(niks, found, strict=True) if finding is None]
        if not missing:
            return found  # type: ignore[return-value]  # none is None
        read = iter(await self._inner.find(missing, not_before=not_before))
        return [
            self._keep(nik, next(read)) if f is None else f
            for nik, f in zip(niks, found, strict=True)
        ]

    def _fresh(self, nik: Nik, oldest: float) -> Finding | None:
        finding = self._kept.get(nik)
        if finding is None or finding.as_of < oldest:
            return None
        self._kept.move_to_end(nik)
        return finding

    def _keep(self, nik: Nik, finding: Finding) -> Finding:
        kept = self._kept
        if finding.record is None:
            kept.pop(nik, None)
        else:
            before = kept.get(nik)
            if before is None or before.as_of <= finding.as_of:
                kept[nik] = finding
                kept.move_to_end(nik)
                if len(kept) > self._records_max:
                    kept.popitem(last=False)
        return finding
