"""Ledger entries read by the hundred thousand: their form as types, their canonical bytes by order.

Needs msgspec (the extra `verify`). The fields stand in canonical order, and what is absent is not
written: an entry is canonical if it is written again as it was read.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from padan_client.verify.canonical import INTEGER_MAX, check_subset
from padan_client.verify.errors import EntryInvalid, Unreadable
from padan_client.verify.form import DEPENDING, KINDS

_Number = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
_Hash = Annotated[str, Meta(min_length=44, max_length=44)]
_Nonce = Annotated[str, Meta(min_length=24, max_length=24)]
_DraftId = Annotated[str, Meta(min_length=32, max_length=32)]
_Time = Annotated[str, Meta(min_length=27, max_length=27)]


class Answer(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What was answered."""

    as_of: str
    fields: dict[str, tuple[str, _Number, list[str]]] | None = None
    matcher: str | None = None
    outcome: str = ""
    record_version: _Number | None = None
    retry_after_seconds: _Number | None = None
    signals: list[str] | None = None
    statement: _Hash | None = None


class Ask(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What was asked."""

    agreement_version: _Number | None = None
    consent: bool | None = None
    elements: list[str] | None = None
    key_id: str | None = None
    method: str | None = None
    network: str | None = None
    personal: _Hash | None = None
    purpose: str | None = None
    regency: str | None = None
    request_id: str | None = None


class Charge(Struct, forbid_unknown_fields=True, gc=False):
    """What a call cost, and the budget windows that it was charged to."""

    price: _Number
    windows: list[str]


class Entry(Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False, kw_only=True):
    """An entry. What its kind needs and may have is checked by `parse`."""

    answer: Answer | None = None
    ask: Ask | None = None
    attempt: _Number | None = None
    charge: Charge | None = None
    control: dict[str, object] | None = None
    count: _Number | None = None
    draft_id: _DraftId
    index: _Number
    kind: Literal["ANSWER", "CONTROL", "FAULT", "REFUSAL", "REPLAY", "SUMMARY"]
    log: str
    nonce: _Nonce
    partner: str
    partner_previous: _Hash | None = None
    partner_seq: _Number
    reason: str | None = None
    replay_of: _Number | None = None
    subject: _Hash | None = None
    subject_epoch: _Number | None = None
    time: _Time
    version: Literal[1]


_decode = msgspec.json.Decoder(Entry).decode
_encode_into = msgspec.json.Encoder(order="deterministic").encode_into
_Values = Callable[[Entry], tuple[Any, ...]]


def _values(names: set[str]) -> _Values:
    assert len(names) > 1, "attrgetter gives a tuple for two names or more"
    return attrgetter(*sorted(names))


_NONE = {n: (None,) * n for n in range(2, len(DEPENDING) + 1)}
_LACKS = {
    kind: (_values(set(DEPENDING) - must - may), _NONE[len(set(DEPENDING) - must - may)])
    for kind, (must, may) in KINDS.items()
}
# Its own kind stands with what it must have, so that there are two names.
_HAS = {kind: _values({*must, "kind"}) for kind, (must, _) in KINDS.items()}


class Reader:
    """Parses entries, one after the other. It has a buffer of its own: for one thread."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def parse(self, data: bytes) -> Entry:
        """Parse an entry's bytes.

        Raises EntryInvalid if they are not canonical, not of version 1, or not of their kind's
        form.
        """
        try:
            entry = _decode(data)
            _encode_into(entry, self._buffer)
        except (ValueError, RecursionError, msgspec.MsgspecError):
            # The text of the error may quote the entry.
            raise _invalid("is no entry of version 1") from None
        if self._buffer != data:
            raise _invalid("is not in canonical form")
        kind = entry.kind
        values, none = _LACKS[kind]
        if None in _HAS[kind](entry) or values(entry) != none:
            raise _invalid(f"does not hold what a {kind} holds")
        if entry.control is not None:
            try:
                check_subset(entry.control, "its control")
            except Unreadable as error:
                raise _invalid(str(error)) from None
        return entry


def _invalid(text: str) -> EntryInvalid:
    return EntryInvalid("an entry", text)
