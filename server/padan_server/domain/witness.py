"""A witness's decision on a checkpoint that a log submits (C2SP tlog-witness, add-checkpoint).

What it keeps of each log is a value. Whoever runs the witness stores it before the cosignature is
made, in one step with the look at what was stored before: else an older head could replace it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import msgspec

from padan_server.domain.merkle import (
    EMPTY_ROOT,
    ProofInvalid,
    verify_consistency,
)
from padan_server.domain.note import (
    NOTE_BYTES_MAX,
    Checkpoint,
    Note,
    NoteInvalid,
    VerifierKey,
    parse_note,
    read_checkpoint,
    read_hash,
    read_size,
    verified,
)

_OLD = "old "
_Value = TypeVar("_Value")

HASHES_MAX = 63
"""Most lines of a consistency proof (C2SP)."""

REQUEST_BYTES_MAX = NOTE_BYTES_MAX + 4 * 1024
"""Longest request that is read: a note, after 63 hashes in base64."""

SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"


class RequestMalformed(Exception):
    """Not the body of an add-checkpoint request: 400. The message says what is wrong with it."""


class TrustedLog(msgspec.Struct, frozen=True):
    """A log that the witness knows: its origin, and the keys of which one must have signed."""

    origin: str
    keys: tuple[VerifierKey, ...]


class Seen(msgspec.Struct, frozen=True):
    """The latest head of a log that was cosigned; `note` is it with the log's own signatures."""

    size: int
    root: bytes
    note: bytes


NOTHING_SEEN = Seen(0, EMPTY_ROOT, b"")
"""What is known of a log that never submitted anything."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request as read: nothing of it is checked."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    def dump(self) -> bytes:
        """Write the request's body."""
        lines = [f"{_OLD}{self.old_size}", *(b64encode(one).decode() for one in self.proof)]
        return "\n".join((*lines, "\n")).encode() + self.note.dump()

    @classmethod
    def parse(cls, body: bytes) -> Request:
        """Read a request's body. Raises RequestMalformed."""
        if len(body) > REQUEST_BYTES_MAX:
            raise RequestMalformed("the request is too long")
        head, separator, note = body.partition(b"\n\n")
        if not separator:
            raise RequestMalformed("the request has no empty line before its checkpoint")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise RequestMalformed("the request's lines are not ASCII") from error
        if not lines[0].startswith(_OLD):
            raise RequestMalformed("line 1 holds no old size")
        if len(lines) - 1 > HASHES_MAX:
            raise RequestMalformed(f"the request has more than {HASHES_MAX} hashes")
        old_size = _read(read_size, lines[0].removeprefix(_OLD), 1)
        proof = tuple(_read(read_hash, line, number) for number, line in enumerate(lines[1:], 2))
        return cls._with_note(old_size, proof, note)

    @classmethod
    def _with_note(cls, old_size: int, proof: tuple[bytes, ...], data: bytes) -> Request:
        try:
            note = parse_note(data)
            checkpoint = read_checkpoint(note)
        except NoteInvalid as error:
            raise RequestMalformed(str(error)) from error
        if old_size > checkpoint.size:
            raise RequestMalformed("the old size is beyond the checkpoint's")
        return cls(old_size=old_size, proof=proof, note=note, checkpoint=checkpoint)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint is not cosigned: the response. What was seen before stays.

    `forked` says that the log signed two roots of one size: the request is to be kept as evidence.
    """

    status: HTTPStatus
    body: str
    content_type: str = TEXT_TYPE
    forked: bool = False


class Accepted(msgspec.Struct, frozen=True):
    """The checkpoint is to be cosigned once `seen` is stored; `text` is what is cosigned."""

    seen: Seen
    text: str


def malformed(error: RequestMalformed) -> Refused:
    """Give the response to what is no request."""
    return Refused(status=HTTPStatus.BAD_REQUEST, body=f"{error}\n")


def judge(request: Request, *, log: TrustedLog | None, seen: Seen | None) -> Refused | Accepted:
    """Decide on a request. `log` and `seen` are what is known by its checkpoint's origin."""
    if log is None or log.origin != request.checkpoint.origin:
        return Refused(status=HTTPStatus.NOT_FOUND, body="the log is unknown\n")
    try:
        signatures = verified(request.note, log.keys)
    except NoteInvalid as error:
        return Refused(status=HTTPStatus.FORBIDDEN, body=f"{error}\n")
    known, new = seen or NOTHING_SEEN, request.checkpoint
    forked = new.size == known.size and new.root != known.root
    if request.old_size != known.size or forked:
        return Refused(
            status=HTTPStatus.CONFLICT,
            body=f"{known.size}\n",
            content_type=SIZE_TYPE,
            forked=forked,
        )
    try:
        _check_consistent(known, new, request.proof)
    except ProofInvalid as error:
        return Refused(status=HTTPStatus.UNPROCESSABLE_ENTITY, body=f"{error}\n")
    note = Note(request.note.text, tuple(signatures)).dump()
    return Accepted(Seen(new.size, new.root, note), request.note.text)


def _read(read: Callable[[str], _Value], text: str, number: int) -> _Value:
    try:
        return read(text)
    except ValueError as error:
        raise RequestMalformed(f"line {number} {error}") from error


def _check_consistent(known: Seen, new: Checkpoint, proof: tuple[bytes, ...]) -> None:
    if known.size > 0:
        verify_consistency(
            size=known.size,
            root=known.root,
            larger_size=new.size,
            larger_root=new.root,
            proof=proof,
        )
    elif proof:
        raise ProofInvalid("nothing follows from an empty tree")
