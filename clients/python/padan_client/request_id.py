"""Request ids: UUIDv7 (RFC 9562), which name a call so that repeating it is the same call."""

from __future__ import annotations

import secrets
import time
from uuid import UUID

_RANDOM_BYTES = 10


def new_request_id() -> str:
    """Mint a request id. Store it before the call: it makes a later repetition safe."""
    return uuid7(
        unix_milliseconds=time.time_ns() // 1_000_000,
        randomness=secrets.token_bytes(_RANDOM_BYTES),
    )


def uuid7(*, unix_milliseconds: int, randomness: bytes) -> str:
    """Compose a UUIDv7 from a time and 10 random bytes, six bits of which are replaced."""
    assert 0 <= unix_milliseconds < 1 << 48
    assert len(randomness) == _RANDOM_BYTES
    value = unix_milliseconds << 80 | int.from_bytes(randomness, "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))
