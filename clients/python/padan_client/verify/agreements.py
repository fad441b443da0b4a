"""Partners as the CONTROL entries make them: keys, agreements, suspensions.

What an action may do stands in Padan's documentation; an action that could not have been taken is a
finding. Needs msgspec.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

AMOUNT_MAX = 10**12
"""Greatest budget and price that an agreement can name."""

_Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]


class ActionRefused(Exception):
    """The action is none, or does not fit the partner's state."""


class Agreement(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A version of a partner's agreement. Dates are inclusive, in Asia/Jakarta; None: no limit."""

    version: int
    purposes: frozenset[str]
    methods: frozenset[str]
    verify_elements: frozenset[str]
    lookup_elements: frozenset[str]
    budget_day: _Amount | None = None
    budget_month: _Amount | None = None
    price_rupiah: _Amount
    valid_from: date
    valid_until: date

    def grants(self, method: str | None, purpose: str | None, elements: list[str] | None) -> bool:
        """Tell whether a call about a person is within the agreement."""
        granted = self.verify_elements if method == "VERIFY" else self.lookup_elements
        return (
            method in self.methods
            and purpose in self.purposes
            and granted.issuperset(elements or ())
        )


class _Key(Struct, frozen=True, forbid_unknown_fields=True):
    key_id: str
    algorithm: Literal["ES256", "EdDSA"]
    jwk: str
    revoked: Literal[False] = False


class _Action(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="action"):
    partner: str


class _Added(_Action, frozen=True, kw_only=True, tag="PARTNER_ADDED"):
    name: str
    kind: Literal["PRIVATE", "GOVERNMENT"]


class _KeyAdded(_Action, frozen=True, kw_only=True, tag="KEY_ADDED"):
    key: _Key


class _KeyRevoked(_Action, frozen=True, kw_only=True, tag="KEY_REVOKED"):
    key_id: str


class _AgreementAdded(_Action, frozen=True, kw_only=True, tag="AGREEMENT_ADDED"):
    agreement: Agreement


class _Suspended(_Action, frozen=True, kw_only=True, tag="PARTNER_SUSPENDED"):
    pass


class _Resumed(_Action, frozen=True, kw_only=True, tag="PARTNER_RESUMED"):
    pass


_ActionTaken = _Added | _KeyAdded | _KeyRevoked | _AgreementAdded | _Suspended | _Resumed


class Standing:
    """What a partner's CONTROL entries have made of it so far."""

    __slots__ = ("agreement", "keys", "kind", "suspended")

    def __init__(self) -> None:
        self.kind: str | None = None
        self.suspended = False
        self.keys: dict[str, bool] = {}  # By key id: whether it may be used.
        self.agreement: Agreement | None = None

    def apply(self, partner: str, document: dict[str, object]) -> None:
        """Take a parsed action. Raises ActionRefused; nothing has changed then."""
        try:
            action: _ActionTaken = msgspec.convert(document, type=_ActionTaken)
        except msgspec.ValidationError:
            raise ActionRefused("holds no action that this version knows") from None
        if action.partner != partner:
            raise ActionRefused("holds an action on another partner")
        if isinstance(action, _Added):
            if self.kind is not None:
                raise ActionRefused("adds a partner that is there already")
            self.kind = action.kind
            return
        if self.kind is None:
            raise ActionRefused("holds an action on a partner that was never added")
        match action:
            case _KeyAdded():
                if action.key.key_id in self.keys:
                    raise ActionRefused("adds a key whose id is taken")
                self.keys[action.key.key_id] = True
            case _KeyRevoked():
                if action.key_id not in self.keys:
                    raise ActionRefused("revokes a key that was never added")
                self.keys[action.key_id] = False
            case _AgreementAdded():
                self._agree(action.agreement)
            case _Suspended() | _Resumed():
                suspends = isinstance(action, _Suspended)
                if self.suspended is suspends:
                    raise ActionRefused("suspends or resumes a partner that is so already")
                self.suspended = suspends

    def _agree(self, agreement: Agreement) -> None:
        version = self.agreement.version + 1 if self.agreement else 1
        if agreement.version != version:
            raise ActionRefused(f"adds version {agreement.version} of the agreement, not {version}")
        if agreement.valid_until < agreement.valid_from:
            raise ActionRefused("adds an agreement that ends before it starts")
        if self.kind == "PRIVATE" and (agreement.lookup_elements or "LOOKUP" in agreement.methods):
            raise ActionRefused("grants lookups to a private user")
        self.agreement = agreement

    def in_force(self, key_id: str | None, today: date) -> Agreement | str:
        """Give the agreement under which this key may call today, or what stands against it."""
        if self.kind is None:
            return "the partner was never added"
        if not self.keys.get(key_id or "", False):
            return "the key was not added, or is revoked"
        if self.suspended:
            return "the partner is suspended"
        agreement = self.agreement
        if agreement is None or not agreement.valid_from <= today <= agreement.valid_until:
            return "no agreement is in force"
        return agreement
