"""When a call is tried again, how long each attempt may last, and how long to wait between.

A retry carries the same request id, so it is the same call: charged once, answered alike. That
makes it safe after any attempt whose fate is unknown, an attempt that timed out included. Nothing
else is tried again, least of all a spent budget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from padan_client.errors import PadanError, Unavailable

ATTEMPTS_MAX = 10
TIMEOUT_SECONDS_MAX = 120.0
"""Limits of what can be asked for: a caller who waits longer should queue the request instead."""

_TIMEOUT_SECONDS_MIN = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounded exponential backoff with jitter, within one deadline over all attempts."""

    max_attempts: int = 4
    backoff_initial_seconds: float = 0.1
    backoff_max_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.max_attempts <= ATTEMPTS_MAX:
            raise ValueError(f"max_attempts must be 1 to {ATTEMPTS_MAX}")

    def attempt_timeout(self, attempt: int, *, remaining_seconds: float) -> float:
        """Give the seconds that attempt number `attempt`, from 1, may last.

        Every attempt but the last takes half of what remains, so that one connection that
        swallows the call leaves time to try another.
        """
        is_last = attempt >= self.max_attempts
        return max(remaining_seconds if is_last else remaining_seconds / 2, _TIMEOUT_SECONDS_MIN)

    def pause_after(
        self,
        error: PadanError,
        *,
        attempt: int,
        remaining_seconds: float,
        random: Callable[[], float],
    ) -> float | None:
        """Give the seconds to wait before the next attempt; None if there shall be none.

        The wait is never shorter than the service asked for (RetryInfo). `random` gives numbers
        in [0, 1).
        """
        if not isinstance(error, Unavailable) or attempt >= self.max_attempts:
            return None
        ceiling = min(self.backoff_initial_seconds * 2 ** (attempt - 1), self.backoff_max_seconds)
        # Never below half: after a failure at once there must be some wait.
        pause = ceiling * (1 + random()) / 2
        if error.retry_after is not None:
            # Added, not replaced: clients told the same time must not come back together.
            pause += error.retry_after.total_seconds()
        return pause if pause < remaining_seconds else None


def checked_timeout(seconds: float) -> float:
    """Return a deadline if it is one that can be asked for. Raises ValueError."""
    if not 0 < seconds <= TIMEOUT_SECONDS_MAX:
        raise ValueError(f"timeout_seconds must be above 0 and at most {TIMEOUT_SECONDS_MAX:g}")
    return seconds
