"""Checkpoints (C2SP tlog-checkpoint), and whom one trusts to sign them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from padan_client.verify.errors import SignatureInvalid, Unreadable, WitnessesMissing
from padan_client.verify.merkle import EMPTY_ROOT, HASH_BYTES
from padan_client.verify.notes import (
    COSIGNATURE,
    ED25519,
    Note,
    VerifierKey,
    cosigned_by,
    parse_note,
    signed_by,
)
from padan_client.verify.text import read_base64, read_number

KEYS_MAX = 16
"""Most keys of a log, and most witnesses: each costs a signature's check."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A tree's head: the log's name, how many entries the tree has, and its root hash."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A witness that cosigned, and when it says it did."""

    witness: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint whose signatures hold; `note` is its text as it came."""

    checkpoint: Checkpoint
    note: bytes
    witnesses: tuple[Cosigned, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count: keys of one log (one must sign), and `quorum` of the witnesses.

    A witness is a name: while it replaces its key it has two, and counts once.
    """

    log_keys: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...]
    quorum: int

    @classmethod
    def parse(
        cls, *, log_keys: Sequence[str], witnesses: Sequence[str] = (), quorum: int | None = None
    ) -> Self:
        """Read verifier keys; without `quorum`, all of the witnesses must cosign.

        Raises Unreadable for keys that are none, or that would count twice.
        """
        logs = tuple(VerifierKey.parse(text.strip(), kind=ED25519) for text in log_keys)
        others = tuple(VerifierKey.parse(text.strip(), kind=COSIGNATURE) for text in witnesses)
        names = len({key.name for key in others})
        wanted = names if quorum is None else quorum
        if not 1 <= len(logs) <= KEYS_MAX or len(others) > KEYS_MAX:
            raise Unreadable("the keys", f"must be 1 to {KEYS_MAX} of the log, and up to as many")
        if len({key.name for key in logs}) > 1:
            raise Unreadable("the log's keys", "have different names: they are of several logs")
        # A cosignature does not hold the witness's name: one key under two names would count twice.
        public_keys = [key.public_key for key in (*logs, *others)]
        if len(set(public_keys)) < len(public_keys):
            raise Unreadable("the keys", "hold one key twice")
        if not 0 <= wanted <= names or (names and not wanted):
            raise Unreadable("the quorum", f"must be 1 to {names}, the number of witnesses")
        return cls(logs, others, wanted)

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.log_keys[0].name

    def open(self, data: bytes, where: str) -> Signed:
        """Read a checkpoint, and check that who must sign it did.

        Signatures by other keys are passed over. Raises Unreadable, SignatureInvalid,
        WitnessesMissing.
        """
        note = parse_note(data, where)
        self._require_log(note, where)
        checkpoint = read_checkpoint(note.text, where)
        if checkpoint.origin != self.origin:
            raise SignatureInvalid(where, "is of another log than the key's")
        return Signed(checkpoint, data, self._cosigned(note, where))

    def _require_log(self, note: Note, where: str) -> None:
        signed = [held for key in self.log_keys if (held := signed_by(note, key)) is not None]
        if not signed:
            raise SignatureInvalid(where, f"is not signed by the key of {self.origin}")
        if not all(signed):
            raise SignatureInvalid(where, "has a signature of the log that does not hold")

    def _cosigned(self, note: Note, where: str) -> tuple[Cosigned, ...]:
        cosigned: dict[str, Cosigned] = {}
        for key in self.witnesses:
            held, time = cosigned_by(note, key)
            if held is False:
                raise WitnessesMissing(where, f"has a cosignature of {key.name} that does not hold")
            if held:
                cosigned[key.name] = Cosigned(key.name, _moment(time))
        if len(cosigned) < self.quorum:
            text = f"is cosigned by {len(cosigned)} of the witnesses, not by {self.quorum}"
            raise WitnessesMissing(where, text)
        return tuple(cosigned.values())


def read_checkpoint(text: str, where: str) -> Checkpoint:
    """Read a checkpoint's text; lines after the third say nothing to us. Raises Unreadable."""
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines):
        raise Unreadable(where, "is no checkpoint")
    size = read_number(lines[1], where)
    root = read_base64(lines[2], where)
    if len(root) != HASH_BYTES:
        raise Unreadable(where, f"has a root of {len(root)} bytes, not {HASH_BYTES}")
    if size == 0 and root != EMPTY_ROOT:
        raise Unreadable(where, "has no entries, but the root of a tree that has some")
    return Checkpoint(lines[0], size, root)


def _moment(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None  # A time beyond the calendar is signed as well as any other.
