"""Authentication by partners' self-signed tokens: JWT (RFC 7519), ES256 or EdDSA.

Cheap checks come first: no signature is verified for a token of the wrong size, form, issuer, key
or time, nor for an address whose tokens keep failing. Verified tokens are kept until they expire;
the partner's state is checked anew with each call (domain/agreement.authorize).
"""

from __future__ import annotations

import json
from collections import OrderedDict

import jwt
import msgspec

from padan_server.domain.agreement import PartnerKey
from padan_server.domain.caller import Caller
from padan_server.domain.refusal import Reason, Refusal
from padan_server.ports import Clock, Policy

TOKEN_BYTES_MAX = 4096
"""Longest token: a dozen claims need under 1 KiB."""

LIFETIME_SECONDS_MAX = 600
"""Longest time between `iat` and `exp`."""

LEEWAY_SECONDS = 30
"""How far a partner's clock may be ahead of ours."""

TIME_MAX = 253_402_300_800
"""Times in tokens, in seconds since the epoch, end with the year 9999: no number is too large to
compare, and none is lost in a fraction."""

CACHE_MAX = 20_000
"""Verified tokens kept: 5,500 partners with a few each."""

FAILURES_PER_MINUTE_MAX = 30
"""Failed tokens of one address in a minute before its tokens are not looked at."""

ADDRESSES_MAX = 50_000
"""Addresses whose failures are counted at once."""

_ALGORITHMS = ("ES256", "EdDSA")


class _Failures(msgspec.Struct):
    minute: int
    count: int


class JwtTokens:
    """Checks bearer tokens. `audience` is the name under which this service is addressed."""

    def __init__(self, *, policy: Policy, audience: str, clock: Clock) -> None:
        self._policy = policy
        self._audience = audience
        self._clock = clock
        self._verified: OrderedDict[str, Caller] = OrderedDict()
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def authenticate(self, authorization: str, peer: str) -> Caller:
        """Check a call's authorization header.

        Raises Refusal: TOKEN_MISSING, TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_LIFETIME, KEY_UNKNOWN or
        TOO_MANY_FAILURES. The texts hold nothing of the token.
        """
        now = self._clock()
        caller = self._verified.get(authorization)
        if caller is not None:
            if now < caller.expires_at:
                return caller
            del self._verified[authorization]
        try:
            self._check_failures(peer, now)
            caller = self._check(authorization, now)
        except Refusal as refusal:
            if refusal.reason is not Reason.POLICY_UNAVAILABLE:
                self._count_failure(peer, now)
            raise
        self._verified[authorization] = caller
        if len(self._verified) > CACHE_MAX:
            self._verified.popitem(last=False)
        return caller

    def _check(self, authorization: str, now: float) -> Caller:
        scheme, _, token = authorization.partition(" ")
        if not authorization:
            raise Refusal(Reason.TOKEN_MISSING, "the call carries no bearer token")
        if scheme.lower() != "bearer" or not 0 < len(token) <= TOKEN_BYTES_MAX:
            raise Refusal(Reason.TOKEN_INVALID, "the authorization is not a bearer token")
        header, claims = self._read(token)
        expires_at = self._check_times(claims, now)
        partner, key = self._key(header, claims)
        try:
            jwt.decode(
                token,
                jwt.PyJWK(json.loads(key.jwk), algorithm=key.algorithm),
                algorithms=[key.algorithm],
                audience=self._audience,
                options={
                    "require": ["iss", "aud", "iat", "exp", "jti"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise Refusal(
                Reason.TOKEN_INVALID, "the token's signature, audience or claims do not hold"
            ) from error
        return Caller(partner=partner, key_id=key.key_id, expires_at=expires_at)

    def _read(self, token: str) -> tuple[dict[str, object], dict[str, object]]:
        """Read header and claims, unverified."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except Exception as error:  # whatever an unverified text makes a parser raise
            raise Refusal(Reason.TOKEN_INVALID, "the token is not a well-formed JWT") from error
        if header.get("alg") not in _ALGORITHMS:
            raise Refusal(Reason.TOKEN_INVALID, "the token's algorithm is not ES256 or EdDSA")
        return header, claims

    def _check_times(self, claims: dict[str, object], now: float) -> float:
        """Judge a token's times by our clock; give when it expires."""
        issued, expires = _time(claims, "iat"), _time(claims, "exp")
        valid_from = max(issued, _time(claims, "nbf")) if "nbf" in claims else issued
        if expires - issued > LIFETIME_SECONDS_MAX:
            raise Refusal(Reason.TOKEN_LIFETIME, "the token is valid for longer than 10 minutes")
        if not (valid_from - LEEWAY_SECONDS <= now < expires):
            raise Refusal(Reason.TOKEN_EXPIRED, "the token's time is over, or has not come")
        return expires

    def _key(self, header: dict[str, object], claims: dict[str, object]) -> tuple[str, PartnerKey]:
        """Find the key that the token names, and its partner."""
        issuer, key_id = claims.get("iss"), header.get("kid")
        if not isinstance(issuer, str) or not isinstance(key_id, str):
            raise Refusal(Reason.TOKEN_INVALID, "the token lacks iss or kid")
        partner = self._policy.partner(issuer)
        key = partner.keys.get(key_id) if partner is not None else None
        if key is None or key.revoked or key.algorithm != header["alg"]:
            raise Refusal(Reason.KEY_UNKNOWN, "no such partner or key")
        return issuer, key

    def _check_failures(self, peer: str, now: float) -> None:
        failures = self._failures.get(peer)
        if (
            failures is not None
            and failures.minute == int(now // 60)
            and failures.count >= FAILURES_PER_MINUTE_MAX
        ):
            raise Refusal(
                Reason.TOO_MANY_FAILURES,
                "too many tokens from this address failed",
                retry_after_seconds=60 - now % 60,
            )

    def _count_failure(self, peer: str, now: float) -> None:
        minute = int(now // 60)
        failures = self._failures.get(peer)
        if failures is None or failures.minute != minute:
            self._failures[peer] = _Failures(minute, 1)
            self._failures.move_to_end(peer)
            if len(self._failures) > ADDRESSES_MAX:
                self._failures.popitem(last=False)
        else:
            failures.count += 1


def _time(claims: dict[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < TIME_MAX:
        raise Refusal(Reason.TOKEN_INVALID, f"the token has no {name}, or one that is no time")
    return float(value)
