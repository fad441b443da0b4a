"""What the notary needs of the world: a store, an anchor, keys, randomness."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from padan_server.domain.ledger import Batch, BoundRow, Tail, Write

Monotonic = Callable[[], float]
"""A clock in seconds that never goes back."""


class Entropy(Protocol):
    """Randomness."""

    def __call__(self, size: int) -> bytes:
        """Give random bytes, fit for keys."""
        ...


class SubjectKeys(Protocol):
    """The epoch key of subjects."""

    @property
    def subject_epoch(self) -> int:
        """Which epoch key this is."""
        ...

    def subject_mac(self, nik: str) -> bytes:
        """Give HMAC-SHA-256(epoch key, NIK)."""
        ...


class NotaryKeys(SubjectKeys, Protocol):
    """The notary's keys."""

    def sign(self, data: bytes) -> bytes:
        """Give the Ed25519 signature."""
        ...

    def public_key(self) -> bytes:
        """Give the log's public key: 32 bytes."""
        ...


class Anchor(Protocol):
    """The last signed checkpoint, kept outside the database."""

    def read(self) -> bytes:
        """Give the last note. Raises AnchorMissing."""
        ...

    def write(self, note: bytes) -> None:
        """Replace the note, durably. Raises AnchorMoved if another process did since."""
        ...


class Store(Protocol):
    """The ledger's database, on one connection: calls are made one after the other.

    Anything but what is named here is LedgerError: the outcome is then unknown, and the notary
    ends.
    """

    async def take_over(self) -> Tail:
        """Raise the epoch, so that no other notary can write, and read where the log ends."""
        ...

    def batches(self, first: int) -> AsyncIterator[Batch]:
        """Read the batches that begin at an index or after it, in order."""
        ...

    async def frontier_at(self, size: int) -> bytes | None:
        """Give the frontier stored with the batch that ends at a size."""
        ...

    async def append(self, write: Write) -> int:
        """Commit a batch; give the database's clock.

        Raises AlreadyRecorded, nothing being written, if a draft or a request_id is recorded.
        Raises Fenced.
        """
        ...

    async def recorded(self, draft_ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """Give the entries of those drafts that are recorded, as bytes."""
        ...

    async def bound(self, keys: Sequence[tuple[str, str]]) -> list[BoundRow]:
        """Give those of the request ids (partner, id) that are bound."""
        ...

    async def keep_partitions(self, now: int) -> None:
        """Make the days' partitions of bound request ids ahead, and drop those that are over."""
        ...

    async def lost(self) -> None:
        """Return when the connection is gone."""
        ...
