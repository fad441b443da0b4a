"""Agreements (PKS) as policy: what a partner may ask, why, and how often; deny by default.

`authorize` is the whole policy about people: one pure function over a partner's state; what is
about no person needs no grant (`in_standing`). The notary applies the same state at the position
in the log where an entry is written.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from padan_server.domain.caller import Caller
from padan_server.domain.claims import Method
from padan_server.domain.refusal import ElementsNotGranted, Reason, Refusal

SERVICE_PARTNER = "padan"
"""The service itself, as the partner of entries that belong to no partner's call."""

PURPOSES = (
    "ACCOUNT_OPENING",
    "CREDIT_ASSESSMENT",
    "PATIENT_REGISTRATION",
    "INSURANCE_CLAIM",
    "SIM_REGISTRATION",
    "PUBLIC_SERVICE",
    "BUDGET_ALLOCATION",
    "DEVELOPMENT_PLANNING",
    "DEMOCRACY",
    "LAW_ENFORCEMENT",
)
"""Purposes in the order of the proto enum Purpose (from 1)."""


class PartnerKind(StrEnum):
    """Whether a partner is a private user (match or no match only) or a government one."""

    PRIVATE = "PRIVATE"
    GOVERNMENT = "GOVERNMENT"


class PartnerKey(msgspec.Struct, frozen=True):
    """A registered public key. `jwk` is its public JWK as JSON text."""

    key_id: str
    algorithm: str
    jwk: str
    revoked: bool = False


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a partner's agreement. Dates are inclusive, in Asia/Jakarta.

    Budgets count charged answers per calendar window in Asia/Jakarta; None means no limit.
    """

    version: int
    purposes: frozenset[str]
    methods: frozenset[str]
    verify_elements: frozenset[str]
    lookup_elements: frozenset[str]
    budget_day: int | None
    budget_month: int | None
    price_rupiah: int
    valid_from: date
    valid_until: date


class Partner(msgspec.Struct, frozen=True, kw_only=True):
    """A partner's state: keys, the agreement in its latest version, and whether it is suspended.

    `changed` is the policy's version at which this state came to be.
    """

    partner: str
    name: str
    kind: PartnerKind
    suspended: bool
    keys: dict[str, PartnerKey]
    agreement: Agreement | None
    changed: int


class Grant(msgspec.Struct, frozen=True):
    """What `authorize` allowed, and under which version of the agreement."""

    partner: str
    kind: PartnerKind
    agreement: Agreement


def check_standing(partner: Partner | None, key_id: str, today: date) -> Agreement:
    """Give the agreement in force, if partner and key may call at all.

    Raises Refusal: KEY_UNKNOWN, PARTNER_SUSPENDED or AGREEMENT_MISSING.
    """
    if partner is None:
        raise Refusal(Reason.KEY_UNKNOWN, "no such partner or key")
    key = partner.keys.get(key_id)
    if key is None or key.revoked:
        raise Refusal(Reason.KEY_UNKNOWN, "no such partner or key")
    if partner.suspended:
        raise Refusal(Reason.PARTNER_SUSPENDED, "the partner is suspended")
    agreement = partner.agreement
    if agreement is None or not agreement.valid_from <= today <= agreement.valid_until:
        raise Refusal(Reason.AGREEMENT_MISSING, "no agreement is in force today")
    return agreement


def in_standing(partner: Partner | None, caller: Caller, *, today: date) -> Grant:
    """Decide whether a caller may ask what is about no person: any partner in standing may.

    Raises Refusal: KEY_UNKNOWN, PARTNER_SUSPENDED or AGREEMENT_MISSING.
    """
    agreement = check_standing(partner, caller.key_id, today)
    assert partner is not None
    return Grant(partner=partner.partner, kind=partner.kind, agreement=agreement)


def authorize(
    partner: Partner | None,
    caller: Caller,
    *,
    method: Method,
    purpose: str,
    elements: tuple[str, ...],
    today: date,
) -> Grant:
    """Decide whether a caller may ask for these elements, for this purpose, by this method.

    Raises Refusal with the first reason that applies; ElementsNotGranted names every element.
    """
    grant = in_standing(partner, caller, today=today)
    agreement = grant.agreement
    if method not in agreement.methods:
        raise Refusal(Reason.METHOD_NOT_GRANTED, "the agreement does not grant this method")
    if purpose not in agreement.purposes:
        raise Refusal(Reason.PURPOSE_NOT_GRANTED, "the agreement does not grant this purpose")
    granted = agreement.verify_elements if method == "VERIFY" else agreement.lookup_elements
    if not granted.issuperset(elements):
        raise ElementsNotGranted(sorted(set(elements) - granted))
    return grant
