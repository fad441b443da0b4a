"""The rules of the log, replayed over its entries: chains, agreements, budgets, request ids.

What the notary refused to write must not stand in the log. Pure; one object for one reading from
the first entry on. Request ids are remembered for as long as they can be used (72 hours).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from padan_server.domain.agreement import Agreement, Partner, check_standing
from padan_server.domain.control import Action, ControlRefused, apply
from padan_server.domain.draft import Kind
from padan_server.domain.entry import base64
from padan_server.domain.ledger import Head
from padan_server.domain.outcome import NOT_YET_REPLICATED
from padan_server.domain.refusal import Refusal
from padan_server.domain.request_id import LIFETIME_SECONDS, time_of
from padan_server.domain.window import JakartaDays

_FORGET_SECONDS = 3600
_NEW = Head(0, b"")


class Replay:
    """What the entries so far make: chains, partners, uses of budgets, answered request ids."""

    def __init__(self) -> None:
        self.heads: dict[str, Head] = {}
        self.partners: dict[str, Partner] = {}
        self.agreements: dict[tuple[str, str], Agreement] = {}
        self.used: dict[tuple[str, str], int] = {}
        self.policy_version = 0
        self._answered: dict[tuple[str, str], int] = {}
        self._forgot = 0.0
        self._days = JakartaDays()

    def take(self, entry: dict[str, Any], leaf: bytes) -> Iterator[str]:
        """Take the next entry, parsed, and its leaf hash; tell which rules it breaks."""
        yield from self._chain(entry, leaf)
        match entry["kind"]:
            case Kind.CONTROL:
                yield from self._control(entry)
            case Kind.ANSWER:
                yield from self._answer(entry)
            case Kind.REPLAY:
                yield from self._replay(entry)
            case _:
                if "charge" in entry or "answer" in entry:
                    yield "holds an answer or a charge, but is no answer"

    def _chain(self, entry: dict[str, Any], leaf: bytes) -> Iterator[str]:
        head = self.heads.get(entry["partner"], _NEW)
        if entry["partner_seq"] != head.next_seq:
            yield f"is number {entry['partner_seq']} of its partner, not {head.next_seq}"
        if entry.get("partner_previous", "") != base64(head.leaf_hash):
            yield "does not follow its partner's last entry"
        self.heads[entry["partner"]] = Head(entry["partner_seq"] + 1, leaf)

    def _control(self, entry: dict[str, Any]) -> Iterator[str]:
        try:
            partner, _ = apply(
                self.partners.get(entry["partner"]),
                _action(entry["control"]),
                changed=self.policy_version + 1,
            )
        except (KeyError, msgspec.ValidationError):
            yield "holds no control action"
        except ControlRefused as refused:
            yield f"holds a control action that cannot apply: {refused}"
        else:
            self.partners[partner.partner] = partner
            self.policy_version = partner.changed
            if partner.agreement is not None:
                version = (partner.partner, str(partner.agreement.version))
                self.agreements[version] = partner.agreement

    def _answer(self, entry: dict[str, Any]) -> Iterator[str]:
        seconds = datetime.fromisoformat(entry["time"]).timestamp()
        ask = entry.get("ask", {})
        try:
            agreement = check_standing(
                self.partners.get(entry["partner"]),
                ask.get("key_id", ""),
                self._days.today(seconds),
            )
        except Refusal as refusal:
            yield f"answers where {refusal.reason} stands against it"
        else:
            if ask.get("agreement_version") != agreement.version:
                yield "answers under a version of the agreement that was not in force"
            yield from self._charge(entry, agreement)
        key = request_of(entry)
        if key is not None and binds(entry):
            self._forget(seconds)
            if key in self._answered:
                yield f"answers a request_id that entry {self._answered[key]} answered"
            self._answered.setdefault(key, entry["index"])

    def _charge(self, entry: dict[str, Any], agreement: Agreement) -> Iterator[str]:
        charge = entry.get("charge")
        if charge is None:
            return
        if charge["price"] != agreement.price_rupiah:
            yield "is charged at another price than the agreement's"
        limits = {"day": agreement.budget_day, "month": agreement.budget_month}
        for window in charge["windows"]:
            key = (entry["partner"], window)
            self.used[key] = used = self.used.get(key, 0) + 1
            limit = limits.get(window.partition(":")[0])
            if limit is not None and used > limit:
                yield f"is charged to {window} beyond the budget of {limit}"

    def _replay(self, entry: dict[str, Any]) -> Iterator[str]:
        key = request_of(entry)
        if key is None or self._answered.get(key) != entry.get("replay_of"):
            yield "replays another entry than the one that answered its request_id"

    def _forget(self, now: float) -> None:
        """Forget request ids that cannot be used any more; once an hour of entries."""
        if now - self._forgot < _FORGET_SECONDS:
            return
        self._forgot = now
        self._answered = {
            key: index
            for key, index in self._answered.items()
            if now - time_of(key[1]) <= LIFETIME_SECONDS
        }


def request_of(entry: dict[str, Any]) -> tuple[str, str] | None:
    """Give an entry's partner and request_id (in lower case), if it has one."""
    request_id = entry.get("ask", {}).get("request_id")
    return None if request_id is None else (entry["partner"], request_id.lower())


def binds(entry: dict[str, Any]) -> bool:
    """Tell whether an ANSWER binds its request_id."""
    return bool(entry["answer"]["outcome"] != NOT_YET_REPLICATED)


def _action(document: dict[str, Any]) -> Action:
    """Read an action; a budget that is absent has no limit."""
    if "agreement" in document:
        unlimited = {"budget_day": None, "budget_month": None}
        document = document | {"agreement": unlimited | document["agreement"]}
    action: Action = msgspec.convert(document, type=Action)
    return action
