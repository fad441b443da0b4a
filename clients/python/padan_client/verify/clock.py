"""The times of entries: their form, and the budget windows of each, in Asia/Jakarta."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

_JAKARTA = timezone(timedelta(hours=7))
"""Asia/Jakarta has had no other offset since 1964."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_HOUR = len("2026-11-24T05")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Clock:
    """Reads the time of one entry after the other; many share one, and most share the hour."""

    __slots__ = ("_hour", "milliseconds", "text", "today", "windows")

    def __init__(self) -> None:
        self.text = ""
        self.milliseconds = 0
        self.today = date.min
        self.windows: list[str] = []
        self._hour = ""

    def set(self, text: str) -> None:
        """Go to a time, as entries write it. Raises ValueError for another form."""
        if _TIME.fullmatch(text) is None:
            raise ValueError("not a time as entries write it")
        moment = datetime.fromisoformat(text)
        if text[:_HOUR] != self._hour:
            there = moment.astimezone(_JAKARTA)
            self.today = there.date()
            self.windows = [f"day:{there:%Y-%m-%d}", f"month:{there:%Y-%m}"]
            self._hour = text[:_HOUR]
        self.milliseconds = (moment - _EPOCH) // _MILLISECOND
        self.text = text
