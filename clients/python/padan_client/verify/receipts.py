"""Receipts: an entry, the proof that a log holds it and, where it is known, what it commits to.

The form is in docs/verify.md. A receipt is canonical JSON, so that it has no second spelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from padan_client.verify import canonical
from padan_client.verify.canonical import JsonObject
from padan_client.verify.checkpoints import Checkpoint, Signed, Trust
from padan_client.verify.entries import parse_entry
from padan_client.verify.errors import (
    AnotherHistory,
    EntryInvalid,
    NotCompared,
    StatementInvalid,
    Unreadable,
)
from padan_client.verify.form import SALT_BYTES, STATEMENT_TAG
from padan_client.verify.merkle import leaf_hash, verify_inclusion
from padan_client.verify.proofs import TlogProof, parse_proof
from padan_client.verify.text import read_base64

RECEIPT_BYTES_MAX = 4 * 1024 * 1024
"""Longest receipt that is read: a statement about all regions has below one MiB."""

_ALWAYS = {"entry", "proof"}
_STATEMENT = {"statement", "statement_salt"}
_SHARED = ("method", "partner", "purpose", "request_id")


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as parsed, nothing of it checked.

    `statement` is empty where it is not known; the salt alone proves nothing.
    """

    entry: bytes
    proof: TlogProof
    statement: bytes = field(default=b"", repr=False)
    salt: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Proved:
    """What a receipt proves: that this entry stands in the log whose checkpoint was signed.

    `statement` is what was asked and answered, as the entry commits to it; None where the receipt
    does not tell it.
    """

    entry: JsonObject
    index: int
    signed: Signed
    statement: JsonObject | None = field(repr=False)


def parse_receipt(data: bytes, where: str = "the receipt") -> Receipt:
    """Read a receipt; a final newline is allowed. Raises Unreadable."""
    if len(data) > RECEIPT_BYTES_MAX:
        raise Unreadable(where, f"is longer than {RECEIPT_BYTES_MAX} bytes")
    value = canonical.loads(data.removesuffix(b"\n"), where)
    if not _ALWAYS <= value.keys() <= _ALWAYS | _STATEMENT:
        raise Unreadable(where, "does not hold what a receipt holds")
    if not all(isinstance(text, str) for text in value.values()):
        raise Unreadable(where, "holds something else than texts")
    salt = read_base64(value.get("statement_salt", ""), f"the salt in {where}")
    if value.keys() & _STATEMENT and len(salt) != SALT_BYTES:
        raise Unreadable(f"the salt in {where}", f"does not have {SALT_BYTES} bytes")
    if value.get("statement") == "":
        raise Unreadable(where, "has an empty statement")
    return Receipt(
        value["entry"].encode(),
        parse_proof(value["proof"], f"the proof in {where}"),
        value.get("statement", "").encode(),
        salt,
    )


def verify_receipt(receipt: Receipt, trust: Trust, *, where: str = "the receipt") -> Proved:
    """Check a receipt: signatures, then the proof, then the entry, then the statement.

    Raises VerificationError of the first that does not hold.
    """
    proof = receipt.proof
    signed = trust.open(proof.checkpoint, f"the checkpoint in {where}")
    verify_inclusion(
        index=proof.index,
        size=signed.checkpoint.size,
        leaf=leaf_hash(receipt.entry),
        proof=proof.hashes,
        root=signed.checkpoint.root,
        where=f"the proof in {where}",
    )
    named = f"entry {proof.index}"
    entry = parse_entry(receipt.entry, named)
    if entry["index"] != proof.index or entry["log"] != signed.checkpoint.origin:
        raise EntryInvalid(named, "says that it stands elsewhere")
    statement = None
    if receipt.statement:
        statement = _statement(receipt, entry, f"the statement in {where}")
    return Proved(entry, proof.index, signed, statement)


def compare(proved: Checkpoint, kept: Checkpoint, *, where: str) -> None:
    """Check that two signed checkpoints of one log do not contradict each other.

    Two of one size must have one root. Raises AnotherHistory; NotCompared if their sizes differ:
    the log's files or a consistency proof would be needed.
    """
    if proved.origin != kept.origin:
        raise AnotherHistory(where, "is of another log")
    if proved.size != kept.size:
        raise NotCompared(where, f"has {kept.size} entries, the receipt's {proved.size}")
    if proved.root != kept.root:
        raise AnotherHistory(where, "has another root for the same number of entries")


def _statement(receipt: Receipt, entry: JsonObject, where: str) -> JsonObject:
    """Check the statement against the entry's commitment, and that both say the same."""
    committed = entry.get("answer", {}).get("statement")
    if not isinstance(committed, str):
        raise StatementInvalid(where, "belongs to an entry that commits to none")
    digest = sha256(STATEMENT_TAG + receipt.salt + receipt.statement).digest()
    if read_base64(committed, where) != digest:
        raise StatementInvalid(where, "is not what the entry commits to")
    statement = canonical.loads(receipt.statement, where)
    answer, request = statement.get("answer"), statement.get("request")
    if statement.keys() != {"answer", "request"} or not (
        isinstance(answer, dict) and isinstance(request, dict)
    ):
        raise StatementInvalid(where, "does not hold a request and an answer")
    recorded = {name: value for name, value in entry["answer"].items() if name != "statement"}
    asked = entry["ask"] | {"partner": entry["partner"]}
    if _of(answer, recorded) != recorded or _of(request, _SHARED) != _of(asked, _SHARED):
        raise StatementInvalid(where, "says something else than the entry")
    return statement


def _of(document: JsonObject, names: Sequence[str] | JsonObject) -> JsonObject:
    return {name: document[name] for name in names if name in document}
