"""Tokens: self-signed JWTs by which the service knows the partner, minted and kept for reuse."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import jwt

from padan_client.keys import PartnerKey

LIFETIME_SECONDS = 300
"""How long a token holds; the service refuses more than 600."""

RENEWAL_SECONDS = 60
"""How long before its expiry a token is replaced: more than a call's deadline and clock error."""


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A signed token, and the seconds since the epoch between which it is used."""

    text: str
    issued_at: int
    renewed_at: int

    def is_fresh(self, now: float) -> bool:
        """Tell whether to use it still; also false when the clock was set back."""
        return self.issued_at <= now < self.renewed_at


def mint(key: PartnerKey, *, audience: str, now: int, token_id: str) -> Token:
    """Sign a token that says who calls, for whom, and until when."""
    text = jwt.encode(
        {
            "iss": key.partner,
            "aud": audience,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": token_id,
        },
        key.private_key,
        algorithm=key.algorithm.value,
        headers={"kid": key.key_id},
    )
    return Token(text, issued_at=now, renewed_at=now + LIFETIME_SECONDS - RENEWAL_SECONDS)


class TokenSource:
    """Gives the current token, minting one when there is none that is fresh. Thread-safe."""

    def __init__(
        self, key: PartnerKey, *, audience: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._key = key
        self._audience = audience
        self._clock = clock
        self._lock = Lock()
        self._token: Token | None = None

    def token(self) -> str:
        """Give a token that holds for longer than a call lasts."""
        now = self._clock()
        token = self._token
        if token is not None and token.is_fresh(now):
            return token.text
        with self._lock:
            # Another thread may have been first.
            if self._token is None or not self._token.is_fresh(now):
                self._token = mint(
                    self._key,
                    audience=self._audience,
                    now=int(now),
                    token_id=secrets.token_urlsafe(16),
                )
            return self._token.text
