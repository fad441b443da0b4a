"""Signed notes and the keys that verify them (C2SP signed-note; cosignatures: tlog-cosignature).

Ed25519 alone, in both forms: a log's own signature, and a witness's, which has a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from padan_client.verify.errors import Unreadable
from padan_client.verify.text import NUMBER_MAX, read_base64

ED25519 = 0x01
COSIGNATURE = 0x04
_TYPES = {ED25519: "a log's", COSIGNATURE: "a witness's"}

NOTE_BYTES_MAX = 64 * 1024
"""Longest note that is read: sixteen signatures have below four KiB."""

SIGNATURES_MAX = 64
"""Most signatures of a note; a reader must take at least 16."""

VERIFIER_KEY_CHARACTERS_MAX = 512
"""Longest key that is read: a name, its hash, and 33 bytes in base64."""

_KEY_ID_BYTES = 4
_PUBLIC_KEY_BYTES = 32
_SIGNATURE_BYTES = 64
_TIME_BYTES = 8
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name; `kind` is ED25519 (a log's) or COSIGNATURE (a witness's)."""

    name: str
    kind: int
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes by which signatures name this key."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key
        return sha256(named).digest()[:_KEY_ID_BYTES]

    @classmethod
    def parse(cls, text: str, *, kind: int) -> Self:
        """Read the text form, `NAME+HASH+KEY`, of a key of this kind. Raises Unreadable."""
        where = "the verifier key"
        if len(text) > VERIFIER_KEY_CHARACTERS_MAX:
            raise Unreadable(where, "is too long")
        name, _, rest = text.partition("+")
        key_id, separator, encoded = rest.partition("+")
        if not separator or _NAME.fullmatch(name) is None or _KEY_ID.fullmatch(key_id) is None:
            raise Unreadable(where, "does not have the form NAME+HASH+KEY")
        key = read_base64(encoded, where)
        if len(key) != 1 + _PUBLIC_KEY_BYTES or key[0] != kind:
            raise Unreadable(where, f"is not {_TYPES[kind]} Ed25519 key (type {kind})")
        parsed = cls(name, kind, key[1:])
        if parsed.key_id.hex() != key_id:
            raise Unreadable(where, "has another hash than its name and key")
        try:
            Ed25519PublicKey.from_public_bytes(parsed.public_key)
        except ValueError:
            raise Unreadable(where, "is no point of the curve") from None
        return parsed


@dataclass(frozen=True, slots=True)
class Signature:
    """A line below a note: who signed, by name and key id, and the rest of the bytes."""

    name: str
    key_id: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note: its text, with the final newline, and its signatures, none of them checked."""

    text: str
    signatures: tuple[Signature, ...]

    def by(self, key: VerifierKey) -> list[Signature]:
        """Give the signatures that name this key."""
        key_id = key.key_id
        return [each for each in self.signatures if (each.name, each.key_id) == (key.name, key_id)]


def parse_note(data: bytes, where: str) -> Note:
    """Read a note. Raises Unreadable."""
    if len(data) > NOTE_BYTES_MAX:
        raise Unreadable(where, f"is longer than {NOTE_BYTES_MAX} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable(where, "is not UTF-8") from None
    if any(c < " " and c != "\n" for c in whole):
        raise Unreadable(where, "holds a control character")
    text, separator, rest = whole.rpartition("\n\n")
    if not separator or not rest.endswith("\n"):
        raise Unreadable(where, "has no signatures")
    lines = rest[:-1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise Unreadable(where, f"has more than {SIGNATURES_MAX} signatures")
    return Note(text + "\n", tuple(_signature(line, where) for line in lines))


def signed_by(note: Note, key: VerifierKey) -> bool | None:
    """Tell whether a log's signature by this key holds; None where there is none."""
    return _all_hold([verified(key, each.data, note.text.encode()) for each in note.by(key)])


def cosigned_by(note: Note, key: VerifierKey) -> tuple[bool | None, int]:
    """Tell whether a witness's cosignature holds (None: there is none), and its time.

    The time is in seconds since the epoch, the latest of several; 0 where there is none.
    """
    held: list[bool] = []
    latest = 0
    for each in note.by(key):
        time = int.from_bytes(each.data[:_TIME_BYTES], "big")
        message = f"cosignature/v1\ntime {time}\n{note.text}".encode()
        held.append(time <= NUMBER_MAX and verified(key, each.data[_TIME_BYTES:], message))
        latest = max(latest, time)
    return _all_hold(held), latest


def verified(key: VerifierKey, signature: bytes, message: bytes) -> bool:
    """Tell whether an Ed25519 signature holds."""
    if len(signature) != _SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _all_hold(held: Sequence[bool]) -> bool | None:
    # One that fails makes the note suspect, whatever stands beside it.
    return all(held) if held else None


def _signature(line: str, where: str) -> Signature:
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator or _NAME.fullmatch(name) is None:
        raise Unreadable(where, "has a line of signatures in another form")
    data = read_base64(encoded, where)
    if len(data) <= _KEY_ID_BYTES:
        raise Unreadable(where, "has a signature that is too short")
    return Signature(name, data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])
