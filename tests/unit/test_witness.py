"""A witness's decisions: what it cosigns, what it keeps, and how it refuses."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.cosignature import Quorum, cosignatures_in, cosigned
from padan_server.domain.merkle import EMPTY_ROOT
from padan_server.domain.note import (
    Checkpoint,
    Note,
    Signature,
    VerifierKey,
    open_checkpoint,
    parse_note,
    sign,
    signature,
    with_signatures,
)
from padan_server.domain.witness import (
    HASHES_MAX,
    REQUEST_BYTES_MAX,
    SIZE_TYPE,
    Accepted,
    Refused,
    Request,
    RequestMalformed,
    Seen,
    TrustedLog,
    judge,
    malformed,
)
from tests.unit.test_cosignature import W1
from tests.unit.test_merkle import consistency, leaves_of, root_of

LOG = "padan.test/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
NEW_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NEW_PUBLIC = NEW_KEY.public_key().public_bytes_raw()
TRUSTED = TrustedLog(LOG, (VerifierKey(LOG, PUBLIC), VerifierKey(LOG, NEW_PUBLIC)))
LEAVES = leaves_of(300)


def note_of(size: int, root: bytes | None = None) -> Note:
    head = Checkpoint(LOG, size, root_of(LEAVES[:size]) if root is None else root)
    return parse_note(sign(head, public_key=PUBLIC, signer=KEY.sign))


def request(
    old: int, size: int, *, proof: list[bytes] | None = None, note: Note | None = None
) -> Request:
    """What an honest log sends, but for what is given."""
    if proof is None:
        proof = consistency(old, LEAVES[:size]) if 0 < old < size else []
    body = Request(
        old_size=old,
        proof=tuple(proof),
        note=note or note_of(size),
        checkpoint=Checkpoint(LOG, size, b""),
    ).dump()
    return Request.parse(body)


def seen_at(size: int) -> Seen:
    return Seen(size, root_of(LEAVES[:size]), note_of(size).dump())


def refused(decision: Refused | Accepted) -> Refused:
    assert isinstance(decision, Refused)
    return decision


def test_body_has_the_published_form() -> None:
    note = note_of(7).dump()
    body = request(3, 7).dump()

    lines = body.decode().split("\n")
    assert lines[0] == "old 3"
    assert len(lines[1]) == 44
    assert body.endswith(b"=\n\n" + note)
    assert request(0, 7).dump() == b"old 0\n\n" + note


@given(st.lists(st.integers(min_value=0, max_value=300), min_size=1, max_size=8))
def test_honest_log_is_cosigned_at_each_size(sizes: list[int]) -> None:
    seen = None
    for size in sorted(sizes):
        old = seen.size if seen else 0
        decision = judge(request(old, size), log=TRUSTED, seen=seen)
        assert isinstance(decision, Accepted)
        assert decision.seen == seen_at(size)
        assert decision.text == note_of(size).text
        seen = decision.seen


def test_cosignature_of_what_is_accepted_counts_in_the_logs_note() -> None:
    decision = judge(request(0, 7), log=TRUSTED, seen=None)
    assert isinstance(decision, Accepted)
    answer = W1.cosign(text=decision.text).line().encode()

    added = cosignatures_in(answer, text=note_of(7).text, witnesses=[W1.key])
    note = with_signatures(note_of(7), added)

    assert list(cosigned(note, Quorum((W1.key,), 1))) == [W1.key.name]


def test_same_head_again_is_cosigned_again() -> None:
    decision = judge(request(7, 7), log=TRUSTED, seen=seen_at(7))

    assert decision == Accepted(seen_at(7), note_of(7).text)


def test_log_with_a_new_key_is_cosigned_and_only_its_own_signatures_are_kept() -> None:
    text = note_of(7).text
    by_new = signature(text, name=LOG, public_key=NEW_PUBLIC, signer=NEW_KEY.sign)
    stranger = Signature("stranger.test/k", bytes(4), bytes(64))

    alone = judge(request(0, 7, note=Note(text, (stranger, by_new))), log=TRUSTED, seen=None)
    both = judge(
        request(0, 7, note=with_signatures(note_of(7), [stranger, by_new])),
        log=TRUSTED,
        seen=None,
    )

    assert isinstance(alone, Accepted)
    assert isinstance(both, Accepted)
    assert parse_note(alone.seen.note).signatures == (by_new,)
    assert parse_note(both.seen.note).signatures == (note_of(7).signatures[0], by_new)
    assert open_checkpoint(both.seen.note, origin=LOG, public_key=NEW_PUBLIC).size == 7


def test_unknown_log_is_not_found() -> None:
    other = TrustedLog("padan.test/other", TRUSTED.keys)

    for log in (None, other):
        decision = refused(judge(request(0, 7), log=log, seen=None))
        assert decision.status == HTTPStatus.NOT_FOUND


def test_head_that_no_trusted_key_signed_is_forbidden() -> None:
    text = note_of(7).text
    forged = Note(text, (Signature(LOG, note_of(7).signatures[0].key_hash, bytes(64)),))
    strange = Note(text, (Signature(LOG, bytes(4), bytes(64)),))
    spoiled = with_signatures(
        note_of(7), [Signature(LOG, VerifierKey(LOG, NEW_PUBLIC).key_hash(), bytes(64))]
    )

    for note in (forged, strange, spoiled):
        decision = refused(judge(request(0, 7, note=note), log=TRUSTED, seen=None))
        assert decision.status == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize(("old", "known"), [(0, 5), (3, 5), (6, 5), (3, 0), (7, 5), (0, 9)])
def test_old_size_that_is_not_the_known_one_is_a_conflict_that_tells_the_known_one(
    old: int, known: int
) -> None:
    seen = seen_at(known) if known else None

    decision = refused(judge(request(old, 7), log=TRUSTED, seen=seen))

    assert decision == Refused(
        status=HTTPStatus.CONFLICT, body=f"{known}\n", content_type=SIZE_TYPE
    )


@pytest.mark.parametrize("old", [0, 3, 7])
def test_two_roots_of_one_size_are_a_conflict_and_evidence(old: int) -> None:
    forked = note_of(7, root=bytes(32))

    decision = refused(judge(request(old, 7, note=forked), log=TRUSTED, seen=seen_at(7)))

    assert (decision.status, decision.forked) == (HTTPStatus.CONFLICT, True)


def test_empty_log_has_the_empty_root_alone() -> None:
    decision = judge(request(0, 0), log=TRUSTED, seen=None)
    forked = refused(judge(request(0, 0, note=note_of(0, bytes(32))), log=TRUSTED, seen=None))

    assert isinstance(decision, Accepted)
    assert decision.seen.root == EMPTY_ROOT
    assert (forked.status, forked.forked) == (HTTPStatus.CONFLICT, True)


def test_proof_that_proves_nothing_is_unprocessable() -> None:
    whole = consistency(3, LEAVES[:7])
    changed = [bytes(32), *whole[1:]]
    cases = [
        request(3, 7, proof=changed),
        request(3, 7, proof=whole[:-1]),
        request(3, 7, proof=[*whole, bytes(32)]),
        request(3, 7, proof=[]),
        request(3, 7, note=note_of(7, root=bytes(32))),
        request(3, 3, proof=whole),
    ]

    for case in cases:
        decision = refused(judge(case, log=TRUSTED, seen=seen_at(3)))
        assert (decision.status, decision.forked) == (HTTPStatus.UNPROCESSABLE_ENTITY, False)
    first = refused(judge(request(0, 7, proof=whole), log=TRUSTED, seen=None))
    assert first.status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_older_head_never_replaces_a_newer_one() -> None:
    # Both requests were made at size 3; the later one was stored first.
    later = judge(request(3, 9), log=TRUSTED, seen=seen_at(3))
    assert isinstance(later, Accepted)

    decision = refused(judge(request(3, 5), log=TRUSTED, seen=later.seen))

    assert (decision.status, decision.body) == (HTTPStatus.CONFLICT, "9\n")


BODY = request(3, 7).dump()


@given(st.integers(min_value=0, max_value=len(BODY) * 8 - 1))
def test_request_with_any_changed_bit_is_not_cosigned(bit: int) -> None:
    changed = bytearray(BODY)
    changed[bit // 8] ^= 1 << bit % 8

    try:
        parsed = Request.parse(bytes(changed))
    except RequestMalformed:
        return
    log = TRUSTED if parsed.checkpoint.origin == LOG else None
    assert isinstance(judge(parsed, log=log, seen=seen_at(3)), Refused)


NOTE = note_of(7).dump().decode()
HASH = "A" * 43 + "="


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "no empty line"),
        ("old 0\n", "no empty line"),
        (f"\n\n{NOTE}", "line 1 holds no old size"),
        (f"new 0\n\n{NOTE}", "line 1 holds no old size"),
        (f"old\n\n{NOTE}", "line 1 holds no old size"),
        (f"old 00\n\n{NOTE}", "line 1 holds something else than a size"),
        (f"old 3 \n\n{NOTE}", "line 1 holds something else than a size"),
        (f"old {2**63}\n\n{NOTE}", "line 1 holds something else than a size"),
        (f"old 3\r\n\n{NOTE}", "line 1 holds something else than a size"),
        (f"old \u0663\n\n{NOTE}", "not ASCII"),
        (f"old 8\n\n{NOTE}", "beyond the checkpoint's"),
        (f"old 3\n{HASH}\n{HASH[4:]}\n\n{NOTE}", "line 3 holds a hash that does not have 32 bytes"),
        (f"old 3\n{HASH[:-2]}B=\n\n{NOTE}", "line 2 holds base64 in another form"),
        (f"old 3\n{HASH} \n\n{NOTE}", "line 2 holds something else than base64"),
        ("old 3\n" + f"{HASH}\n" * (HASHES_MAX + 1) + f"\n{NOTE}", "more than 63 hashes"),
        ("old 3\n\n", "the note has no signatures"),
        (f"old 3\n\n\n{NOTE}", "the note is no checkpoint"),
        (f"old 3\n\n{NOTE[:-1]}", "the note has no signatures"),
        ("x" * (REQUEST_BYTES_MAX + 1), "too long"),
    ],
)
def test_malformed_request_gets_the_typed_error_that_says_where(body: str, told: str) -> None:
    with pytest.raises(RequestMalformed, match=told) as raised:
        Request.parse(body.encode())

    assert malformed(raised.value).status == HTTPStatus.BAD_REQUEST


def test_longest_proof_is_read() -> None:
    body = "old 3\n" + f"{HASH}\n" * HASHES_MAX + f"\n{NOTE}"

    assert len(Request.parse(body.encode()).proof) == HASHES_MAX
