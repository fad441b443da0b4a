"""What the client takes as signed: keys, notes, checkpoints, cosignatures and their quorum."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_client.verify.checkpoints import Checkpoint, Trust
from padan_client.verify.errors import (
    SignatureInvalid,
    Unreadable,
    VerificationError,
    WitnessesMissing,
)
from padan_client.verify.notes import ED25519, NOTE_BYTES_MAX, VerifierKey, parse_note, signed_by
from padan_client.verify.text import read_base64, read_number
from tests.support.log_directory import Signer, base64, note

LOG = Signer("padan.test/log", 1)
NEW = Signer("padan.test/log", 2)
WITNESSES = [Signer(f"w{number}.test", 10 + number, 4) for number in range(3)]
ROOT = bytes(range(32))
TEXT = f"{LOG.name}\n1234\n{base64(ROOT)}\n"
TRUST = Trust.parse(log_keys=[LOG.vkey])


def test_signed_checkpoint_is_read() -> None:
    signed = TRUST.open(note(TEXT, LOG), "it")

    assert signed.checkpoint == Checkpoint(LOG.name, 1234, ROOT)
    assert signed.witnesses == ()


def test_key_and_note_of_the_specification_are_taken() -> None:
    key = VerifierKey.parse(
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", kind=ED25519
    )
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqf"
        "qdngotpRZb6KE6RyyBwJnAM=\n"
    )

    assert signed_by(parse_note(text.encode(), "it"), key)


@given(st.integers(0, len(note(TEXT, LOG)) * 8 - 1))
def test_any_changed_bit_is_refused(bit: int) -> None:
    changed = bytearray(note(TEXT, LOG))
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(VerificationError):
        TRUST.open(bytes(changed), "it")


@given(st.data())
def test_any_changed_bit_is_refused_where_every_witness_must_sign(data: st.DataObject) -> None:
    trust = Trust.parse(log_keys=[LOG.vkey], witnesses=[one.vkey for one in WITNESSES])
    whole = note(TEXT, LOG, *WITNESSES)
    trust.open(whole, "it")
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(VerificationError):
        trust.open(bytes(changed), "it")


def test_log_that_changes_its_key_is_trusted_by_the_old_or_the_new_one() -> None:
    both = Trust.parse(log_keys=[LOG.vkey, NEW.vkey])

    for signers in ([LOG], [NEW], [LOG, NEW]):
        assert both.open(note(TEXT, *signers), "it").checkpoint.size == 1234
    with pytest.raises(SignatureInvalid):
        TRUST.open(note(TEXT, NEW), "it")


def test_one_signature_of_the_log_that_fails_condemns_the_note() -> None:
    both = Trust.parse(log_keys=[LOG.vkey, NEW.vkey])
    broken = note(TEXT, LOG) + NEW.line("another text\n").encode()

    with pytest.raises(SignatureInvalid, match="does not hold"):
        both.open(broken, "it")


def test_quorum_is_counted_by_witness_and_others_are_passed_over() -> None:
    keys = [one.vkey for one in WITNESSES]
    two = Trust.parse(log_keys=[LOG.vkey], witnesses=keys, quorum=2)
    stranger = Signer("stranger.test", 99, 4)

    signed = two.open(note(TEXT, LOG, stranger, *WITNESSES[:2]), "it")
    assert [one.witness for one in signed.witnesses] == ["w0.test", "w1.test"]
    assert signed.witnesses[0].time == datetime.fromtimestamp(1_795_000_000, UTC)
    with pytest.raises(WitnessesMissing, match="1 of the witnesses, not by 2"):
        two.open(note(TEXT, LOG, stranger, WITNESSES[0], WITNESSES[0]), "it")


def test_witness_with_an_old_and_a_new_key_counts_once() -> None:
    old, new = Signer("w.test", 20, 4), Signer("w.test", 21, 4)
    trust = Trust.parse(
        log_keys=[LOG.vkey], witnesses=[old.vkey, new.vkey, WITNESSES[0].vkey], quorum=2
    )

    with pytest.raises(WitnessesMissing):
        trust.open(note(TEXT, LOG, old, new), "it")
    trust.open(note(TEXT, LOG, new, WITNESSES[0]), "it")


def test_cosignature_of_a_known_witness_that_fails_condemns_the_note() -> None:
    trust = Trust.parse(log_keys=[LOG.vkey], witnesses=[one.vkey for one in WITNESSES], quorum=1)
    broken = note(TEXT, LOG, WITNESSES[0]) + WITNESSES[1].line("another text\n").encode()

    with pytest.raises(WitnessesMissing, match=r"w1\.test that does not hold"):
        trust.open(broken, "it")


def test_log_signature_is_no_cosignature() -> None:
    as_log = Signer("w0.test", 10)

    with pytest.raises(Unreadable, match="a witness's"):
        Trust.parse(log_keys=[LOG.vkey], witnesses=[as_log.vkey])
    with pytest.raises(Unreadable, match="a log's"):
        Trust.parse(log_keys=[WITNESSES[0].vkey])


def test_key_that_would_count_twice_is_refused() -> None:
    twin = Signer("other.test", 10, 4)
    also_log = Signer("log-as-witness.test", 1, 4)

    for witnesses in ([WITNESSES[0].vkey, twin.vkey], [also_log.vkey], [WITNESSES[0].vkey] * 2):
        with pytest.raises(Unreadable, match="one key twice"):
            Trust.parse(log_keys=[LOG.vkey], witnesses=witnesses)


@pytest.mark.parametrize("quorum", [-1, 0, 4])
def test_quorum_that_means_nothing_is_refused(quorum: int) -> None:
    with pytest.raises(Unreadable, match="the quorum"):
        Trust.parse(log_keys=[LOG.vkey], witnesses=[one.vkey for one in WITNESSES], quorum=quorum)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+00000000",
        LOG.vkey[:-1],
        LOG.vkey.replace("+", "+0", 1),
        LOG.vkey.replace("log+", "log2+"),
        " +" + LOG.vkey.partition("+")[2],
        "a" * 600,
    ],
)
def test_key_of_another_form_is_refused(vkey: str) -> None:
    with pytest.raises(Unreadable):
        Trust.parse(log_keys=[vkey])


def test_keys_of_two_logs_are_refused() -> None:
    with pytest.raises(Unreadable, match="different names"):
        Trust.parse(log_keys=[LOG.vkey, Signer("other.test", 5).vkey])


@pytest.mark.parametrize(
    "text",
    [
        f"{LOG.name}\n01\n{base64(ROOT)}\n",
        f"{LOG.name}\n-1\n{base64(ROOT)}\n",
        f"{LOG.name}\n9223372036854775808\n{base64(ROOT)}\n",
        f"{LOG.name}\n1\n{base64(ROOT[:31])}\n",
        f"{LOG.name}\n1\n{base64(ROOT)[:-2]}B=\n",
        f"{LOG.name}\n0\n{base64(ROOT)}\n",
        f"{LOG.name}\n1\n",
        f"\n1\n{base64(ROOT)}\n",
        f"{LOG.name}\n1\n{base64(ROOT)}\n\nextension\n",
    ],
)
def test_signed_text_that_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        TRUST.open(note(text, LOG), "it")


def test_checkpoint_of_another_log_is_refused_although_the_key_signed_it() -> None:
    with pytest.raises(SignatureInvalid, match="another log"):
        TRUST.open(note(f"other.test\n1\n{base64(ROOT)}\n", LOG), "it")


def test_extension_lines_are_passed_over() -> None:
    assert TRUST.open(note(f"{TEXT}extension\n", LOG), "it").checkpoint.size == 1234


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"\xff\n\n\xe2\x80\x94 a AAAAAAA=\n",
        note(TEXT, LOG) + b"\n",
        note(TEXT, LOG)[:-1],
        note(TEXT, LOG).replace(b"\n1234", b"\r\n1234"),
        note(TEXT, *[LOG] * 65),
        b"a" * (NOTE_BYTES_MAX + 1),
    ],
)
def test_what_is_no_note_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        TRUST.open(data, "it")


def test_texts_have_one_spelling() -> None:
    for text in ("AB==", "A A=", "AAA", "AAA=\n", "é"):
        with pytest.raises(Unreadable):
            read_base64(text, "it")
    for text in ("", "00", "+1", "1 ", "٣", "9223372036854775808"):
        with pytest.raises(Unreadable):
            read_number(text, "it")
    assert read_number("9223372036854775807", "it") == 2**63 - 1
