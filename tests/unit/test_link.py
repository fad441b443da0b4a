"""The link's frames and messages: what is sent arrives, however the stream is cut."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.control import AddAgreement, AddKey, Suspend
from padan_server.link import (
    FRAME_BYTES_MAX,
    Append,
    Control,
    Controlled,
    Frames,
    LinkBroken,
    Overloaded,
    Policy,
    Poll,
    Recorded,
    decode_from_notary,
    decode_to_notary,
    encode,
    frame,
)
from tests.support.builders import agreement, draft, partner, public_key, signing_key, verdict

TO_NOTARY: list[Append | Poll | Control] = [
    Append([draft(1), draft(2, nik="", sealed_personal=b"\0\xff")], resent=False),
    Append([], resent=True),
    Poll(7),
    Control(Suspend(partner="agency-a")),
    Control(AddKey(partner="agency-a", key=public_key("key-2", signing_key()))),
    Control(AddAgreement(partner="agency-a", agreement=agreement())),
]
FROM_NOTARY: list[Recorded | Policy | Controlled | Overloaded] = [
    Recorded([verdict(draft(1)), verdict(draft(2), sealed_answer=b"\0", reason="INTERNAL")]),
    Policy(3, [partner(), partner(partner="bank-b", agreement=None)], "padan.example/log"),
    Controlled(4, partner(), ""),
    Controlled(-1, None, "no such partner"),
    Overloaded([bytes(16)]),
]


@pytest.mark.parametrize("message", TO_NOTARY, ids=lambda message: type(message).__name__)
def test_what_a_worker_sends_is_read_as_it_was(message: Append | Poll | Control) -> None:
    (body,) = Frames().feed(frame(message))
    assert decode_to_notary(body) == message


@pytest.mark.parametrize("message", FROM_NOTARY, ids=lambda message: type(message).__name__)
def test_what_the_notary_sends_is_read_as_it_was(
    message: Recorded | Policy | Controlled | Overloaded,
) -> None:
    (body,) = Frames().feed(frame(message))
    assert decode_from_notary(body) == message


def test_a_message_of_the_other_direction_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_to_notary(encode(Recorded([])))
    with pytest.raises(msgspec.ValidationError):
        decode_from_notary(encode(Poll(0)))


@given(bodies=st.lists(st.binary(max_size=40), max_size=8), data=st.data())
def test_any_split_of_the_stream_gives_the_same_bodies(
    bodies: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    frames = Frames()
    read: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += frames.feed(stream[start:end])
    assert read == bodies


def test_a_stream_that_comes_byte_by_byte_gives_its_bodies_when_they_are_whole() -> None:
    stream = frame(Poll(1)) + frame(Poll(2))
    frames = Frames()
    read = [(at, body) for at in range(len(stream)) for body in frames.feed(stream[at : at + 1])]
    assert [at for at, _ in read] == [len(stream) // 2 - 1, len(stream) - 1]
    assert [decode_to_notary(body) for _, body in read] == [Poll(1), Poll(2)]


@pytest.mark.parametrize("length", [FRAME_BYTES_MAX + 1, 2**31, 2**32 - 1])
def test_a_frame_that_is_too_long_breaks_the_link_before_it_is_read(length: int) -> None:
    with pytest.raises(LinkBroken):
        list(Frames().feed(length.to_bytes(4, "big")))


def test_a_long_frame_behind_a_good_one_breaks_the_link_after_that_one() -> None:
    frames = Frames().feed(frame(Poll(1)) + b"\xff\xff\xff\xff")
    assert decode_to_notary(next(frames)) == Poll(1)
    with pytest.raises(LinkBroken):
        next(frames)


def test_the_longest_frame_is_taken() -> None:
    body = bytes(FRAME_BYTES_MAX)
    assert list(Frames().feed(len(body).to_bytes(4, "big") + body)) == [body]


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x91\xa6append", b"GET / HTTP/1.1"])
def test_a_body_that_is_no_message_is_an_error_of_one_kind(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_to_notary(body)
