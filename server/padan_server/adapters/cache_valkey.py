"""The second cache: records in Valkey, shared by workers, sealed.

Keys are MACs of NIKs; values are encrypted with their key, schema version and registry as
associated data, so that whoever can write Valkey can neither read a person nor swap two. Valkey
away or a seal broken is a miss: the cache may be lost at any time. NIKs without a record are not
kept here.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from hashlib import sha256

import msgspec
import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from padan_server.domain.freshness import Freshness
from padan_server.domain.nik import Nik
from padan_server.domain.person import Finding
from padan_server.ports import Clock, Entropy, Registry

SCHEMA_VERSION = b"2"
"""Changes with every change of Record or Finding."""

TIMEOUT_SECONDS = 0.25
"""Longest wait for Valkey: reading the replica takes less."""

REST_SECONDS = 1.0
"""How long Valkey is left alone after a failure."""

TO_STORE_MAX = 5_000
"""Findings that wait to be stored; beyond it they are not stored at all."""

_NONCE_BYTES = 12

_SET = """
for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1]) end
"""

log = structlog.get_logger()


class ValkeyCache:
    """Decorates a registry; keeps records for `ttl_seconds` after their `as_of`.

    What of them may be answered, and as of when, `freshness` says.
    """

    def __init__(
        self,
        inner: Registry,
        *,
        url: str,
        key: bytes,
        freshness: Freshness,
        clock: Clock,
        entropy: Entropy,
        ttl_seconds: float,
    ) -> None:
        self._inner = inner
        self._freshness = freshness
        self._clock = clock
        self._entropy = entropy
        self._ttl_seconds = ttl_seconds
        self._names = hmac.new(hmac.digest(key, b"names", "sha256"), digestmod=sha256)
        self._seal = AESGCM(hmac.digest(key, b"values", "sha256"))
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Finding).decode
        self._resting_until = 0.0
        self._valkey = Redis.from_url(
            url,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            protocol=2,
        )
        self._set = self._valkey.register_script(_SET)
        self._to_store: dict[bytes, Finding] = {}
        self._storing: asyncio.Task[None] | None = None
        self.hits = 0
        self.misses = 0

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        """See ports.Registry."""
        names = [self._name(nik) for nik in niks]
        found = await self._get(names, niks, not_before)
        missing = [nik for nik in niks if nik not in found]
        self.hits += len(niks) - len(missing)
        self.misses += len(missing)
        if missing:
            read = dict(
                zip(missing, await self._inner.find(missing, not_before=not_before), strict=True)
            )
            self._keep({n: read[nik] for n, nik in zip(names, niks, strict=True) if nik in read})
            found |= read
        return [found[nik] for nik in niks]

    async def drain(self) -> None:
        """Wait until what was read is stored, or given up: answers do not wait for that."""
        while self._storing is not None:
            await asyncio.wait([self._storing])

    async def close(self) -> None:
        """End the connections; what is not stored yet is not stored."""
        storing, self._storing, self._to_store = self._storing, None, {}
        if storing is not None:
            storing.cancel()
            await asyncio.wait([storing])
        await self._valkey.aclose()

    async def _get(
        self, names: list[bytes], niks: Sequence[Nik], not_before: float
    ) -> dict[Nik, Finding]:
        if self._resting() or not self._freshness.registry:
            return {}
        try:
            values = await self._valkey.mget(names)
        except (RedisError, OSError, TimeoutError) as error:
            self._rest(error)
            return {}
        read_after = self._clock() - self._ttl_seconds
        found = {}
        for name, nik, value in zip(names, niks, values, strict=True):
            kept = self._open(name, value) if isinstance(value, bytes) else None
            if kept is None or kept.as_of < read_after:
                continue
            finding = self._freshness.current(nik, kept)
            if finding is not None and finding.as_of >= not_before:
                found[nik] = finding
        return found

    def _keep(self, findings: dict[bytes, Finding]) -> None:
        """Store findings of records, beside the answers that wait for them."""
        if not self._freshness.registry:
            return  # a seal names the registry
        if len(self._to_store) < TO_STORE_MAX:
            self._to_store |= {n: f for n, f in findings.items() if f.record is not None}
        if self._storing is None and self._to_store:
            self._storing = asyncio.get_running_loop().create_task(self._store())

    async def _store(self) -> None:
        try:
            while self._to_store and not self._resting():
                findings, self._to_store = self._to_store, {}
                oldest = min(finding.as_of for finding in findings.values())
                lifetime_ms = round((oldest + self._ttl_seconds - self._clock()) * 1000)
                if lifetime_ms > 0:
                    sealed = [self._sealed(name, finding) for name, finding in findings.items()]
                    await self._set(keys=list(findings), args=[lifetime_ms, *sealed])
        except (RedisError, OSError, TimeoutError) as error:
            self._to_store = {}
            self._rest(error)
        finally:
            self._storing = None

    def _sealed(self, name: bytes, finding: Finding) -> bytes:
        nonce = self._entropy(_NONCE_BYTES)
        return nonce + self._seal.encrypt(nonce, self._encode(finding), self._context(name))

    def _open(self, name: bytes, value: bytes) -> Finding | None:
        try:
            opened = self._seal.decrypt(
                value[:_NONCE_BYTES], value[_NONCE_BYTES:], self._context(name)
            )
            return self._decode(opened)
        except (InvalidTag, ValueError, msgspec.MsgspecError):
            log.warning("a cached value was altered, and is read anew")
            return None

    def _context(self, name: bytes) -> bytes:
        return name + SCHEMA_VERSION + self._freshness.registry.encode()

    def _name(self, nik: Nik) -> bytes:
        mac = self._names.copy()
        mac.update(nik.encode())
        return b"padan:person:" + mac.hexdigest()[:32].encode()

    def _resting(self) -> bool:
        return self._clock() < self._resting_until

    def _rest(self, error: Exception) -> None:
        self._resting_until = self._clock() + REST_SECONDS
        log.warning("valkey is away; the replica answers", error=type(error).__name__)
