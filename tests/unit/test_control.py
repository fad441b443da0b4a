"""Control actions: the state before and an action give the state after."""

from __future__ import annotations

import json
from datetime import date

import msgspec
import pytest

from padan_server.domain.agreement import PURPOSES, Agreement, Partner, PartnerKind
from padan_server.domain.control import (
    KEYS_MAX,
    KEYS_ON_RECORD_MAX,
    Action,
    AddAgreement,
    AddKey,
    AddPartner,
    ControlRefused,
    Resume,
    RevokeKey,
    Suspend,
    apply,
)
from tests.support.builders import agreement, partner, public_key, signing_key

KEY = public_key("key-2", signing_key())
BEFORE = partner(partner="bank-a", kind=PartnerKind.PRIVATE, agreement=None)


def adding(partner: str = "bank-a", name: str = "Bank A") -> AddPartner:
    return AddPartner(partner=partner, name=name, kind=PartnerKind.PRIVATE)


def agreeing(**changes: object) -> AddAgreement:
    return AddAgreement(partner="bank-a", agreement=verifying(**changes))


def verifying(**changes: object) -> Agreement:
    private = {"methods": frozenset({"VERIFY"}), "lookup_elements": frozenset[str]()}
    return agreement(**(private | changes))


def test_a_partner_is_added_without_keys_and_without_an_agreement() -> None:
    after, recorded = apply(None, adding(), changed=5)
    assert after == Partner(
        partner="bank-a",
        name="Bank A",
        kind=PartnerKind.PRIVATE,
        suspended=False,
        keys={},
        agreement=None,
        changed=5,
    )
    assert recorded == adding()


def test_a_key_is_added_beside_the_others() -> None:
    after, _ = apply(BEFORE, AddKey(partner="bank-a", key=KEY), changed=6)
    assert after.keys == BEFORE.keys | {"key-2": KEY}
    assert after.changed == 6
    assert "key-2" not in BEFORE.keys


def test_a_revoked_key_stays_on_record_as_revoked() -> None:
    after, _ = apply(BEFORE, RevokeKey(partner="bank-a", key_id="key-1"), changed=6)
    assert after.keys.keys() == {"key-1"}
    assert after.keys["key-1"].revoked
    assert not BEFORE.keys["key-1"].revoked


def test_an_agreement_gets_the_next_version_whatever_the_action_says() -> None:
    first, recorded = apply(BEFORE, agreeing(version=99), changed=6)
    second, _ = apply(first, agreeing(version=1), changed=7)
    assert first.agreement == verifying(version=1)
    assert recorded == agreeing(version=1)
    assert second.agreement == verifying(version=2)
    assert second.changed == 7


def test_a_suspension_is_lifted_by_resuming() -> None:
    suspended, _ = apply(BEFORE, Suspend(partner="bank-a"), changed=6)
    resumed, _ = apply(suspended, Resume(partner="bank-a"), changed=7)
    assert suspended.suspended
    assert resumed == msgspec.structs.replace(BEFORE, changed=7)


@pytest.mark.parametrize("name", ["a", "0", "bank-a", "b" * 63, "a-0-b"])
def test_a_partners_id_is_lower_case_letters_digits_and_inner_hyphens(name: str) -> None:
    assert apply(None, adding(name), changed=1)[0].partner == name


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "Bank", "bank a", "bank_a", "bank.a", "b" * 64, "bänk", "a\n", 'a"b', "padan"],
)
def test_another_id_or_the_services_own_is_refused(name: str) -> None:
    with pytest.raises(ControlRefused):
        apply(None, adding(name), changed=1)


@pytest.mark.parametrize("name", ["", "x" * 121, "two\nlines", "bell\a", "\u202egnorw"])
def test_a_partners_name_is_printable_and_not_long(name: str) -> None:
    with pytest.raises(ControlRefused):
        apply(None, adding(name=name), changed=1)


@pytest.mark.parametrize(
    "action",
    [
        AddKey(partner="bank-a", key=KEY),
        RevokeKey(partner="bank-a", key_id="key-1"),
        agreeing(),
        Suspend(partner="bank-a"),
        Resume(partner="bank-a"),
    ],
    ids=lambda action: type(action).__name__,
)
def test_nothing_can_be_done_to_a_partner_who_is_not_there(action: Action) -> None:
    with pytest.raises(ControlRefused, match="no such partner"):
        apply(None, action, changed=1)


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (adding(), "exists already"),
        (AddKey(partner="bank-a", key=public_key("key-1", signing_key())), "this id already"),
        (AddKey(partner="bank-a", key=public_key("", signing_key())), "key id"),
        (AddKey(partner="bank-a", key=public_key("k" * 65, signing_key())), "key id"),
        (AddKey(partner="bank-a", key=public_key('k"', signing_key())), "key id"),
        (AddKey(partner="bank-a", key=public_key("k\n", signing_key())), "key id"),
        (
            AddKey(partner="bank-a", key=public_key("k", signing_key(), algorithm="HS256")),
            "algorithm",
        ),
        (
            AddKey(partner="bank-a", key=public_key("k", signing_key(), algorithm="none")),
            "algorithm",
        ),
        (
            AddKey(partner="bank-a", key=public_key("k", signing_key(), revoked=True)),
            "not as revoked",
        ),
        (RevokeKey(partner="bank-a", key_id="key-9"), "no such key"),
        (Resume(partner="bank-a"), "not suspended"),
        (agreeing(purposes=frozenset({"CURIOSITY"})), "unknown purpose: CURIOSITY"),
        (agreeing(methods=frozenset({"DELETE"})), "unknown method: DELETE"),
        (agreeing(verify_elements=frozenset({"religion"})), "element to verify: religion"),
        (agreeing(lookup_elements=frozenset({"fingerprint"})), "look up: fingerprint"),
        (agreeing(purposes=frozenset[str]()), "at least one"),
        (agreeing(methods=frozenset[str]()), "at least one"),
        (agreeing(methods=frozenset({"VERIFY", "LOOKUP"})), "no lookup"),
        (agreeing(lookup_elements=frozenset({"full_name"})), "no lookup"),
        (agreeing(valid_from=date(2026, 2, 1), valid_until=date(2026, 1, 31)), "ends before"),
        (agreeing(budget_day=-1), "budget"),
        (agreeing(budget_month=-1), "budget"),
        (agreeing(price_rupiah=-1), "price"),
    ],
)
def test_an_action_that_does_not_fit_is_refused_and_says_why(action: Action, why: str) -> None:
    with pytest.raises(ControlRefused, match=why):
        apply(BEFORE, action, changed=9)


def test_a_suspended_partner_cannot_be_suspended_again() -> None:
    with pytest.raises(ControlRefused, match="suspended already"):
        apply(partner(suspended=True), Suspend(partner="agency-a"), changed=9)


def test_a_partner_has_room_for_so_many_keys_and_no_more() -> None:
    state = partner(keys={})
    for number in range(KEYS_MAX):
        key = public_key(f"key-{number}", signing_key())
        state, _ = apply(state, AddKey(partner="agency-a", key=key), changed=number)
    assert len(state.keys) == KEYS_MAX
    more = AddKey(partner="agency-a", key=public_key("more", signing_key()))
    with pytest.raises(ControlRefused, match="keys in use"):
        apply(state, more, changed=9)
    state, _ = apply(state, RevokeKey(partner="agency-a", key_id="key-0"), changed=9)
    state, _ = apply(state, more, changed=10)
    assert len(state.keys) == KEYS_MAX + 1


def test_keys_can_be_rotated_often_but_not_without_end() -> None:
    state = partner(keys={})
    for number in range(KEYS_ON_RECORD_MAX):
        key_id = f"key-{number}"
        add = AddKey(partner="agency-a", key=public_key(key_id, signing_key()))
        state, _ = apply(state, add, changed=number)
        state, _ = apply(state, RevokeKey(partner="agency-a", key_id=key_id), changed=number)
    with pytest.raises(ControlRefused, match="keys on record"):
        apply(state, AddKey(partner="agency-a", key=public_key("more", signing_key())), changed=9)


def jwk(algorithm: str, **changes: object) -> str:
    """Give a public JWK with these changes; a member that is None is left out."""
    ordinary = json.loads(public_key("", signing_key(algorithm)).jwk)
    members = (ordinary | changes).items()
    return json.dumps({name: value for name, value in members if value is not None})


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_key_of_either_algorithm_is_taken(algorithm: str) -> None:
    key = public_key("key-2", signing_key(algorithm))
    after, _ = apply(BEFORE, AddKey(partner="bank-a", key=key), changed=6)
    assert after.keys["key-2"] == key


def test_a_key_may_say_its_id_and_its_use() -> None:
    text = jwk("EdDSA", kid="thumbprint", alg="EdDSA", use="sig")
    key = public_key("key-2", signing_key(), jwk=text)
    assert apply(BEFORE, AddKey(partner="bank-a", key=key), changed=6)[0].keys["key-2"] == key


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        ("EdDSA", ""),
        ("EdDSA", "{"),
        ("EdDSA", "[]"),
        ("EdDSA", '"x"'),
        ("EdDSA", "{}"),
        ("EdDSA", "null"),
        ("EdDSA", jwk("ES256")),
        ("ES256", jwk("EdDSA")),
        ("EdDSA", jwk("EdDSA", kty="EC")),
        ("EdDSA", jwk("EdDSA", crv="Ed448")),
        ("EdDSA", jwk("EdDSA", crv=["Ed25519"])),
        ("EdDSA", jwk("EdDSA", x=None)),
        ("EdDSA", jwk("EdDSA", x=7)),
        ("EdDSA", jwk("EdDSA", x="")),
        ("EdDSA", jwk("EdDSA", x="A" * 42)),
        ("EdDSA", jwk("EdDSA", x="A" * 44)),
        ("EdDSA", jwk("EdDSA", x="A" * 42 + "=")),
        ("EdDSA", jwk("EdDSA", x="A" * 42 + "\u00e9")),
        ("ES256", jwk("ES256", y=None)),
        ("ES256", jwk("ES256", crv="P-384")),
        ("ES256", jwk("ES256", crv="secp256k1")),
        ("EdDSA", jwk("EdDSA", d="A" * 43)),
        ("ES256", jwk("ES256", d="A" * 43)),
        ("EdDSA", jwk("EdDSA", k="A" * 43)),
        ("EdDSA", jwk("EdDSA", kid=2)),
        ("EdDSA", jwk("EdDSA", alg="ES256")),
        ("EdDSA", jwk("EdDSA", use="enc")),
        ("EdDSA", jwk("EdDSA", more="A")),
        ("EdDSA", jwk("EdDSA") + " " * 512),
        ("EdDSA", "[" * 500),
    ],
)
def test_what_is_no_public_key_of_its_algorithm_is_refused(algorithm: str, text: str) -> None:
    key = public_key("key-2", signing_key(algorithm), jwk=text)
    with pytest.raises(ControlRefused, match="public JWK"):
        apply(BEFORE, AddKey(partner="bank-a", key=key), changed=9)


def test_an_agreement_may_last_one_day_cost_nothing_and_have_no_budget() -> None:
    day = date(2026, 2, 1)
    free = agreeing(
        valid_from=day, valid_until=day, price_rupiah=0, budget_day=0, budget_month=None
    )
    assert apply(BEFORE, free, changed=9)[0].agreement is not None


def test_a_government_partner_may_be_granted_everything() -> None:
    action = AddAgreement(partner="agency-a", agreement=agreement(purposes=frozenset(PURPOSES)))
    assert apply(partner(), action, changed=9)[0].agreement == agreement(version=4)
