"""Control actions: changes of a partner, its keys and its agreement, as the notary records them.

`apply` is pure: the state before and an action give the state after. The same action, as canonical
JSON, is the `control` object of the CONTROL entry.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import assert_never

import msgspec
import orjson

from padan_server.domain.agreement import (
    PURPOSES,
    SERVICE_PARTNER,
    Agreement,
    Partner,
    PartnerKey,
    PartnerKind,
)
from padan_server.domain.claims import LOOKUP_ELEMENTS, PERSON_METHODS, VERIFY_ELEMENTS

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
KEYS_MAX = 8
"""Keys a partner can have in use: rotation needs two at a time."""

AMOUNT_MAX = 10**12
"""Greatest budget and price: far beyond the population, and exact in canonical JSON."""

KEYS_ON_RECORD_MAX = 64
"""Keys of a partner, revoked ones included: these stay, since entries name them."""

_JWK_CHARACTERS_MAX = 512
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 bytes in base64url: a coordinate of either curve."""

_JWK_FORMS = MappingProxyType(
    {
        "ES256": ({"kty": "EC", "crv": "P-256"}, ("x", "y")),
        "EdDSA": ({"kty": "OKP", "crv": "Ed25519"}, ("x",)),
    }
)
"""The public JWK of each algorithm (RFC 7518 section 6.2.1, RFC 8037 section 2)."""


class ControlRefused(Exception):
    """The action does not fit the partner's state. The message says why."""


class _Action(msgspec.Struct, frozen=True, kw_only=True, tag_field="action"):
    partner: str


class AddPartner(_Action, frozen=True, kw_only=True, tag="PARTNER_ADDED"):
    """Register a partner: an id of lower-case letters, digits and hyphens, and its name."""

    name: str
    kind: PartnerKind


class AddKey(_Action, frozen=True, kw_only=True, tag="KEY_ADDED"):
    """Register a public key."""

    key: PartnerKey


class RevokeKey(_Action, frozen=True, kw_only=True, tag="KEY_REVOKED"):
    """Revoke a key, for good."""

    key_id: str


class AddAgreement(_Action, frozen=True, kw_only=True, tag="AGREEMENT_ADDED"):
    """Put a new version of the agreement in force. `agreement.version` is set by `apply`."""

    agreement: Agreement


class Suspend(_Action, frozen=True, kw_only=True, tag="PARTNER_SUSPENDED"):
    """Suspend a partner: no answer follows this entry until it is resumed."""


class Resume(_Action, frozen=True, kw_only=True, tag="PARTNER_RESUMED"):
    """Lift a suspension."""


Action = AddPartner | AddKey | RevokeKey | AddAgreement | Suspend | Resume


def apply(before: Partner | None, action: Action, *, changed: int) -> tuple[Partner, Action]:
    """Give the partner's state after an action, and the action as it is to be recorded.

    `changed` is the version of the policy that this action makes. Raises ControlRefused.
    """
    if isinstance(action, AddPartner):
        return _add_partner(before, action, changed), action
    if before is None:
        raise ControlRefused("no such partner")
    replace = msgspec.structs.replace
    match action:
        case AddKey():
            _check_key(before, action.key)
            keys = before.keys | {action.key.key_id: action.key}
            return replace(before, keys=keys, changed=changed), action
        case RevokeKey():
            key = before.keys.get(action.key_id)
            if key is None:
                raise ControlRefused("no such key")
            keys = before.keys | {key.key_id: replace(key, revoked=True)}
            return replace(before, keys=keys, changed=changed), action
        case AddAgreement():
            version = before.agreement.version + 1 if before.agreement else 1
            agreement = replace(action.agreement, version=version)
            _check_agreement(before, agreement)
            return (
                replace(before, agreement=agreement, changed=changed),
                replace(action, agreement=agreement),
            )
        case Suspend():
            if before.suspended:
                raise ControlRefused("the partner is suspended already")
            return replace(before, suspended=True, changed=changed), action
        case Resume():
            if not before.suspended:
                raise ControlRefused("the partner is not suspended")
            return replace(before, suspended=False, changed=changed), action
        case _:
            assert_never(action)


def _add_partner(before: Partner | None, action: AddPartner, changed: int) -> Partner:
    if before is not None:
        raise ControlRefused("the partner exists already")
    if _NAME.fullmatch(action.partner) is None or action.partner == SERVICE_PARTNER:
        raise ControlRefused(
            "a partner's id is 1 to 63 lower-case letters, digits and inner hyphens, and not "
            f"{SERVICE_PARTNER!r}"
        )
    if not 1 <= len(action.name) <= 120 or not action.name.isprintable():
        raise ControlRefused("a partner's name is 1 to 120 printable characters")
    return Partner(
        partner=action.partner,
        name=action.name,
        kind=action.kind,
        suspended=False,
        keys={},
        agreement=None,
        changed=changed,
    )


def _check_key(partner: Partner, key: PartnerKey) -> None:
    if _KEY_ID.fullmatch(key.key_id) is None:
        raise ControlRefused("a key id is 1 to 64 letters, digits, '_', '.' and '-'")
    if key.key_id in partner.keys:
        raise ControlRefused("the partner has a key of this id already")
    if sum(not held.revoked for held in partner.keys.values()) >= KEYS_MAX:
        raise ControlRefused(f"a partner can have {KEYS_MAX} keys in use: revoke one")
    if len(partner.keys) >= KEYS_ON_RECORD_MAX:
        raise ControlRefused(f"a partner can have {KEYS_ON_RECORD_MAX} keys on record")
    if key.algorithm not in _JWK_FORMS:
        raise ControlRefused("a key's algorithm is ES256 or EdDSA")
    if key.revoked:
        raise ControlRefused("a key is registered to be used, not as revoked")
    if not _is_public_jwk(key.jwk, key.algorithm):
        raise ControlRefused(f"the key is not a public JWK of {key.algorithm}")


def _is_public_jwk(text: str, algorithm: str) -> bool:
    """Tell whether a text is a public key's JWK: no member is taken that could be a secret."""
    if len(text) > _JWK_CHARACTERS_MAX:
        return False
    try:
        jwk = orjson.loads(text)
    except ValueError:
        return False
    named, coordinates = _JWK_FORMS[algorithm]
    needed = {*named, *coordinates}
    return (
        isinstance(jwk, dict)
        and needed <= jwk.keys() <= {*needed, "alg", "kid", "use"}
        and all(jwk[name] == value for name, value in named.items())
        and jwk.get("alg", algorithm) == algorithm
        and jwk.get("use", "sig") == "sig"
        and isinstance(jwk.get("kid", ""), str)
        and all(
            isinstance(jwk[name], str) and _COORDINATE.fullmatch(jwk[name]) for name in coordinates
        )
    )


def _check_agreement(partner: Partner, agreement: Agreement) -> None:
    for found, known, what in (
        (agreement.purposes, PURPOSES, "purpose"),
        (agreement.methods, PERSON_METHODS, "method"),
        (agreement.verify_elements, VERIFY_ELEMENTS, "element to verify"),
        (agreement.lookup_elements, LOOKUP_ELEMENTS, "element to look up"),
    ):
        unknown = found - set(known)
        if unknown:
            raise ControlRefused(f"unknown {what}: {', '.join(sorted(unknown))}")
    if not agreement.purposes or not agreement.methods:
        raise ControlRefused("an agreement grants at least one purpose and one method")
    if partner.kind is PartnerKind.PRIVATE and (
        "LOOKUP" in agreement.methods or agreement.lookup_elements
    ):
        raise ControlRefused("private users get match or no match only: no lookup")
    if agreement.valid_until < agreement.valid_from:
        raise ControlRefused("the agreement ends before it starts")
    for budget in (agreement.budget_day, agreement.budget_month):
        if budget is not None and not 0 <= budget <= AMOUNT_MAX:
            raise ControlRefused(f"a budget is 0 to {AMOUNT_MAX}")
    if not 0 <= agreement.price_rupiah <= AMOUNT_MAX:
        raise ControlRefused(f"a price is 0 to {AMOUNT_MAX}")
