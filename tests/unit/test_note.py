"""Signed notes and checkpoints: their bytes, and what is refused."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.merkle import EMPTY_ROOT
from padan_server.domain.note import (
    Checkpoint,
    NoteInvalid,
    check_name,
    key_hash,
    open_checkpoint,
    sign,
    verifier_key,
)

NAME = "padan.test/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
CHECKPOINT = Checkpoint(NAME, 1234, bytes(range(32)))
NOTE = sign(CHECKPOINT, public_key=PUBLIC, signer=KEY.sign)


def test_note_has_the_published_form() -> None:
    root = b64encode(bytes(range(32))).decode()
    text = f"{NAME}\n1234\n{root}\n"
    signature = b64encode(key_hash(NAME, PUBLIC) + KEY.sign(text.encode())).decode()

    assert NOTE.decode() == f"{text}\n\u2014 {NAME} {signature}\n"


def test_verifier_key_of_the_specification_has_its_hash() -> None:
    # The example key of C2SP signed-note.
    name, hashed, key = ["PeterNeumann", "c74f20a3", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"]
    public = b64decode(key)[1:]

    assert key_hash(name, public).hex() == hashed
    assert verifier_key(name, public) == f"{name}+{hashed}+{key}"


def test_note_of_the_specification_is_signed() -> None:
    # A signature over a text that is no checkpoint: the signature holds, the form does not.
    public = b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
        "qdngotpRZb6KE6RyyBwJnAM=\n"
    )

    with pytest.raises(NoteInvalid, match="no checkpoint"):
        open_checkpoint(note.encode(), origin="PeterNeumann", public_key=public)


@given(st.integers(min_value=0, max_value=2**63 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_signed_is_read_again(size: int, root: bytes) -> None:
    checkpoint = Checkpoint(NAME, size, root)
    note = sign(checkpoint, public_key=PUBLIC, signer=KEY.sign)

    assert open_checkpoint(note, origin=NAME, public_key=PUBLIC) == checkpoint


def test_signatures_of_others_and_extensions_are_passed_over() -> None:
    text = f"{NAME}\n0\n{b64encode(EMPTY_ROOT).decode()}\nan extension\n"
    own = b64encode(key_hash(NAME, PUBLIC) + KEY.sign(text.encode())).decode()
    other = b64encode(bytes(68)).decode()
    note = f"{text}\n\u2014 witness.test {other}\n\u2014 {NAME} {other}\n\u2014 {NAME} {own}\n"

    assert open_checkpoint(note.encode(), origin=NAME, public_key=PUBLIC).size == 0


@given(st.integers(min_value=0, max_value=len(NOTE) * 8 - 1))
def test_any_changed_bit_is_refused(bit: int) -> None:
    changed = bytearray(NOTE)
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(NoteInvalid):
        open_checkpoint(bytes(changed), origin=NAME, public_key=PUBLIC)


@pytest.mark.parametrize(
    "text",
    [
        "another.test/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        f"{NAME}\n01\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        f"{NAME}\n-1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        f"{NAME}\n9223372036854775808\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        f"{NAME}\n1\nAAAA\n",
        f"{NAME}\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n",
        f"{NAME}\n1\n",
    ],
)
def test_signed_text_that_is_no_checkpoint_of_the_log_is_refused(text: str) -> None:
    signature = b64encode(key_hash(NAME, PUBLIC) + KEY.sign(text.encode())).decode()
    note = f"{text}\n\u2014 {NAME} {signature}\n"

    with pytest.raises(NoteInvalid):
        open_checkpoint(note.encode(), origin=NAME, public_key=PUBLIC)


@pytest.mark.parametrize("name", ["", "a b", "a+b", 'a"b', "a\\b", "a\nb", "\u00e9", "a" * 256])
def test_name_that_entries_or_notes_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a log's name"):
        check_name(name)


def test_plain_name_is_taken() -> None:
    check_name(NAME)
