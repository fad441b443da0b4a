"""Proofs as texts: written and read in one form, and every changed bit of a receipt is caught."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from padan_server.domain import canonical
from padan_server.domain.cosignature import Quorum, QuorumMissing
from padan_server.domain.entry import statement
from padan_server.domain.merkle import SIZE_MAX, ProofInvalid, leaf_hash
from padan_server.domain.note import (
    Checkpoint,
    NoteInvalid,
    VerifierKey,
    parse_note,
    sign,
    with_signatures,
)
from padan_server.domain.proving import Held, inclusion_proofs
from padan_server.domain.tile_tree import EMPTY_TILES
from padan_server.domain.tlog_proof import (
    EXTRA_BYTES_MAX,
    HASHES_MAX,
    PROOF_BYTES_MAX,
    ProofMalformed,
    TlogProof,
    verify,
)
from tests.unit.test_cosignature import W1, W2, Witness
from tests.unit.test_merkle import leaves_of

LOG = "padan.test/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
KEYS = [VerifierKey(LOG, PUBLIC)]
QUORUM = Quorum((W1.key, W2.key), 2)

SALT = bytes(range(16))
REQUEST, ANSWER = b'{"method":"VERIFY"}', b'{"outcome":"MATCHED"}'
STATEMENT = b'{"answer":%b,"request":%b}' % (ANSWER, REQUEST)
ENTRY = b'{"answer":{"statement":"%b"}}' % b64encode(statement(SALT, REQUEST, ANSWER))


def proof_of(size: int, index: int, *witnesses: Witness) -> TlogProof:
    """A real proof: the tree, its tiles, its signed head with cosignatures."""
    leaves = leaves_of(size)
    leaves[index] = leaf_hash(ENTRY)
    tree, full = EMPTY_TILES.extended(leaves)
    tiles = {(d.tile.level, d.tile.index): d.hashes for d in (*full, *tree.partial())}
    note = sign(Checkpoint(LOG, size, tree.root()), public_key=PUBLIC, signer=KEY.sign)
    parsed = parse_note(note)
    added = [witness.cosign(text=parsed.text) for witness in witnesses]
    return TlogProof(
        index=index,
        hashes=tuple(inclusion_proofs([index], size=size, reader=Held(tiles))[0]),
        note=with_signatures(parsed, added).dump(),
    )


PROOF = proof_of(300, 257, W1, W2)
TEXT = PROOF.dump()


def test_text_has_the_published_form() -> None:
    hashes = "".join(f"{b64encode(one).decode()}\n" for one in PROOF.hashes)

    assert TEXT.decode() == (f"c2sp.org/tlog-proof@v1\nindex 257\n{hashes}\n{PROOF.note.decode()}")
    assert (
        TlogProof(index=1, hashes=(), note=PROOF.note, extra=b"x")
        .dump()
        .startswith(b"c2sp.org/tlog-proof@v1\nextra eA==\nindex 1\n\n" + PROOF.note)
    )


@given(
    st.integers(min_value=0, max_value=SIZE_MAX),
    st.lists(st.binary(min_size=32, max_size=32), max_size=HASHES_MAX),
    st.binary(max_size=200),
)
def test_text_is_read_as_it_was_written(index: int, hashes: list[bytes], extra: bytes) -> None:
    proof = TlogProof(index=index, hashes=tuple(hashes), note=PROOF.note, extra=extra)

    assert TlogProof.parse(proof.dump()) == proof


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 65_537])
def test_entry_is_proved_in_trees_of_every_shape(size: int) -> None:
    for index in {0, size - 1}:
        proof = TlogProof.parse(proof_of(size, index, W1, W2).dump())

        assert verify(proof, entry=ENTRY, origin=LOG, keys=KEYS, quorum=QUORUM).size == size


def test_proof_without_witnesses_holds_where_none_are_asked_for() -> None:
    proof = proof_of(3, 1, W1)

    assert verify(proof, entry=ENTRY, origin=LOG, keys=KEYS).size == 3
    with pytest.raises(QuorumMissing):
        verify(proof, entry=ENTRY, origin=LOG, keys=KEYS, quorum=QUORUM)


def test_proof_of_another_entry_index_log_or_key_does_not_hold() -> None:
    moved = TlogProof(index=256, hashes=PROOF.hashes, note=PROOF.note)
    beyond = TlogProof(index=300, hashes=PROOF.hashes, note=PROOF.note)
    other = VerifierKey(LOG, W1.key.public_key)

    with pytest.raises(ProofInvalid, match="another root"):
        verify(PROOF, entry=ENTRY + b" ", origin=LOG, keys=KEYS)
    with pytest.raises(ProofInvalid, match="another root"):
        verify(moved, entry=ENTRY, origin=LOG, keys=KEYS)
    with pytest.raises(ProofInvalid, match="not in the tree"):
        verify(beyond, entry=ENTRY, origin=LOG, keys=KEYS)
    with pytest.raises(NoteInvalid, match="not signed"):
        verify(PROOF, entry=ENTRY, origin=LOG, keys=[other])
    with pytest.raises(NoteInvalid, match="another log"):
        verify(PROOF, entry=ENTRY, origin="padan.test/other", keys=KEYS)


RECEIPT = {"entry": ENTRY, "proof": TEXT, "statement": STATEMENT, "statement_salt": SALT}
"""What a receipt holds. Its frame in JSON is the client's to read."""


def check_receipt(parts: dict[str, bytes]) -> None:
    verify(
        TlogProof.parse(parts["proof"]),
        entry=parts["entry"],
        origin=LOG,
        keys=KEYS,
        quorum=QUORUM,
    )
    stated = canonical.loads(parts["statement"])
    committed = statement(
        parts["statement_salt"],
        canonical.dumps(stated["request"]),
        canonical.dumps(stated["answer"]),
    )
    assert canonical.loads(parts["entry"])["answer"]["statement"] == b64encode(committed).decode()


def changed(part: str, at: int, bit: int) -> dict[str, bytes]:
    data = bytearray(RECEIPT[part])
    data[at % len(data)] ^= 1 << bit
    return {**RECEIPT, part: bytes(data)}


CAUGHT = (ProofMalformed, ProofInvalid, NoteInvalid, ValueError, KeyError, AssertionError)


@pytest.mark.parametrize("part", RECEIPT)
def test_changed_byte_of_a_receipt_is_caught_wherever_it_is(part: str) -> None:
    check_receipt(RECEIPT)
    for at in range(len(RECEIPT[part])):
        with pytest.raises(CAUGHT):
            check_receipt(changed(part, at, bit=at % 8))


@settings(max_examples=300)
@given(
    st.sampled_from(sorted(RECEIPT)), st.integers(min_value=0, max_value=9_999), st.integers(0, 7)
)
def test_any_changed_bit_of_a_receipt_is_caught(part: str, at: int, bit: int) -> None:
    with pytest.raises(CAUGHT):
        check_receipt(changed(part, at, bit))


@given(st.integers(min_value=0, max_value=len(TEXT) - 1), st.binary(max_size=3))
def test_text_cut_or_filled_anywhere_gets_the_typed_error_or_fails(at: int, filled: bytes) -> None:
    for text in (TEXT[:at], TEXT[:at] + filled + TEXT[at:] if filled else TEXT[:at]):
        with pytest.raises((ProofMalformed, NoteInvalid, ProofInvalid)):
            verify(TlogProof.parse(text), entry=ENTRY, origin=LOG, keys=KEYS, quorum=QUORUM)


HEAD = "c2sp.org/tlog-proof@v1"
NOTE = PROOF.note.decode()
HASH = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no empty line"),
        (f"{HEAD}\nindex 1\n", "no empty line"),
        (f"c2sp.org/tlog-proof@v2\nindex 1\n\n{NOTE}", "line 1 is not"),
        (f"{HEAD}\n\n{NOTE}", "line 2 holds no index"),
        (f"{HEAD}\nindex\n\n{NOTE}", "line 2 holds no index"),
        (f"{HEAD}\nindex 01\n\n{NOTE}", "line 2 holds something else than a size"),
        (f"{HEAD}\nindex -1\n\n{NOTE}", "line 2 holds something else than a size"),
        (f"{HEAD}\nindex  1\n\n{NOTE}", "line 2 holds something else than a size"),
        (f"{HEAD}\nindex {2**63}\n\n{NOTE}", "line 2 holds something else than a size"),
        (f"{HEAD}\nindex 1\n{HASH}\nAAAA\n\n{NOTE}", "line 4 holds a hash that does not have 32"),
        (f"{HEAD}\nindex 1\n{HASH}\r\n\n{NOTE}", "line 3 holds something else than base64"),
        (f"{HEAD}\nindex 1\n{HASH[:-2]}B=\n\n{NOTE}", "line 3 holds base64 in another form"),
        (f"{HEAD}\nextra \nindex 1\n\n{NOTE}", "line 2 does not hold"),
        (f"{HEAD}\nextra !\nindex 1\n\n{NOTE}", "line 2 holds something else than base64"),
        (f"{HEAD}\nindex 1\nextra eA==\n\n{NOTE}", "line 3 holds something else than base64"),
        (f"{HEAD}\nextra eA==\nextra eA==\nindex 1\n\n{NOTE}", "line 3 holds no index"),
        (f"{HEAD}\nindex \u0661\n\n{NOTE}", "not ASCII"),
        (f"{HEAD}\nindex 1\n" + f"{HASH}\n" * 64 + f"\n{NOTE}", "more than 63 hashes"),
        (f"{HEAD}\nindex 1\n\n", "the proof's checkpoint"),
        (f"{HEAD}\nindex 1\n\nno note\n", "the proof's checkpoint: the note has no signatures"),
        (f"{HEAD}\nindex 1\n\n\n{NOTE}", "the proof's checkpoint: the note is no checkpoint"),
        ("x" * (PROOF_BYTES_MAX + 1), "too long"),
    ],
)
def test_malformed_text_gets_the_typed_error_that_says_where(text: str, told: str) -> None:
    with pytest.raises(ProofMalformed, match=told):
        TlogProof.parse(text.encode())


def test_extra_data_of_the_longest_is_read_and_longer_is_refused() -> None:
    longest = TlogProof(index=0, hashes=(), note=PROOF.note, extra=bytes(EXTRA_BYTES_MAX))
    longer = TlogProof(index=0, hashes=(), note=PROOF.note, extra=bytes(EXTRA_BYTES_MAX + 1))

    assert TlogProof.parse(longest.dump()) == longest
    with pytest.raises(ProofMalformed, match="line 2 does not hold"):
        TlogProof.parse(longer.dump())
