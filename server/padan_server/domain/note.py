"""Signed notes (C2SP signed-note) and the checkpoints of a log in them (C2SP tlog-checkpoint).

Ed25519 alone: the notary makes notes with its key, and anyone reads them with the public key.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from padan_server.domain.merkle import HASH_BYTES, SIZE_MAX

_ED25519 = b"\x01"
_KEY_HASH_BYTES = 4
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[!-*,-~]{1,255}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")

NOTE_BYTES_MAX = 64 * 1024
"""Longest note that is read: a checkpoint with a handful of signatures has below one KiB."""


class NoteInvalid(Exception):
    """Not a note, not a checkpoint, or not signed by the key."""


class Checkpoint(msgspec.Struct, frozen=True):
    """A tree's head: `origin` is the log's name, `root` the hash of a tree of `size` entries."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Give the note's text."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def check_name(name: str) -> None:
    """Check that a name can be a key's and a log's: printable ASCII without space and plus.

    Quote and backslash are left out too, so that entries hold the name as it is. Raises ValueError.
    """
    if _NAME.fullmatch(name) is None or '"' in name or "\\" in name:
        raise ValueError("a log's name is 1 to 255 printable ASCII characters, no space, +, \", \\")


def key_hash(name: str, public_key: bytes) -> bytes:
    """Give a key's hash (C2SP: "key ID"), 4 bytes."""
    named = name.encode() + b"\n" + _ED25519 + public_key
    return hashlib.sha256(named).digest()[:_KEY_HASH_BYTES]


def verifier_key(name: str, public_key: bytes) -> str:
    """Give the text form in which verifiers are given a key."""
    key = b64encode(_ED25519 + public_key).decode()
    return f"{name}+{key_hash(name, public_key).hex()}+{key}"


def sign(checkpoint: Checkpoint, *, public_key: bytes, signer: Callable[[bytes], bytes]) -> bytes:
    """Give the signed note of a checkpoint; the key is named as the log."""
    text = checkpoint.text()
    signature = key_hash(checkpoint.origin, public_key) + signer(text.encode())
    return f"{text}\n{_DASH}{checkpoint.origin} {b64encode(signature).decode()}\n".encode()


def open_checkpoint(note: bytes, *, origin: str, public_key: bytes) -> Checkpoint:
    """Check a note's signature by a log's key, and read its checkpoint.

    Signatures by other keys are passed over. Raises NoteInvalid.
    """
    text, signatures = _split(note)
    wanted = key_hash(origin, public_key)
    key = Ed25519PublicKey.from_public_bytes(public_key)
    signed = False
    for name, signature in signatures:
        if name != origin or signature[:_KEY_HASH_BYTES] != wanted:
            continue
        try:
            key.verify(signature[_KEY_HASH_BYTES:], text.encode())
        except InvalidSignature as error:
            raise NoteInvalid("the note's signature does not hold") from error
        signed = True
    if not signed:
        raise NoteInvalid("the note is not signed by the log's key")
    checkpoint = _read(text)
    if checkpoint.origin != origin:
        raise NoteInvalid("the note is about another log")
    return checkpoint


def _split(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    """Cut a note into its text (with the final newline) and its signatures."""
    if len(note) > NOTE_BYTES_MAX:
        raise NoteInvalid("the note is too long")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteInvalid("the note is not UTF-8") from error
    if any(c < " " and c != "\n" for c in whole):
        raise NoteInvalid("the note holds a control character")
    text, separator, rest = whole.rpartition("\n\n")
    if not separator or not rest.endswith("\n"):
        raise NoteInvalid("the note has no signatures")
    return text + "\n", [_signature(line) for line in rest[:-1].split("\n")]


def _signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    signature = _bytes(encoded)
    if not line.startswith(_DASH) or not name or len(signature) <= _KEY_HASH_BYTES:
        raise NoteInvalid("a line of signatures has another form")
    return name, signature


def _bytes(encoded: str) -> bytes:
    """Read base64 in its one form: unused bits are zero, so that no note has a second spelling."""
    try:
        decoded = b64decode(encoded, validate=True)
    except ValueError as error:
        raise NoteInvalid("the note holds something else than base64") from error
    if b64encode(decoded).decode() != encoded:
        raise NoteInvalid("the note holds base64 in another form")
    return decoded


def _read(text: str) -> Checkpoint:
    """Read a checkpoint; lines after the third are extensions, which say nothing to us."""
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or _SIZE.fullmatch(lines[1]) is None:
        raise NoteInvalid("the note is no checkpoint")
    size, root = int(lines[1]), _bytes(lines[2])
    if size > SIZE_MAX or len(root) != HASH_BYTES:
        raise NoteInvalid("the note is no checkpoint")
    return Checkpoint(lines[0], size, root)
