"""Who calls: a partner, by one of its registered keys."""

from __future__ import annotations

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """An authenticated caller: the partner, its key's id, and until when the token holds.

    `expires_at` is in seconds since the epoch.
    """

    partner: str
    key_id: str
    expires_at: float
