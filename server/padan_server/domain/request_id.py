"""Request ids: UUIDv7, whose time bounds how long an id can be used."""

from __future__ import annotations

from padan_server.domain.refusal import Reason, Refusal

LIFETIME_SECONDS = 72 * 3600
"""How long a request_id binds: a retry within it returns the first answer."""

FUTURE_SECONDS = 300
"""How far a caller's clock may be ahead of ours."""


def time_of(request_id: str) -> float:
    """Give the time in a UUIDv7 in text form, in seconds since the epoch."""
    return int(request_id[:8] + request_id[9:13], 16) / 1000


def check_time(request_id: str, now: float) -> None:
    """Refuse an id whose time is over, or has not come: Refusal REQUEST_ID_EXPIRED."""
    age = now - time_of(request_id)
    if not -FUTURE_SECONDS <= age <= LIFETIME_SECONDS:
        raise Refusal(
            Reason.REQUEST_ID_EXPIRED, "the time in the request_id is over 72 hours old or ahead"
        )
