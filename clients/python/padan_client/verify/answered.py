"""The request ids that ANSWER entries bind, remembered for as long as they can be used."""

from __future__ import annotations

import re

LIFETIME_MS = 72 * 3600 * 1000
"""How long a request id binds, by the time in it."""

AHEAD_MS = 300 * 1000
"""How far a caller's clock may be ahead."""

_is_uuid7 = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
).fullmatch

_BUCKET_DIGITS = 8
"""Ids are forgotten together whose first digits are the same: they were made in the same 2^16
milliseconds, about a minute. As that is below AHEAD_MS, only old ids need a closer look."""

_BUCKET_MS = 2 ** (48 - 4 * _BUCKET_DIGITS)


class _Bucket(dict[str, int]):
    """The entry that answered, by partner and request id, of one bucket."""

    __slots__ = ("made_ms",)

    def __init__(self, digits: str) -> None:
        super().__init__()
        self.made_ms = int(digits, 16) * _BUCKET_MS


class Answered:
    """Which entry answered a request id.

    It remembers what was made in the last 72 hours before the latest entry: about 170 bytes for
    each answer of that time.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def bind(self, partner: str, request_id: str, index: int, now_ms: int) -> int | str | None:
        """Have an entry answer a request id; `partner` is a text of digits that stands for it.

        Gives the index of the entry that answered it before, or what is wrong with it.
        """
        request_id = request_id.lower()
        if not _is_uuid7(request_id):
            return "has a request_id that is no UUIDv7"
        bucket = self._buckets.get(request_id[:_BUCKET_DIGITS])
        if bucket is None:
            self._forget(now_ms)
            digits = request_id[:_BUCKET_DIGITS]
            bucket = self._buckets[digits] = _Bucket(digits)
        age_ms = now_ms - bucket.made_ms
        # Well within its time, as nearly all are, an id's own milliseconds do not matter.
        if not _BUCKET_MS - AHEAD_MS <= age_ms <= LIFETIME_MS and not _in_time(request_id, now_ms):
            return "answers a request_id whose time is over, or has not come"
        first = bucket.setdefault(partner + request_id, index)
        return None if first == index else first

    def first(self, partner: str, request_id: str) -> int | None:
        """Give the index of the entry that answered a request id, if one did."""
        request_id = request_id.lower()
        bucket = self._buckets.get(request_id[:_BUCKET_DIGITS])
        return None if bucket is None else bucket.get(partner + request_id)

    def _forget(self, now_ms: int) -> None:
        """Forget what no entry can name any more; called when time has gone on for a while."""
        oldest = now_ms - LIFETIME_MS - _BUCKET_MS
        over = [digits for digits, bucket in self._buckets.items() if bucket.made_ms < oldest]
        for digits in over:
            del self._buckets[digits]


def _in_time(request_id: str, now_ms: int) -> bool:
    made_ms = int(request_id[:8] + request_id[9:13], 16)
    return -AHEAD_MS <= now_ms - made_ms <= LIFETIME_MS
