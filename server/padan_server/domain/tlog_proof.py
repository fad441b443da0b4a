"""Proofs that can be kept and checked offline (C2SP tlog-proof): their text, and the check.

A proof holds an entry's place, its path to the root, and the log's checkpoint with all signatures.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection

import msgspec

from padan_server.domain.cosignature import Quorum, cosigned
from padan_server.domain.merkle import leaf_hash, verify_inclusion
from padan_server.domain.note import (
    NOTE_BYTES_MAX,
    Checkpoint,
    NoteInvalid,
    VerifierKey,
    open_by_any,
    parse_note,
    read_base64,
    read_checkpoint,
    read_hash,
    read_size,
)

_HEADER = "c2sp.org/tlog-proof@v1"
_EXTRA = "extra "
_INDEX = "index "

HASHES_MAX = 63
"""Longest path to the root, in the largest tree."""

EXTRA_BYTES_MAX = 64 * 1024
"""Longest extra data that is read. Padan's own proofs have none."""

PROOF_BYTES_MAX = NOTE_BYTES_MAX + 4 * EXTRA_BYTES_MAX // 3 + 8 * 1024
"""Longest text that is read: its parts at their longest."""


class ProofMalformed(Exception):
    """Not the text of a proof. The message says which line, and what is wrong with it."""


class TlogProof(msgspec.Struct, frozen=True, kw_only=True):
    """A proof as read: nothing of it is checked. `extra` is not under any signature."""

    index: int
    hashes: tuple[bytes, ...]
    note: bytes
    extra: bytes = b""

    def dump(self) -> bytes:
        """Write the text."""
        lines = [_HEADER]
        if self.extra:
            lines.append(_EXTRA + b64encode(self.extra).decode())
        lines.append(f"{_INDEX}{self.index}")
        lines.extend(b64encode(one).decode() for one in self.hashes)
        return "\n".join((*lines, "\n")).encode() + self.note

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read the text. Raises ProofMalformed."""
        if len(data) > PROOF_BYTES_MAX:
            raise ProofMalformed("the proof is too long")
        head, separator, note = data.partition(b"\n\n")
        if not separator:
            raise ProofMalformed("the proof has no empty line before its checkpoint")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise ProofMalformed("the proof's lines are not ASCII") from error
        if lines[0] != _HEADER:
            raise ProofMalformed(f"line 1 is not {_HEADER}")
        has_extra = len(lines) > 1 and lines[1].startswith(_EXTRA)
        at = 2 if has_extra else 1
        if len(lines) - at - 1 > HASHES_MAX:
            raise ProofMalformed(f"the proof has more than {HASHES_MAX} hashes")
        _check_note(note)
        return cls(
            index=_index(lines, at),
            hashes=tuple(_hash(line, at + 2 + nth) for nth, line in enumerate(lines[at + 1 :])),
            note=note,
            extra=_extra(lines[1]) if has_extra else b"",
        )


def verify(
    proof: TlogProof,
    *,
    entry: bytes,
    origin: str,
    keys: Collection[VerifierKey],
    quorum: Quorum | None = None,
) -> Checkpoint:
    """Check that an entry, by its bytes, stands at the proof's index in the log; give its head.

    Raises NoteInvalid for the log's signature, QuorumMissing for the witnesses', and ProofInvalid
    if the entry is not there.
    """
    checkpoint = open_by_any(proof.note, origin=origin, keys=keys)
    if quorum is not None:
        cosigned(parse_note(proof.note), quorum)
    verify_inclusion(
        index=proof.index,
        size=checkpoint.size,
        leaf=leaf_hash(entry),
        proof=proof.hashes,
        root=checkpoint.root,
    )
    return checkpoint


def _check_note(note: bytes) -> None:
    try:
        read_checkpoint(parse_note(note))
    except NoteInvalid as error:
        raise ProofMalformed(f"the proof's checkpoint: {error}") from error


def _extra(line: str) -> bytes:
    try:
        extra = read_base64(line.removeprefix(_EXTRA))
    except ValueError as error:
        raise ProofMalformed(f"line 2 {error}") from error
    if not 0 < len(extra) <= EXTRA_BYTES_MAX:
        raise ProofMalformed(f"line 2 does not hold 1 to {EXTRA_BYTES_MAX} bytes")
    return extra


def _index(lines: list[str], at: int) -> int:
    if len(lines) <= at or not lines[at].startswith(_INDEX):
        raise ProofMalformed(f"line {at + 1} holds no index")
    try:
        return read_size(lines[at].removeprefix(_INDEX))
    except ValueError as error:
        raise ProofMalformed(f"line {at + 1} {error}") from error


def _hash(line: str, number: int) -> bytes:
    try:
        return read_hash(line)
    except ValueError as error:
        raise ProofMalformed(f"line {number} {error}") from error
