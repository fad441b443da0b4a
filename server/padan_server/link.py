"""The link between workers and the notary: its messages, and their frames.

A frame is a length (4 bytes, big endian) and a msgpack array. The link carries drafts one way and
verdicts the other, the policy on poll, and control actions from the command line.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from padan_server.domain.agreement import Partner
from padan_server.domain.control import Action
from padan_server.domain.draft import Draft, Verdict

FRAME_BYTES_MAX = 16 * 1024 * 1024
"""Longest frame: a thousand drafts of the longest kind, with room; longer ones end the link."""

_LENGTH = 4


class Append(msgspec.Struct, frozen=True, array_like=True, tag="append"):
    """Record these. `resent`: they may have been recorded already, look for their draft_ids."""

    drafts: list[Draft]
    resent: bool


class Recorded(msgspec.Struct, frozen=True, array_like=True, tag="recorded"):
    """These are committed, and the head that holds them is signed."""

    verdicts: list[Verdict]


class Poll(msgspec.Struct, frozen=True, array_like=True, tag="poll"):
    """Give the partners whose state changed after a version of the policy (0: all)."""

    known: int


class Policy(msgspec.Struct, frozen=True, array_like=True, tag="policy"):
    """The policy's version, and the partners that changed since the version polled for.

    `log` is the log's origin.
    """

    version: int
    partners: list[Partner]
    log: str


class Control(msgspec.Struct, frozen=True, array_like=True, tag="control"):
    """Apply and record an action."""

    action: Action


class Controlled(msgspec.Struct, frozen=True, array_like=True, tag="controlled"):
    """The action stands at `index`; or it was refused: `index` is -1 and `error` says why."""

    index: int
    partner: Partner | None
    error: str


class Overloaded(msgspec.Struct, frozen=True, array_like=True, tag="overloaded"):
    """These drafts were not taken: the notary's queue is full. Nothing of them is recorded."""

    draft_ids: list[bytes]


ToNotary = Append | Poll | Control
FromNotary = Recorded | Policy | Controlled | Overloaded

encode = msgspec.msgpack.Encoder().encode
decode_to_notary = msgspec.msgpack.Decoder(ToNotary).decode
decode_from_notary = msgspec.msgpack.Decoder(FromNotary).decode


class LinkBroken(Exception):
    """A frame is too long or no message: whoever sent it is not one of us."""


def frame(message: ToNotary | FromNotary) -> bytes:
    """Give a message's frame."""
    body = encode(message)
    return len(body).to_bytes(_LENGTH, "big") + body


class Frames:
    """Cuts a stream of bytes into bodies of frames."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes; give the bodies that are complete. Raises LinkBroken for a long frame."""
        buffer = self._buffer + data if self._buffer else data
        at, end = 0, len(buffer)
        while end - at >= _LENGTH:
            length = int.from_bytes(buffer[at : at + _LENGTH], "big")
            if length > FRAME_BYTES_MAX:
                raise LinkBroken("a frame is too long")
            if end - at - _LENGTH < length:
                break
            at += _LENGTH
            yield buffer[at : at + length]
            at += length
        self._buffer = buffer[at:]
