"""Builders of what the notary takes: drafts, partners, a memory to judge them by."""

from __future__ import annotations

import hmac
import itertools
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from padan_server.domain import canonical, entry
from padan_server.domain.agreement import Agreement, Partner, PartnerKey, PartnerKind
from padan_server.domain.draft import Draft, Kind, Verdict
from padan_server.domain.ledger import LogRow, Tail
from padan_server.domain.merkle import EMPTY, EMPTY_ROOT
from padan_server.notary.batch import Built, build
from padan_server.notary.intake import Item, take
from padan_server.notary.state import State

LOG = "padan.test/log"
NOON = round(datetime(2026, 11, 24, 5, 0, tzinfo=UTC).timestamp() * 1_000_000)
"""Noon in Jakarta, in microseconds."""

NIK = "3171014501900001"
_numbers = itertools.count(1)


def counting(size: int) -> bytes:
    """Give bytes that are never given twice, as if they were random."""
    return next(_numbers).to_bytes(16, "big").rjust(size, b"\0")[:size]


class Keys:
    """An epoch key that everyone knows."""

    subject_epoch = 1

    def subject_mac(self, nik: str) -> bytes:
        """Give HMAC-SHA-256 of a NIK."""
        return hmac.digest(b"\0" * 32, nik.encode(), "sha256")


class Inbox:
    """A sender that keeps its verdicts."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    def deliver(self, verdicts: list[Verdict]) -> None:
        """Keep them."""
        self.verdicts += verdicts


def request_id(at: int | None = None) -> str:
    """Give a new UUIDv7 of a time in microseconds, by default of now."""
    milliseconds = int(time.time() * 1000) if at is None else at // 1000
    return str(UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(_numbers)))


def agreement(**special: Any) -> Agreement:
    """Give an agreement without budgets."""
    ordinary: dict[str, Any] = {
        "version": 1,
        "purposes": frozenset({"ACCOUNT_OPENING"}),
        "methods": frozenset({"VERIFY"}),
        "verify_elements": frozenset({"full_name", "birth_date"}),
        "lookup_elements": frozenset(),
        "budget_day": None,
        "budget_month": None,
        "price_rupiah": 1000,
        "valid_from": date(2020, 1, 1),
        "valid_until": date(2099, 12, 31),
    }
    return Agreement(**(ordinary | special))


def partner(
    name: str = "bank", *, suspended: bool = False, key_revoked: bool = False, **special: Any
) -> Partner:
    """Give a partner with a key and an agreement; `special` is what the agreement has special."""
    return Partner(
        partner=name,
        name="A bank",
        kind=PartnerKind.PRIVATE,
        suspended=suspended,
        keys={"key-1": PartnerKey("key-1", "EdDSA", "{}", key_revoked)},
        agreement=agreement(**special),
        changed=1,
    )


def answer(**special: Any) -> Draft:
    """Draft an answer about somebody, with a request_id of its own."""
    rid = special.get("request_id", request_id())
    outcome = special.pop("outcome", "MATCHED")
    ask = {
        "agreement_version": special.get("agreement_version", 1),
        "elements": ["full_name"],
        "key_id": special.get("key_id", "key-1"),
        "method": "VERIFY",
        "network": "PRIVATE",
        "purpose": "ACCOUNT_OPENING",
        "regency": NIK[:4],
        "request_id": rid,
    }
    answered = {
        "as_of": "2026-11-24T04:59:59.000000Z",
        "outcome": outcome,
        "statement": entry.base64(bytes(32)),
    }
    ordinary: dict[str, Any] = {
        "draft_id": counting(16),
        "kind": Kind.ANSWER.value,
        "partner": "bank",
        "key_id": "key-1",
        "agreement_version": 1,
        "request_id": rid,
        "nik": NIK,
        "ask": canonical.dumps(ask),
        "answer": canonical.dumps(answered),
        "billable": True,
        "content_mac": b"content".ljust(32),
        "sealed_answer": b"sealed answer",
        "sealed_personal": b"",
        "reason": "",
        "count": 0,
    }
    return Draft(**(ordinary | special))


def refusal(**special: Any) -> Draft:
    """Draft a refusal."""
    ordinary: dict[str, Any] = {
        "kind": Kind.REFUSAL.value,
        "answer": b"",
        "billable": False,
        "content_mac": b"",
        "sealed_answer": b"",
        "reason": "ELEMENT_NOT_GRANTED",
    }
    return answer(**(ordinary | special))


def again(draft: Draft, **special: Any) -> Draft:
    """Draft the same call once more: another draft with its request_id."""
    return msgspec.structs.replace(draft, draft_id=counting(16), **special)


def state(*partners: Partner, used: Mapping[tuple[str, str], int] | None = None) -> State:
    """Give the memory of a notary of an empty log."""
    return State(
        Tail(
            log=LogRow(name=LOG, public_key=bytes(32), epoch=1, policy_version=1),
            frontier=EMPTY,
            root=EMPTY_ROOT,
            time=0,
            clock=NOON,
            partners={one.partner: one for one in partners},
            heads={},
            used=dict(used or {}),
        )
    )


def items(drafts: Iterable[Draft]) -> list[Item]:
    """Take drafts in."""
    return [take(draft, resent=False, sender=Inbox()) for draft in drafts]


def batch(memory: State, *drafts: Draft, at: int = NOON, commit: bool = True) -> Built:
    """Build a batch of drafts, and take it into the memory as if it were committed."""
    built = build(memory, items(drafts), time=at, keys=Keys(), entropy=counting)
    if commit:
        memory.apply(built.write, built.attempts)
    return built


def verdicts(built: Built, *drafts: Draft) -> list[Verdict]:
    """Give the verdicts on drafts, in order."""
    return [built.verdicts[draft.draft_id] for draft in drafts]


def entries(built: Built) -> list[dict[str, Any]]:
    """Give a batch's entries, parsed."""
    return [entry.parse(data) for data in built.write.entries]
