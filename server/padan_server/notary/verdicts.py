"""Verdicts, with what does not apply left at its default."""

from __future__ import annotations

from padan_server.domain.draft import Verdict


def verdict(
    draft_id: bytes,
    standing: str,
    *,
    index: int,
    time: int,
    charged: bool = False,
    left: tuple[int, int] = (-1, -1),
    sealed_answer: bytes = b"",
    reason: str = "",
    window: str = "",
    retry_after_seconds: float = 0.0,
) -> Verdict:
    """Make a verdict; `left` is what the day's and the month's budget have left."""
    return Verdict(
        draft_id,
        standing,
        index,
        time,
        charged,
        *left,
        sealed_answer,
        reason,
        window,
        retry_after_seconds,
    )


def left(limits: tuple[int | None, int | None], used: tuple[int, int]) -> tuple[int, int]:
    """Give what budgets have left; -1 where there is no limit."""
    day, month = limits
    return (
        -1 if day is None else max(0, day - used[0]),
        -1 if month is None else max(0, month - used[1]),
    )
