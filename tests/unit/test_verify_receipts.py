"""Receipts: what they prove, and that nothing in them can be changed."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_client.verify import (
    AnotherHistory,
    Checkpoint,
    EntryInvalid,
    NotCompared,
    NotInTree,
    SignatureInvalid,
    StatementInvalid,
    Trust,
    Unreadable,
    VerificationError,
    WitnessesMissing,
    compare,
    parse_receipt,
    verify_receipt,
)
from padan_client.verify.canonical import dumps
from padan_client.verify.receipts import RECEIPT_BYTES_MAX
from padan_server.domain import canonical, entry, merkle, note, tlog_proof
from tests.support.ledger import LOG, refusal
from tests.support.log_directory import Signer, inclusion, leaf, receipt_of
from tests.support.log_entries import SALT, Log, changed

SIGNER = Signer(LOG, 1)
WITNESS = Signer("w.test", 2, 4)
TRUST = Trust.parse(log_keys=[SIGNER.vkey], witnesses=[WITNESS.vkey])


def made() -> tuple[Log, int]:
    log = Log()
    log.add_partner()
    index = log.append_stated()
    log.append(refusal())
    log.fill(9)
    return log, index


SAMPLE, INDEX = made()
STATEMENT = SAMPLE.statements[INDEX]
RECEIPT = receipt_of(INDEX, SAMPLE.entries, SIGNER, WITNESS, statement=STATEMENT, salt=SALT)


def edited(**fields: Any) -> bytes:
    """Write the receipt with other fields, as canonically as it was; None takes one away."""
    value = {
        name: each for name, each in (json.loads(RECEIPT) | fields).items() if each is not None
    }
    return dumps(value)


def test_receipt_proves_entry_and_statement() -> None:
    proved = verify_receipt(parse_receipt(RECEIPT), TRUST)

    assert proved.index == proved.entry["index"] == INDEX
    assert proved.signed.checkpoint.size == len(SAMPLE.entries)
    assert [one.witness for one in proved.signed.witnesses] == ["w.test"]
    assert proved.statement is not None
    assert proved.statement["request"]["nik"] == "3171014501900001"
    assert "3171014501900001" not in repr(proved) + repr(parse_receipt(RECEIPT))


@pytest.mark.parametrize("index", range(9))
def test_receipt_without_a_statement_proves_each_entry(index: int) -> None:
    receipt = parse_receipt(receipt_of(index, SAMPLE.entries, SIGNER, WITNESS) + b"\n")

    assert verify_receipt(receipt, TRUST).statement is None


def test_receipt_of_the_servers_own_proof_is_taken() -> None:
    leaves = [leaf(data) for data in SAMPLE.entries]
    root = merkle.EMPTY.extended(leaves).root()
    checkpoint = note.Checkpoint(LOG, len(leaves), root)
    signed = note.sign(checkpoint, public_key=SIGNER.public_key, signer=SIGNER.key.sign)
    proof = tlog_proof.TlogProof(index=INDEX, hashes=tuple(inclusion(INDEX, leaves)), note=signed)
    data = canonical.dumps(
        {"entry": SAMPLE.entries[INDEX].decode(), "proof": proof.dump().decode()}
    )

    trust = Trust.parse(log_keys=[note.verifier_key(LOG, SIGNER.public_key)])
    assert verify_receipt(parse_receipt(data), trust).index == INDEX


@given(st.integers(0, len(RECEIPT) * 8 - 1))
def test_any_changed_bit_of_a_receipt_is_refused(bit: int) -> None:
    changed_bytes = bytearray(RECEIPT)
    changed_bytes[bit // 8] ^= 1 << bit % 8

    with pytest.raises(VerificationError):
        verify_receipt(parse_receipt(bytes(changed_bytes)), TRUST)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        RECEIPT + b"\n\n",
        b" " + RECEIPT,
        RECEIPT[:-1],
        edited(novelty="x"),
        edited(entry=1),
        edited(proof=None),
        edited(entry=None),
        edited(statement=""),
        edited(statement_salt=None),
        edited(statement_salt="AAAA"),
        edited(statement_salt="A"),
        b" " * (RECEIPT_BYTES_MAX + 1),
    ],
)
def test_what_is_no_receipt_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_receipt(data)


def test_salt_alone_is_no_statement() -> None:
    assert verify_receipt(parse_receipt(edited(statement=None)), TRUST).statement is None


def test_each_lie_has_its_error() -> None:
    proof: str = json.loads(RECEIPT)["proof"]
    other = Log()
    other.add_partner()
    other.append_stated()
    cases: list[tuple[type[VerificationError], bytes]] = [
        (NotInTree, edited(entry=SAMPLE.entries[INDEX + 1].decode())),
        (NotInTree, edited(proof=proof.replace(f"index {INDEX}\n", f"index {INDEX + 1}\n"))),
        (NotInTree, edited(proof=proof.replace(f"index {INDEX}\n", "index 9\n"))),
        (StatementInvalid, edited(statement=STATEMENT.decode().replace("token", "other"))),
        (StatementInvalid, edited(statement_salt="A" * 22 + "==")),
        (SignatureInvalid, receipt_of(INDEX, SAMPLE.entries, Signer(LOG, 9), WITNESS)),
        (SignatureInvalid, receipt_of(INDEX, SAMPLE.entries, Signer("other.test", 1), WITNESS)),
        (WitnessesMissing, receipt_of(INDEX, SAMPLE.entries, SIGNER)),
    ]
    for error, data in cases:
        with pytest.raises(error):
            verify_receipt(parse_receipt(data), TRUST)


def test_entry_that_says_it_stands_elsewhere_is_refused() -> None:
    for fields in ({"index": INDEX + 1}, {"log": "other.test"}):
        entries = list(SAMPLE.entries)
        entries[INDEX] = changed(entries[INDEX], **fields)

        with pytest.raises(EntryInvalid, match="elsewhere"):
            verify_receipt(parse_receipt(receipt_of(INDEX, entries, SIGNER, WITNESS)), TRUST)


def test_logged_bytes_that_are_no_entry_are_refused() -> None:
    with pytest.raises(EntryInvalid, match="no JSON"):
        verify_receipt(parse_receipt(receipt_of(0, [b"no entry"], SIGNER, WITNESS)), TRUST)


def test_statement_of_a_refusal_is_refused() -> None:
    data = receipt_of(INDEX + 1, SAMPLE.entries, SIGNER, WITNESS, statement=STATEMENT, salt=SALT)

    with pytest.raises(StatementInvalid, match="commits to none"):
        verify_receipt(parse_receipt(data), TRUST)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"MATCHED"', b'"MISMATCHED"'), (b'"bank"', b'"bonk"'), (b"ACCOUNT_OPENING", b"DEMOCRACY")],
)
def test_log_whose_statement_and_entry_differ_is_found_out(old: bytes, new: bytes) -> None:
    statement = STATEMENT.replace(old, new)
    committed = entry.base64(sha256(b"padan.v1 statement\0" + SALT + statement).digest())
    entries = list(SAMPLE.entries)
    told = canonical.loads(entries[INDEX])["answer"] | {"statement": committed}
    entries[INDEX] = changed(entries[INDEX], answer=told)
    data = receipt_of(INDEX, entries, SIGNER, WITNESS, statement=statement, salt=SALT)

    with pytest.raises(StatementInvalid, match="something else than the entry"):
        verify_receipt(parse_receipt(data), TRUST)


def test_checkpoints_are_compared_at_one_size_only() -> None:
    mine = Checkpoint(LOG, 9, bytes(32))

    compare(mine, Checkpoint(LOG, 9, bytes(32)), where="it")
    with pytest.raises(AnotherHistory, match="another root"):
        compare(mine, Checkpoint(LOG, 9, bytes([1]) * 32), where="it")
    with pytest.raises(NotCompared):
        compare(mine, Checkpoint(LOG, 10, bytes(32)), where="it")
