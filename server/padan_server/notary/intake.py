"""Drafts as they come in: their form is checked here, once, and trusted from then on.

A draft of another form is no caller's doing but a fault of the worker: its link is broken off.
"""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from padan_server.domain.draft import Draft, Kind, Verdict
from padan_server.domain.refusal import Reason

DOCUMENTS_BYTES_MAX = 32 * 1024
"""Longest `ask` and `answer` together: an entry must fit its bundle (ENTRY_BYTES_MAX)."""

SEALED_BYTES_MAX = 8 * 1024
"""Longest sealed part: a thousand replays must fit one frame of the link."""

DRAFT_ID_BYTES = 16

_REQUEST_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NIK = re.compile(r"[0-9]{16}")
_ANSWER, _SUMMARY = Kind.ANSWER.value, Kind.SUMMARY.value
_REFUSED = frozenset({Kind.REFUSAL.value, Kind.FAULT.value, _SUMMARY})
_REASONS = frozenset(Reason)


class DraftMalformed(Exception):
    """A draft does not have the form that workers give drafts."""


class Sender(Protocol):
    """Whoever waits for a draft's verdict."""

    def deliver(self, verdicts: list[Verdict]) -> None:
        """Take verdicts of drafts that it sent."""
        ...


class Ask(msgspec.Struct, frozen=True, gc=False):
    """The part of an entry's `ask` that is searched by."""

    method: str = ""
    purpose: str = ""
    regency: str = ""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The part of an entry's `answer` that is searched by."""

    outcome: str = ""


class Item(msgspec.Struct, frozen=True):
    """A draft in the queue. `request` is (partner, request_id in lower case), or None."""

    draft: Draft
    ask: Ask
    answer: Answer
    request: tuple[str, str] | None
    resent: bool
    sender: Sender


_NO_ASK, _NO_ANSWER = Ask(), Answer()
_ask = msgspec.json.Decoder(Ask).decode
_answer = msgspec.json.Decoder(Answer).decode


def take(draft: Draft, *, resent: bool, sender: Sender) -> Item:
    """Check a draft's form. Raises DraftMalformed, which says what is wrong and holds no values."""
    fault = _fault(draft)
    if fault:
        raise DraftMalformed(fault)
    try:
        ask = _ask(draft.ask) if draft.ask else _NO_ASK
        answer = _answer(draft.answer) if draft.answer else _NO_ANSWER
    except msgspec.MsgspecError as error:
        raise DraftMalformed("ask or answer") from error
    request = (draft.partner, draft.request_id.lower()) if draft.request_id else None
    return Item(draft, ask, answer, request, resent, sender)


def _fault(draft: Draft) -> str:
    """Name the field that breaks the form; "" if none does."""
    if len(draft.draft_id) != DRAFT_ID_BYTES:
        return "draft_id"
    if draft.kind == _ANSWER:
        if draft.reason or draft.count or not draft.answer:
            return "answer"
    elif (
        draft.kind not in _REFUSED
        or draft.answer
        or draft.reason not in _REASONS
        or (draft.kind == _SUMMARY) != (draft.count > 0)
    ):
        return "kind"
    if len(draft.ask) + len(draft.answer) > DOCUMENTS_BYTES_MAX:
        return "ask and answer"
    if max(len(draft.sealed_answer), len(draft.sealed_personal)) > SEALED_BYTES_MAX:
        return "sealed"
    if draft.nik and _NIK.fullmatch(draft.nik) is None:
        return "nik"
    if draft.request_id and _REQUEST_ID.fullmatch(draft.request_id) is None:
        return "request_id"
    return ""
