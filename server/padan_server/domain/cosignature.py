"""Witnesses' cosignatures of a checkpoint (C2SP tlog-cosignature, Ed25519 v1), and their quorum.

A witness says with one: at this time, this was the largest head of the log that I know, and it
extends all that I signed before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from padan_server.domain.note import (
    COSIGNATURE,
    Note,
    NoteInvalid,
    Signature,
    VerifierKey,
    key_hash,
    parse_signatures,
)

TIME_MAX = 2**63 - 1
"""Latest time, in seconds since the epoch (C2SP)."""

WITNESS_KEYS_MAX = 14
"""With the log's old and new key they make the 16 signatures that every reader must accept."""

RESPONSE_BYTES_MAX = 64 * 1024
"""Longest answer of a witness that is read: a line for each of its keys."""

_TIME_BYTES = 8
_SIGNATURE_BYTES = 64


class CosignatureInvalid(NoteInvalid):
    """A cosignature by a known witness does not hold."""


class QuorumMissing(NoteInvalid):
    """Fewer witnesses cosigned than must."""


class Quorum(msgspec.Struct, frozen=True):
    """Which witnesses are known, by their keys, and how many of them must have cosigned.

    A witness is a name: while it replaces its key it has two, and counts once. Raises ValueError
    for a quorum that cannot be reached, or in which one key would count twice: cosignatures do not
    commit to names.
    """

    witnesses: tuple[VerifierKey, ...]
    needed: int

    def __post_init__(self) -> None:
        if len(self.witnesses) > WITNESS_KEYS_MAX:
            raise ValueError(f"at most {WITNESS_KEYS_MAX} keys of witnesses are taken")
        if any(key.kind != COSIGNATURE for key in self.witnesses):
            raise ValueError("a key is not a witness's")
        if len({key.public_key for key in self.witnesses}) < len(self.witnesses):
            raise ValueError("two witnesses have one public key")
        if not 0 <= self.needed <= len({key.name for key in self.witnesses}):
            raise ValueError("a quorum is at most the number of witnesses")


def message(text: str, time: int) -> bytes:
    """Give what a witness signs: a note's text, and the time in seconds since the epoch."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def cosign(
    text: str, *, name: str, public_key: bytes, signer: Callable[[bytes], bytes], time: int
) -> Signature:
    """Cosign a note's text as the witness of a name. `time` is in seconds since the epoch."""
    assert 0 <= time <= TIME_MAX, "a clock gives the time"
    signed = signer(message(text, time))
    value = time.to_bytes(_TIME_BYTES, "big") + signed
    return Signature(name, key_hash(name, public_key, COSIGNATURE), value)


def time_of(cosignature: Signature) -> int:
    """Give the time that a cosignature names, unchecked. Raises CosignatureInvalid."""
    if len(cosignature.value) != _TIME_BYTES + _SIGNATURE_BYTES:
        raise CosignatureInvalid("a cosignature does not have its length")
    time = int.from_bytes(cosignature.value[:_TIME_BYTES], "big")
    if time > TIME_MAX:
        raise CosignatureInvalid("a cosignature's time is too late")
    return time


def verify(text: str, cosignature: Signature, key: VerifierKey) -> int:
    """Check a cosignature of a note's text by a witness's key, and give its time.

    Raises CosignatureInvalid.
    """
    time = time_of(cosignature)
    if (cosignature.name, cosignature.key_hash) != (key.name, key.key_hash()):
        raise CosignatureInvalid("a cosignature is by another key")
    public = Ed25519PublicKey.from_public_bytes(key.public_key)
    try:
        public.verify(cosignature.value[_TIME_BYTES:], message(text, time))
    except InvalidSignature as error:
        raise CosignatureInvalid("a cosignature does not hold") from error
    return time


def held_cosignatures(note: Note, witnesses: Collection[VerifierKey]) -> dict[str, int]:
    """Give the latest time at which each known witness cosigned a note, by the witness's name.

    All cosignatures by these keys must hold; others are passed over. Raises CosignatureInvalid.
    """
    times: dict[str, int] = {}
    for key in witnesses:
        for one in note.by(key):
            time = verify(note.text, one, key)
            times[key.name] = max(time, times.get(key.name, 0))
    return times


def cosigned(note: Note, quorum: Quorum) -> dict[str, int]:
    """Check that enough witnesses cosigned a note; give the times as `held_cosignatures`.

    Raises CosignatureInvalid or QuorumMissing.
    """
    times = held_cosignatures(note, quorum.witnesses)
    if len(times) < quorum.needed:
        raise QuorumMissing(f"{len(times)} witnesses cosigned, where {quorum.needed} must")
    return times


def cosignatures_in(
    response: bytes, *, text: str, witnesses: Collection[VerifierKey]
) -> list[Signature]:
    """Read a witness's answer: its cosignatures of a note's text, checked.

    Lines by unknown keys are left out. Raises NoteInvalid.
    """
    if len(response) > RESPONSE_BYTES_MAX:
        raise NoteInvalid("a witness's answer is too long")
    try:
        lines = response.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteInvalid("a witness's answer is not UTF-8") from error
    given = Note(text, parse_signatures(lines))
    found = [one for key in witnesses for one in given.by(key)]
    held_cosignatures(given, witnesses)
    return found
