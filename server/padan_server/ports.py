"""Ports: what the core needs of the world, as narrow as its callers need it today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from padan_server.domain.agreement import Partner
from padan_server.domain.caller import Caller
from padan_server.domain.coverage import Summary
from padan_server.domain.draft import Draft, Verdict
from padan_server.domain.nik import Nik
from padan_server.domain.outcome import RegionState
from padan_server.domain.person import Finding


class Clock(Protocol):
    """The wall clock."""

    def __call__(self) -> float:
        """Give seconds since the epoch, UTC."""
        ...


class Tokens(Protocol):
    """Authentication."""

    def authenticate(self, authorization: str, peer: str) -> Caller:
        """Check a call's authorization header. `peer` is its address.

        Raises Refusal (TOKEN_*, KEY_UNKNOWN, TOO_MANY_FAILURES).
        """
        ...


class Policy(Protocol):
    """The partners' state, as the notary last told it."""

    @property
    def log(self) -> str:
        """The origin of the log that entries go to."""
        ...

    def partner(self, partner: str) -> Partner | None:
        """Give a partner's state. Raises Refusal POLICY_UNAVAILABLE if it is over a second old."""
        ...


class Registry(Protocol):
    """The registry copy."""

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        """Give a finding for each NIK, in order.

        A finding is what the registry held at some moment between its `as_of` and the heartbeat
        after it, wherever it comes from. Nothing is taken from a cache whose `as_of` is before
        `not_before` (seconds since the epoch; 0 for any age); the copy itself may still be older,
        which is the caller's to judge.
        Raises Refusal (REGISTRY_UNAVAILABLE).
        """
        ...


class Regions(Protocol):
    """What is known of regions."""

    def of_prefix(self, prefix: str) -> RegionState:
        """Give the region of a six-digit prefix of a NIK or a village code."""
        ...


class CoverageReports(Protocol):
    """What is known of the regions' coverage."""

    @property
    def as_of(self) -> float:
        """How old it is: seconds since the epoch. Raises Refusal REGISTRY_UNAVAILABLE."""
        ...

    def summary(self, code: str) -> Summary | None:
        """Give the coverage of a current regency or province, or of COUNTRY; None of all else."""
        ...


class Ledger(Protocol):
    """The ledger, through the notary."""

    async def append(self, draft: Draft) -> Verdict:
        """Record a draft. Returns when it is committed.

        The draft is recorded even if the caller of this stops waiting. Raises Refusal
        (LEDGER_UNAVAILABLE) if it is not known to be recorded.
        """
        ...

    def note(self, draft: Draft) -> bool:
        """Record a refusal or fault in the background; False if the queue for these is full."""
        ...


class Keys(Protocol):
    """The worker's keys."""

    def content_mac(self, content: bytes) -> bytes:
        """Give the MAC (32 bytes) that binds a request_id to a request's content."""
        ...

    def subject_token(self, partner: str, nik: str) -> str:
        """Give the pairwise pseudonym of a person for a partner: 22 characters."""
        ...

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """Encrypt under today's data key; `context` must be given again to unseal."""
        ...

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt. Raises ValueError if it was altered, or its key is gone."""
        ...


class Entropy(Protocol):
    """Randomness."""

    def __call__(self, size: int) -> bytes:
        """Give random bytes, fit for keys."""
        ...
