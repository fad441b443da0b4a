"""Signed notes (C2SP signed-note) and the checkpoints of a log in them (C2SP tlog-checkpoint).

Ed25519 alone: the notary makes notes with its key, and anyone reads them with the public key. While
a key is replaced, notes carry signatures by the old and the new key, under one name.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from padan_server.domain.merkle import HASH_BYTES, SIZE_MAX

ED25519 = 1
"""The kind of a key that signs notes; C2SP's other kinds are for others to read."""

COSIGNATURE = 4
"""The kind of a witness's Ed25519 key (C2SP tlog-cosignature)."""

PUBLIC_KEY_BYTES = 32
_KEY_HASH_BYTES = 4
_DASH = "\N{EM DASH} "
_NAME = re.compile(r"[!-*,-~]{1,255}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_KEY_HASH = re.compile(r"[0-9a-f]{8}")

NOTE_BYTES_MAX = 128 * 1024
"""Longest note that is read: room for the 16 signatures that C2SP demands, of 5 kB each."""

SIGNATURES_MAX = 100
"""Most signatures that are read: a log's and its witnesses' are a handful."""

KEY_CHARS_MAX = 1024
"""Longest text form of a key that is read: its name is the log's."""


class NoteInvalid(Exception):
    """Not a note, not a checkpoint, or not signed by the key."""


class KeyInvalid(Exception):
    """Not the text form of a public key that we can use."""


class Checkpoint(msgspec.Struct, frozen=True):
    """A tree's head: `origin` is the log's name, `root` the hash of a tree of `size` entries."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Give the note's text."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key with its name and its kind: what a verifier is given ("vkey")."""

    name: str
    public_key: bytes
    kind: int = ED25519

    def key_hash(self) -> bytes:
        """Give the key's hash (C2SP: "key ID"), 4 bytes."""
        return key_hash(self.name, self.public_key, self.kind)

    def text(self) -> str:
        """Give the text form."""
        return verifier_key(self.name, self.public_key, self.kind)

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read the text form. Raises KeyInvalid."""
        if len(text) > KEY_CHARS_MAX:
            raise KeyInvalid("the key is too long")
        name, hashed, encoded = (*text.split("+", 2), "", "")[:3]
        try:
            kind_and_key = read_base64(encoded)
        except ValueError as error:
            raise KeyInvalid(f"the key {error}") from error
        if not _can_be_key_name(name) or _KEY_HASH.fullmatch(hashed) is None:
            raise KeyInvalid("a key is written NAME+HASH+BASE64")
        if len(kind_and_key) != 1 + PUBLIC_KEY_BYTES or kind_and_key[0] not in (
            ED25519,
            COSIGNATURE,
        ):
            raise KeyInvalid("the key is not an Ed25519 key of a log or a witness")
        key = cls(name, kind_and_key[1:], kind_and_key[0])
        if key.key_hash().hex() != hashed:
            raise KeyInvalid("the key does not have the hash that stands before it")
        return key


class Signature(msgspec.Struct, frozen=True):
    """One signature of a note: `value` is what the key's kind makes, 64 bytes for Ed25519."""

    name: str
    key_hash: bytes
    value: bytes

    def line(self) -> str:
        """Give the line as it stands in a note."""
        return f"{_DASH}{self.name} {b64encode(self.key_hash + self.value).decode()}\n"


class Note(msgspec.Struct, frozen=True):
    """A note as read: its text (with the final newline), and its signatures, checked or not."""

    text: str
    signatures: tuple[Signature, ...]

    def dump(self) -> bytes:
        """Write the note."""
        return "".join((self.text, "\n", *(one.line() for one in self.signatures))).encode()

    def by(self, key: VerifierKey) -> list[Signature]:
        """Give the signatures that say they are by a key."""
        hashed = key.key_hash()
        return [one for one in self.signatures if (one.name, one.key_hash) == (key.name, hashed)]


def check_name(name: str) -> None:
    """Check that a name can be a key's and a log's: printable ASCII without space and plus.

    Quote and backslash are left out too, so that entries hold the name as it is. Raises ValueError.
    """
    if _NAME.fullmatch(name) is None or '"' in name or "\\" in name:
        raise ValueError("a log's name is 1 to 255 printable ASCII characters, no space, +, \", \\")


def key_hash(name: str, public_key: bytes, kind: int = ED25519) -> bytes:
    """Give a key's hash (C2SP: "key ID"), 4 bytes."""
    named = name.encode() + b"\n" + bytes((kind,)) + public_key
    return hashlib.sha256(named).digest()[:_KEY_HASH_BYTES]


def verifier_key(name: str, public_key: bytes, kind: int = ED25519) -> str:
    """Give the text form in which verifiers are given a key."""
    key = b64encode(bytes((kind,)) + public_key).decode()
    return f"{name}+{key_hash(name, public_key, kind).hex()}+{key}"


def signature(
    text: str, *, name: str, public_key: bytes, signer: Callable[[bytes], bytes]
) -> Signature:
    """Sign a note's text by a log's key."""
    return Signature(name, key_hash(name, public_key), signer(text.encode()))


def sign(checkpoint: Checkpoint, *, public_key: bytes, signer: Callable[[bytes], bytes]) -> bytes:
    """Give the signed note of a checkpoint; the key is named as the log."""
    text = checkpoint.text()
    made = signature(text, name=checkpoint.origin, public_key=public_key, signer=signer)
    return Note(text, (made,)).dump()


def with_signatures(note: Note, added: Collection[Signature]) -> Note:
    """Give a note with more signatures after its own, which stay as they are.

    A key's new signature takes the place of its old one. Raises NoteInvalid if they are too many.
    """
    whole = {(one.name, one.key_hash): one for one in added}
    kept = [whole.pop((one.name, one.key_hash), one) for one in note.signatures]
    result = Note(note.text, (*kept, *whole.values()))
    if len(result.signatures) > SIGNATURES_MAX or len(result.dump()) > NOTE_BYTES_MAX:
        raise NoteInvalid("the note has too many signatures")
    return result


def open_checkpoint(note: bytes, *, origin: str, public_key: bytes) -> Checkpoint:
    """Check a note's signature by a log's key, and read its checkpoint.

    Signatures by other keys are passed over. Raises NoteInvalid.
    """
    return open_by_any(note, origin=origin, keys=(VerifierKey(origin, public_key),))


def open_by_any(note: bytes, *, origin: str, keys: Collection[VerifierKey]) -> Checkpoint:
    """Check that a note is signed by any of a log's keys, and read its checkpoint.

    All signatures by these keys must hold; those by others are passed over. Raises NoteInvalid.
    """
    parsed = parse_note(note)
    verified(parsed, keys)
    checkpoint = read_checkpoint(parsed)
    if checkpoint.origin != origin:
        raise NoteInvalid("the note is about another log")
    return checkpoint


def verified(note: Note, keys: Collection[VerifierKey]) -> list[Signature]:
    """Give a note's signatures by a log's keys.

    Raises NoteInvalid if one of them does not hold, or if there is none.
    """
    found = []
    for key in keys:
        public = Ed25519PublicKey.from_public_bytes(key.public_key)
        for one in note.by(key):
            try:
                public.verify(one.value, note.text.encode())
            except InvalidSignature as error:
                raise NoteInvalid("the note's signature does not hold") from error
            found.append(one)
    if not found:
        raise NoteInvalid("the note is not signed by the log's key")
    return found


def parse_note(note: bytes) -> Note:
    """Read a note's form; no signature is checked. Raises NoteInvalid."""
    if len(note) > NOTE_BYTES_MAX:
        raise NoteInvalid("the note is too long")
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NoteInvalid("the note is not UTF-8") from error
    if any(c < " " and c != "\n" for c in whole):
        raise NoteInvalid("the note holds a control character")
    text, separator, rest = whole.rpartition("\n\n")
    if not separator:
        raise NoteInvalid("the note has no signatures")
    return Note(text + "\n", parse_signatures(rest))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Read lines of signatures, as at a note's end. Raises NoteInvalid."""
    if not lines.endswith("\n"):
        raise NoteInvalid("the note has no signatures")
    if lines.count("\n") > SIGNATURES_MAX:
        raise NoteInvalid("the note has too many signatures")
    return tuple(_signature(line) for line in lines[:-1].split("\n"))


def read_checkpoint(note: Note) -> Checkpoint:
    """Read a note's checkpoint; lines after the third are extensions, which say nothing to us.

    Raises NoteInvalid.
    """
    lines = note.text.split("\n")
    if len(lines) < 4 or not all(lines[:-1]):
        raise NoteInvalid("the note is no checkpoint")
    try:
        return Checkpoint(lines[0], read_size(lines[1]), read_hash(lines[2]))
    except ValueError as error:
        raise NoteInvalid(f"the note is no checkpoint: it {error}") from error


def read_size(text: str) -> int:
    """Read a size or an index as C2SP writes them. Raises ValueError."""
    if _SIZE.fullmatch(text) is None or int(text) > SIZE_MAX:
        raise ValueError("holds something else than a size")
    return int(text)


def read_hash(text: str) -> bytes:
    """Read a hash in base64. Raises ValueError."""
    decoded = read_base64(text)
    if len(decoded) != HASH_BYTES:
        raise ValueError("holds a hash that does not have 32 bytes")
    return decoded


def read_base64(text: str) -> bytes:
    """Read base64 in its one form: unused bits are zero, so that nothing has a second spelling.

    Raises ValueError.
    """
    try:
        decoded = b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("holds something else than base64") from error
    if b64encode(decoded).decode() != text:
        raise ValueError("holds base64 in another form")
    return decoded


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        decoded = read_base64(encoded)
    except ValueError as error:
        raise NoteInvalid(f"the note {error}") from error
    if not line.startswith(_DASH) or not _can_be_key_name(name) or len(decoded) <= _KEY_HASH_BYTES:
        raise NoteInvalid("a line of signatures has another form")
    return Signature(name, decoded[:_KEY_HASH_BYTES], decoded[_KEY_HASH_BYTES:])


def _can_be_key_name(name: str) -> bool:
    """Tell whether C2SP allows a name of others' keys, which may be Unicode."""
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)
