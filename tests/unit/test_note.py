"""Signed notes and checkpoints: their bytes, and what is refused."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.merkle import EMPTY_ROOT
from padan_server.domain.note import (
    COSIGNATURE,
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    Checkpoint,
    KeyInvalid,
    Note,
    NoteInvalid,
    Signature,
    VerifierKey,
    check_name,
    key_hash,
    open_by_any,
    open_checkpoint,
    parse_note,
    sign,
    signature,
    verified,
    verifier_key,
    with_signatures,
)

NAME = "padan.test/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
NEW_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NEW_PUBLIC = NEW_KEY.public_key().public_bytes_raw()
OLD, NEW = VerifierKey(NAME, PUBLIC), VerifierKey(NAME, NEW_PUBLIC)
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
        f"{NAME}\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nan extension\n",
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


def rotated() -> Note:
    """A note by the old and the new key of one name."""
    by_new = signature(CHECKPOINT.text(), name=NAME, public_key=NEW_PUBLIC, signer=NEW_KEY.sign)
    return with_signatures(parse_note(NOTE), [by_new])


def test_note_by_old_and_new_key_opens_with_either_or_both() -> None:
    note = rotated().dump()

    for public in (PUBLIC, NEW_PUBLIC):
        assert open_checkpoint(note, origin=NAME, public_key=public) == CHECKPOINT
    assert open_by_any(note, origin=NAME, keys=[OLD, NEW]) == CHECKPOINT
    assert open_by_any(NOTE, origin=NAME, keys=[OLD, NEW]) == CHECKPOINT
    assert [one.key_hash for one in verified(rotated(), [OLD, NEW])] == [
        OLD.key_hash(),
        NEW.key_hash(),
    ]


def test_signature_by_a_known_key_that_does_not_hold_spoils_the_note() -> None:
    forged = Signature(NAME, NEW.key_hash(), bytes(64))
    note = with_signatures(parse_note(NOTE), [forged]).dump()

    assert open_checkpoint(note, origin=NAME, public_key=PUBLIC) == CHECKPOINT
    with pytest.raises(NoteInvalid, match="does not hold"):
        open_by_any(note, origin=NAME, keys=[OLD, NEW])


def test_note_by_no_known_key_is_refused() -> None:
    with pytest.raises(NoteInvalid, match="not signed"):
        open_by_any(NOTE, origin=NAME, keys=[NEW])
    with pytest.raises(NoteInvalid, match="not signed"):
        open_by_any(NOTE, origin=NAME, keys=[])


def test_added_signatures_leave_those_before_as_they_are() -> None:
    witness = Signature("witness.test/w1", b"\x01\x02\x03\x04", bytes(72))
    later = Signature("witness.test/w1", b"\x01\x02\x03\x04", bytes(71) + b"\x01")

    once = with_signatures(rotated(), [witness])
    twice = with_signatures(once, [later])

    assert once.dump() == rotated().dump() + witness.line().encode()
    assert twice.dump() == rotated().dump() + later.line().encode()


def test_note_is_written_as_it_was_read() -> None:
    for note in (NOTE, rotated().dump()):
        assert parse_note(note).dump() == note


def test_sixteen_signatures_of_five_kilobytes_are_read() -> None:
    # C2SP signed-note: at least 16 must be accepted, and post-quantum ones are that long.
    more = [Signature("pq.test/k", bytes((n, 0, 0, 0)), bytes(4_900)) for n in range(15)]
    note = with_signatures(parse_note(NOTE), more).dump()

    assert open_checkpoint(note, origin=NAME, public_key=PUBLIC) == CHECKPOINT


def test_too_many_signatures_or_too_long_a_note_are_refused() -> None:
    short = [Signature("w.test/k", bytes((n, 0, 0, 0)), bytes(64)) for n in range(SIGNATURES_MAX)]
    long = [Signature("w.test/k", bytes(4), bytes(NOTE_BYTES_MAX))]

    for added in (short, long):
        with pytest.raises(NoteInvalid, match="too many signatures"):
            with_signatures(parse_note(NOTE), added)
    with pytest.raises(NoteInvalid, match="too many signatures"):
        parse_note(NOTE + "".join(one.line() for one in short).encode())
    with pytest.raises(NoteInvalid, match="too long"):
        parse_note(NOTE + bytes(NOTE_BYTES_MAX))


@pytest.mark.parametrize(
    "line",
    [
        "\u2014 a+b AAAAAAAA\n",
        "\u2014 a\u00a0b AAAAAAAA\n",
        "\u2014  AAAAAAAA\n",
        "\u2014 name AAAAAA==\n",
        "\u2014 name AAAAAAAB= \n",
        "\u2014 name\n",
        "- name AAAAAAAA\n",
        "\u2014 name AAAAAAAA",
        "\u2014 name AAAAAAAA\r\n",
        "\n",
    ],
)
def test_line_of_another_form_is_refused(line: str) -> None:
    with pytest.raises(NoteInvalid):
        parse_note(NOTE + line.encode())


@pytest.mark.parametrize("kind", [1, COSIGNATURE])
def test_verifier_key_is_read_as_it_was_written(kind: int) -> None:
    key = VerifierKey(NAME, PUBLIC, kind)

    assert VerifierKey.parse(key.text()) == key


def test_verifier_key_with_plus_in_its_base64_is_read() -> None:
    key = VerifierKey(NAME, b"\x00\x00" + b"\xfb\xef\xbe" * 10)

    assert key.text().count("+") > 2
    assert VerifierKey.parse(key.text()) == key


@given(st.integers(min_value=0))
def test_verifier_key_with_any_changed_bit_is_refused(bit: int) -> None:
    changed = bytearray(OLD.text().encode())
    changed[bit // 8 % len(changed)] ^= 1 << bit % 8

    with pytest.raises(KeyInvalid):
        VerifierKey.parse(changed.decode("latin-1"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000",
        "name+00000000+",
        f"{verifier_key(NAME, PUBLIC[:31])}",
        f"{verifier_key(NAME, PUBLIC, 2)}",
        f"{verifier_key('a b', PUBLIC)}",
        f"{verifier_key('', PUBLIC)}",
        f"{OLD.text()}\n",
        f"{verifier_key('n' * 1024, PUBLIC)}",
    ],
)
def test_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyInvalid):
        VerifierKey.parse(text)
