"""Cosignatures of witnesses: what is signed, whose are counted, and how many must be there."""

from __future__ import annotations

from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.cosignature import (
    RESPONSE_BYTES_MAX,
    TIME_MAX,
    WITNESS_KEYS_MAX,
    CosignatureInvalid,
    Quorum,
    QuorumMissing,
    cosign,
    cosignatures_in,
    cosigned,
    message,
    time_of,
    verify,
)
from padan_server.domain.note import (
    COSIGNATURE,
    Checkpoint,
    Note,
    NoteInvalid,
    Signature,
    VerifierKey,
    key_hash,
    open_checkpoint,
    parse_note,
    sign,
    with_signatures,
)

LOG = "padan.test/log"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG_PUBLIC = LOG_KEY.public_key().public_bytes_raw()
NOTE = sign(Checkpoint(LOG, 5, bytes(32)), public_key=LOG_PUBLIC, signer=LOG_KEY.sign)
TEXT = parse_note(NOTE).text
TIME = 1_780_000_000


class Witness:
    """A witness with a key of its own."""

    def __init__(self, number: int, name: str = "") -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes((number,)) * 32)
        public = self._key.public_key().public_bytes_raw()
        self.key = VerifierKey(name or f"witness.test/w{number}", public, COSIGNATURE)

    def cosign(self, text: str = TEXT, time: int = TIME) -> Signature:
        return cosign(
            text,
            name=self.key.name,
            public_key=self.key.public_key,
            signer=self._key.sign,
            time=time,
        )


W1, W2, W3 = Witness(1), Witness(2), Witness(3)
KEYS = (W1.key, W2.key, W3.key)


def noted(*signatures: Signature) -> Note:
    return with_signatures(parse_note(NOTE), signatures)


def test_signed_message_has_the_published_form() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

    assert message(text, 1679315147).decode() == (
        "cosignature/v1\n"
        "time 1679315147\n"
        "example.com/behind-the-sofa\n"
        "20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


def test_published_cosignature_names_its_time() -> None:
    value = b64decode(
        "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+"
        "mbIUBkBIfZ+qnA=="
    )

    assert time_of(Signature("witness.example.com/w1", value[:4], value[4:])) == 1679315147


def test_witness_key_has_another_hash_than_a_logs() -> None:
    assert W1.key.key_hash() == key_hash(W1.key.name, W1.key.public_key, 4)
    assert W1.key.key_hash() != key_hash(W1.key.name, W1.key.public_key)
    assert VerifierKey.parse(W1.key.text()) == W1.key


@given(st.integers(min_value=0, max_value=TIME_MAX))
def test_cosignature_holds_and_gives_its_time(time: int) -> None:
    assert verify(TEXT, W1.cosign(time=time), W1.key) == time


@given(st.integers(min_value=0, max_value=72 * 8 - 1))
def test_cosignature_with_any_changed_bit_does_not_hold(bit: int) -> None:
    made = W1.cosign()
    changed = bytearray(made.value)
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(CosignatureInvalid):
        verify(TEXT, Signature(made.name, made.key_hash, bytes(changed)), W1.key)


def test_cosignature_of_another_head_or_by_another_key_does_not_hold() -> None:
    with pytest.raises(CosignatureInvalid, match="does not hold"):
        verify(TEXT.replace("\n5\n", "\n6\n"), W1.cosign(), W1.key)
    with pytest.raises(CosignatureInvalid, match="another key"):
        verify(TEXT, W1.cosign(), W2.key)


@pytest.mark.parametrize("value", [b"", bytes(71), bytes(73), b"\x80" + bytes(71)])
def test_cosignature_of_another_length_or_time_is_refused(value: bytes) -> None:
    with pytest.raises(CosignatureInvalid):
        verify(TEXT, Signature(W1.key.name, W1.key.key_hash(), value), W1.key)


def test_note_keeps_the_logs_signature_when_witnesses_cosign() -> None:
    note = noted(W1.cosign(), W2.cosign())

    assert note.dump().startswith(NOTE)
    assert open_checkpoint(note.dump(), origin=LOG, public_key=LOG_PUBLIC).size == 5
    assert cosigned(note, Quorum(KEYS, 2)) == {W1.key.name: TIME, W2.key.name: TIME}


@pytest.mark.parametrize("needed", [0, 1, 2, 3])
def test_quorum_is_reached_by_as_many_witnesses_as_it_needs(needed: int) -> None:
    note = noted(W1.cosign(), W3.cosign())

    if needed <= 2:
        assert len(cosigned(note, Quorum(KEYS, needed))) == 2
    else:
        with pytest.raises(QuorumMissing, match="2 witnesses cosigned, where 3 must"):
            cosigned(note, Quorum(KEYS, needed))


def test_unknown_witnesses_are_passed_over() -> None:
    stranger = Witness(9)
    impostor = Witness(8, name=W2.key.name)
    note = noted(W1.cosign(), stranger.cosign(), impostor.cosign())

    with pytest.raises(QuorumMissing):
        cosigned(note, Quorum(KEYS, 2))


def test_known_witness_whose_cosignature_does_not_hold_spoils_the_note() -> None:
    forged = Signature(W2.key.name, W2.key.key_hash(), bytes(72))

    with pytest.raises(CosignatureInvalid):
        cosigned(noted(W1.cosign(), W3.cosign(), forged), Quorum(KEYS, 2))


def test_witness_counts_once_however_often_it_signs() -> None:
    older, newer = W1.cosign(time=TIME), W1.cosign(time=TIME + 7)
    signatures = parse_note(NOTE).signatures
    note = Note(TEXT, (*signatures, older, newer))

    assert cosigned(note, Quorum(KEYS, 1)) == {W1.key.name: TIME + 7}
    with pytest.raises(QuorumMissing):
        cosigned(note, Quorum(KEYS, 2))


def test_witness_that_replaces_its_key_counts_once() -> None:
    renewed = Witness(7, name=W1.key.name)
    quorum = Quorum((W1.key, renewed.key, W2.key), 2)

    assert len(cosigned(noted(renewed.cosign(), W2.cosign()), quorum)) == 2
    with pytest.raises(QuorumMissing):
        cosigned(noted(W1.cosign(), renewed.cosign()), quorum)


def test_quorum_that_cannot_be_reached_or_counts_a_key_twice_is_refused() -> None:
    twice = VerifierKey("another.test/w", W1.key.public_key, COSIGNATURE)
    of_log = VerifierKey(LOG, LOG_PUBLIC)
    many = tuple(Witness(n).key for n in range(1, WITNESS_KEYS_MAX + 2))

    for witnesses, needed in (
        (KEYS, 4),
        (KEYS, -1),
        ((W1.key, Witness(7, name=W1.key.name).key), 2),
        ((W1.key, twice), 1),
        ((W1.key, of_log), 1),
        (many, 1),
    ):
        with pytest.raises(ValueError, match=r"quorum|key"):
            Quorum(witnesses, needed)


def test_witness_answer_gives_its_own_lines_alone() -> None:
    stranger = Witness(9)
    answer = (stranger.cosign().line() + W1.cosign().line()).encode()

    assert cosignatures_in(answer, text=TEXT, witnesses=[W1.key]) == [W1.cosign()]
    assert cosignatures_in(answer, text=TEXT, witnesses=[W2.key]) == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\n",
        b"not found\n",
        b"\xff\n",
        W1.cosign().line().encode()[:-1],
        W1.cosign(text=TEXT + "more\n").line().encode(),
        bytes(RESPONSE_BYTES_MAX + 1),
    ],
)
def test_witness_answer_of_another_form_or_over_another_head_is_refused(answer: bytes) -> None:
    with pytest.raises(NoteInvalid):
        cosignatures_in(answer, text=TEXT, witnesses=[W1.key])
