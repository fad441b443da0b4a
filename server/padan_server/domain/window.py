"""Calendar windows of budgets, in Asia/Jakarta (UTC+7 all year, no daylight saving time)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import msgspec

JAKARTA = timezone(timedelta(hours=7), "Asia/Jakarta")


class Windows(msgspec.Struct, frozen=True):
    """The windows of one moment: names as in entries, and their ends in seconds since the epoch."""

    today: date
    day: str
    month: str
    day_ends: float
    month_ends: float


def windows_at(seconds: float) -> Windows:
    """Give the windows that hold a moment, given in seconds since the epoch."""
    now = datetime.fromtimestamp(seconds, UTC).astimezone(JAKARTA)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    next_month = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
    return Windows(
        today=now.date(),
        day=f"day:{now:%Y-%m-%d}",
        month=f"month:{now:%Y-%m}",
        day_ends=(midnight + timedelta(days=1)).timestamp(),
        month_ends=next_month.timestamp(),
    )


class JakartaDays:
    """Tells today's date in Asia/Jakarta; works it out once a day."""

    __slots__ = ("_ends", "_today")

    def __init__(self) -> None:
        self._ends = 0.0
        self._today = date.min

    def today(self, seconds: float) -> date:
        """Give the date of a moment, given in seconds since the epoch."""
        if not self._ends - 86_400 <= seconds < self._ends:
            windows = windows_at(seconds)
            self._today, self._ends = windows.today, windows.day_ends
        return self._today
