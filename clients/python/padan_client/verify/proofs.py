"""Proofs that a log holds an entry, in one text (C2SP tlog-proof): index, hashes, checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from padan_client.verify.errors import Unreadable
from padan_client.verify.merkle import HASH_BYTES, PROOF_HASHES_MAX
from padan_client.verify.notes import NOTE_BYTES_MAX
from padan_client.verify.text import read_base64, read_number

_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = "index "

PROOF_BYTES_MAX = NOTE_BYTES_MAX + 4096
"""Longest proof that is read: a note, and 63 lines of hashes."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof as parsed, nothing of it checked; `checkpoint` is the signed note."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes


def parse_proof(text: str, where: str) -> TlogProof:
    """Read a proof. Raises Unreadable; also for extra data, which nothing would authenticate."""
    if len(text) > PROOF_BYTES_MAX:
        raise Unreadable(where, f"is longer than {PROOF_BYTES_MAX} characters")
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != _HEADER:
        raise Unreadable(where, f"does not begin with {_HEADER}")
    if len(lines) < 2 or not lines[1].startswith(_INDEX):
        raise Unreadable(where, "does not tell the index next (extra data is not taken)")
    if len(lines) - 2 > PROOF_HASHES_MAX:
        raise Unreadable(where, f"has more than {PROOF_HASHES_MAX} hashes")
    index = read_number(lines[1].removeprefix(_INDEX), where)
    hashes = tuple(read_base64(line, where) for line in lines[2:])
    if any(len(value) != HASH_BYTES for value in hashes):
        raise Unreadable(where, f"holds a hash that does not have {HASH_BYTES} bytes")
    try:
        return TlogProof(index, hashes, checkpoint.encode("utf-8"))
    except UnicodeEncodeError:
        raise Unreadable(where, "is not UTF-8") from None
