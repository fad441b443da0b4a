"""Days as text, looked up instead of formatted: the generator writes three dates a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

TODAY = date(2025, 12, 31)
"""The day that the synthetic population is of: a seed gives the same people on any day."""

FIRST_DAY = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days from FIRST_DAY to TODAY by number: number 0 is FIRST_DAY."""

    iso: tuple[str, ...]
    in_nik_of_man: tuple[str, ...]
    in_nik_of_woman: tuple[str, ...]
    year: tuple[int, ...]
    today: int

    @classmethod
    def until_today(cls) -> Calendar:
        """Write all days once."""
        days = [
            FIRST_DAY + timedelta(days=number) for number in range((TODAY - FIRST_DAY).days + 1)
        ]
        months = [f"{month:02d}{year:02d}" for year in range(100) for month in range(1, 13)]
        ends = [months[day.year % 100 * 12 + day.month - 1] for day in days]
        of_man = [f"{day:02d}" for day in range(32)]
        of_woman = [f"{day + 40:02d}" for day in range(32)]
        return cls(
            iso=tuple(day.isoformat() for day in days),
            in_nik_of_man=tuple(of_man[day.day] + end for day, end in zip(days, ends, strict=True)),
            in_nik_of_woman=tuple(
                of_woman[day.day] + end for day, end in zip(days, ends, strict=True)
            ),
            year=tuple(day.year for day in days),
            today=len(days) - 1,
        )
