"""Calendar windows in Jakarta, seven hours ahead of UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.window import JakartaDays, windows_at

MOMENTS = st.floats(0, 4e9)


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("moment", "day", "month", "day_ends", "month_ends"),
    [
        # Midnight in Jakarta is 17:00 UTC.
        ("2026-11-24T16:59:59.999999", "2026-11-24", "2026-11", "2026-11-24", "2026-11-30"),
        ("2026-11-24T17:00:00", "2026-11-25", "2026-11", "2026-11-25", "2026-11-30"),
        ("2026-11-30T16:59:59", "2026-11-30", "2026-11", "2026-11-30", "2026-11-30"),
        ("2026-11-30T17:00:00", "2026-12-01", "2026-12", "2026-12-01", "2026-12-31"),
        ("2026-12-31T16:59:59", "2026-12-31", "2026-12", "2026-12-31", "2026-12-31"),
        ("2026-12-31T17:00:00", "2027-01-01", "2027-01", "2027-01-01", "2027-01-31"),
        ("2027-02-28T16:59:59", "2027-02-28", "2027-02", "2027-02-28", "2027-02-28"),
        ("2028-02-28T17:00:00", "2028-02-29", "2028-02", "2028-02-29", "2028-02-29"),
        ("2028-02-29T17:00:00", "2028-03-01", "2028-03", "2028-03-01", "2028-03-31"),
    ],
)
def test_windows_begin_and_end_at_midnight_in_jakarta(
    moment: str, day: str, month: str, day_ends: str, month_ends: str
) -> None:
    windows = windows_at(utc(moment))
    assert windows.today == date.fromisoformat(day)
    assert (windows.day, windows.month) == (f"day:{day}", f"month:{month}")
    assert windows.day_ends == utc(f"{day_ends}T17:00:00")
    assert windows.month_ends == utc(f"{month_ends}T17:00:00")


@given(MOMENTS)
def test_a_moment_lies_in_its_windows_and_their_ends_in_the_next(moment: float) -> None:
    windows = windows_at(moment)
    assert moment < windows.day_ends <= windows.month_ends
    assert windows.day_ends - moment <= 86_400
    tomorrow = windows_at(windows.day_ends)
    assert tomorrow.today == windows.today + timedelta(days=1)
    next_month = windows_at(windows.month_ends)
    assert (next_month.today.day, next_month.month != windows.month) == (1, True)
    assert windows_at(windows.month_ends - 1).month == windows.month


@given(st.lists(MOMENTS, min_size=1, max_size=20))
def test_today_is_right_wherever_the_clock_jumps(moments: list[float]) -> None:
    days = JakartaDays()
    assert [days.today(m) for m in moments] == [windows_at(m).today for m in moments]


def test_today_changes_at_midnight_in_jakarta_and_back_if_the_clock_goes_back() -> None:
    days, midnight = JakartaDays(), utc("2026-12-31T17:00:00")
    assert days.today(midnight - 0.001) == date(2026, 12, 31)
    assert days.today(midnight) == date(2027, 1, 1)
    assert days.today(midnight - 0.001) == date(2026, 12, 31)
