"""Drafts: what a worker asks the notary to record, and the verdict that comes back.

These values are also the wire format of the link between them (msgpack arrays), so fields are
only ever added at the end.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """The kinds of ledger entries (docs/entry.md)."""

    ANSWER = "ANSWER"
    REPLAY = "REPLAY"
    REFUSAL = "REFUSAL"
    FAULT = "FAULT"
    SUMMARY = "SUMMARY"
    CONTROL = "CONTROL"


class Draft(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry to be.

    `kind` is ANSWER, REFUSAL, FAULT or SUMMARY. `ask` and `answer` are canonical JSON objects,
    spliced into the entry as they are; `answer` is empty unless `kind` is ANSWER. `nik` is the
    plain NIK, or "" where none is known: the notary turns it into the entry's `subject` and keeps
    no copy. `content_mac` binds the request_id to the request's content. `sealed_answer` is what a
    replay returns; empty if the answer must not bind the request_id.
    """

    draft_id: bytes
    kind: str
    partner: str
    key_id: str
    agreement_version: int
    request_id: str
    nik: str
    ask: bytes
    answer: bytes
    billable: bool
    content_mac: bytes
    sealed_answer: bytes
    sealed_personal: bytes
    reason: str
    count: int


class Standing(StrEnum):
    """What became of a draft."""

    RECORDED = "RECORDED"
    REPLAYED = "REPLAYED"
    REFUSED = "REFUSED"


class Verdict(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the notary committed for a draft.

    RECORDED: the entry stands at `index` with `time` (microseconds since the epoch); `charged`
    tells whether the budgets were charged; `day_left` and `month_left` are -1 where the agreement
    sets no limit. REPLAYED: the request_id was bound before, at `index` and `time`, and
    `sealed_answer` is the first call's. REFUSED: an entry of kind REFUSAL stands instead, with
    `reason`; for BUDGET_SPENT `window` names the window and `retry_after_seconds` its rest.
    """

    draft_id: bytes
    standing: str
    index: int
    time: int
    charged: bool
    day_left: int
    month_left: int
    sealed_answer: bytes
    reason: str
    window: str
    retry_after_seconds: float
