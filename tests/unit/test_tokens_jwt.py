"""Tokens under attack: what is accepted, what is refused, and what is not even looked at."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from padan_server.adapters import tokens_jwt
from padan_server.adapters.tokens_jwt import (
    FAILURES_PER_MINUTE_MAX,
    LEEWAY_SECONDS,
    TOKEN_BYTES_MAX,
    JwtTokens,
)
from padan_server.domain.agreement import Partner, PartnerKey
from padan_server.domain.caller import Caller
from padan_server.domain.refusal import Reason, Refusal
from tests.support.builders import (
    ABSENT,
    LOG,
    NOW,
    Clock,
    SigningKey,
    partner,
    policy,
    public_key,
    signing_key,
    token,
)

START = int(NOW)
OWN, OWN_EC = signing_key("EdDSA"), signing_key("ES256")
OTHERS, STRANGERS = signing_key("EdDSA", 2), signing_key("EdDSA", 3)


def off_the_curve() -> str:
    jwk = json.loads(public_key("", OWN_EC).jwk)
    return json.dumps(jwk | {"y": jwk["x"]})


PARTNERS = (
    partner(
        keys={
            "key-1": public_key("key-1", OWN),
            "key-ec": public_key("key-ec", OWN_EC),
            "key-old": public_key("key-old", OWN, revoked=True),
            "key-off": public_key("key-off", OWN_EC, jwk=off_the_curve()),
            "key-mixed": PartnerKey("key-mixed", "ES256", public_key("", OWN).jwk),
        }
    ),
    partner(
        partner="bank-b",
        keys={"key-1": public_key("key-1", OTHERS), "key-b": public_key("key-b", OTHERS)},
    ),
)


class CountingPolicy:
    """Counts how often a key is asked for: no signature is verified before that."""

    def __init__(self) -> None:
        self.asked = 0
        self._told = policy(*PARTNERS)

    @property
    def log(self) -> str:
        return LOG

    def partner(self, partner: str) -> Partner | None:
        self.asked += 1
        return self._told.partner(partner)


class Door:
    """Tokens at a fixed time, and a policy that counts."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.policy = CountingPolicy()
        self.tokens = JwtTokens(policy=self.policy, audience="padan", clock=self.clock)

    def enter(self, token: str, *, peer: str = "10.1.2.3") -> Caller:
        return self.tokens.authenticate(f"Bearer {token}", peer)

    def refuse(self, authorization: str, *, peer: str = "10.1.2.3") -> Refusal:
        with pytest.raises(Refusal) as refused:
            self.tokens.authenticate(authorization, peer)
        return refused.value


@pytest.fixture
def door() -> Door:
    return Door()


def base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: object) -> str:
    return base64(value if isinstance(value, bytes) else json.dumps(value).encode())


def claims(**changes: Any) -> dict[str, Any]:
    ordinary = {
        "iss": "agency-a",
        "aud": "padan",
        "iat": START,
        "exp": START + 300,
        "jti": "token-1",
    }
    return ordinary | changes


def unsigned(header: object, payload: object, signature: bytes = b"") -> str:
    return f"{part(header)}.{part(payload)}.{base64(signature)}"


def signed_raw(payload: bytes, key: SigningKey = OWN) -> str:
    """Sign a payload as it stands, which an encoder would not write."""
    return jwt.PyJWS().encode(payload, key, "EdDSA", {"kid": "key-1"})


def signed(**changes: Any) -> str:
    """Sign claims of types that an encoder would refuse."""
    return signed_raw(json.dumps(claims(**changes)).encode())


def with_hmac(secret: bytes, **header: str) -> str:
    """Sign with HS256 under what everybody knows."""
    message = f"{part({'alg': 'HS256', 'kid': 'key-1'} | header)}.{part(claims())}"
    signature = hmac.digest(secret, message.encode(), hashlib.sha256)
    return f"{message}.{base64(signature)}"


def tampered(**changes: Any) -> str:
    header, payload, signature = token().split(".")
    read = json.loads(urlsafe_b64decode(payload + "=="))
    return f"{header}.{part(read | changes)}.{signature}"


PEM = OWN.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
RAW = urlsafe_b64decode(json.loads(public_key("", OWN).jwk)["x"] + "=")
DEEP = b'{"a":' + b"[" * 1500 + b"]" * 1500 + b"}"
HUGE = 10**400

INVALID, EXPIRED = Reason.TOKEN_INVALID, Reason.TOKEN_EXPIRED
UNKNOWN, LIFETIME = Reason.KEY_UNKNOWN, Reason.TOKEN_LIFETIME

ATTACKS: list[tuple[str, str, Reason]] = [
    ("expired a second ago", token(exp=START - 1), EXPIRED),
    ("expires now", token(exp=START), EXPIRED),
    ("expired long ago", token(iat=START - 9000, exp=START - 8700), EXPIRED),
    ("not yet issued", token(iat=START + 60, exp=START + 120), EXPIRED),
    ("not yet valid (nbf)", token(nbf=START + 120), EXPIRED),
    ("valid for two hours", token(exp=START + 7200), LIFETIME),
    ("valid for a second too long", token(exp=START + 601), LIFETIME),
    ("backdated to live for long", token(iat=START - 7000, exp=START + 200), LIFETIME),
    ("another audience", token(aud="bank-b"), INVALID),
    ("an audience that begins like ours", token(aud="padan.example"), INVALID),
    ("no audience", token(aud=ABSENT), INVALID),
    ("an empty audience", token(aud=""), INVALID),
    ("a list of other audiences", token(aud=["bank-b", "bank-c"]), INVALID),
    ("an empty list of audiences", token(aud=[]), INVALID),
    ("a list with what is no audience", token(aud=["padan", 1]), INVALID),
    ("an object as audience", token(aud={"padan": 1}), INVALID),
    ("no iss", token(iss=ABSENT), INVALID),
    ("no jti", token(jti=ABSENT), INVALID),
    ("no iat", token(iat=ABSENT), INVALID),
    ("no exp", token(exp=ABSENT), INVALID),
    ("a jti of another type", signed(jti=7), INVALID),
    ("an iss of another type", signed(iss=["agency-a"]), INVALID),
    ("an iss that is null", signed(iss=None), INVALID),
    ("an iat of text", signed(iat=str(START)), INVALID),
    ("an exp that is true", signed(exp=True), INVALID),
    ("an iat that is no number", signed(iat=float("nan")), INVALID),
    ("times without an end", signed(iat=float("inf"), exp=float("inf")), INVALID),
    ("an exp beyond all numbers", signed(exp=HUGE), INVALID),
    ("an exp beyond all fractions", signed(iat=NOW + 0.5, exp=HUGE), INVALID),
    ("an iat before all fractions", signed(iat=-HUGE, exp=NOW + 0.5), INVALID),
    ("an iat before the epoch", signed(iat=-1), INVALID),
    ("an exp after the year 9999", signed(exp=tokens_jwt.TIME_MAX), INVALID),
    ("an nbf of text", signed(nbf=str(START)), INVALID),
    ("an nbf of null", signed(nbf=None), INVALID),
    ("an nbf that is no number", signed(nbf=float("nan")), INVALID),
    ("no kid", token(headers={"kid": ABSENT}), INVALID),
    ("a kid of another type", unsigned({"alg": "EdDSA", "kid": 1}, claims()), INVALID),
    ("a kid of null", unsigned({"alg": "EdDSA", "kid": None}, claims()), INVALID),
    ("an unknown kid", token(headers={"kid": "key-9"}), UNKNOWN),
    ("an unknown partner", token(iss="nobody"), UNKNOWN),
    ("a revoked key", token(headers={"kid": "key-old"}), UNKNOWN),
    ("another partner's kid", token(headers={"kid": "key-b"}), UNKNOWN),
    ("another partner's kid, and its key", token(OTHERS, headers={"kid": "key-b"}), UNKNOWN),
    ("another partner, by our own key of the same kid", token(iss="bank-b"), INVALID),
    ("our own name, by another partner's key of the same kid", token(OTHERS), INVALID),
    ("our own name, by nobody's key", token(STRANGERS), INVALID),
    ("the other algorithm for this kid", token(OWN_EC), UNKNOWN),
    (
        "a key registered under the wrong algorithm",
        token(OWN, headers={"kid": "key-mixed"}),
        UNKNOWN,
    ),
    ("a key that is no point of its curve", token(OWN_EC, headers={"kid": "key-off"}), INVALID),
    ("a key of the wrong type", token(OWN_EC, headers={"kid": "key-mixed"}), INVALID),
    ("alg none", unsigned({"alg": "none", "kid": "key-1"}, claims()), INVALID),
    ("alg None", unsigned({"alg": "None", "kid": "key-1"}, claims()), INVALID),
    (
        "alg nOnE with a signature",
        unsigned({"alg": "nOnE", "kid": "key-1"}, claims(), b"s"),
        INVALID,
    ),
    ("no alg", unsigned({"kid": "key-1"}, claims()), INVALID),
    ("alg null", unsigned({"alg": None, "kid": "key-1"}, claims()), INVALID),
    ("a list of algs", unsigned({"alg": ["EdDSA"], "kid": "key-1"}, claims()), INVALID),
    ("no signature", unsigned({"alg": "EdDSA", "kid": "key-1"}, claims()), INVALID),
    (
        "a signature of zeros",
        unsigned({"alg": "EdDSA", "kid": "key-1"}, claims(), bytes(64)),
        INVALID,
    ),
    (
        "zeros as ECDSA signature",
        unsigned({"alg": "ES256", "kid": "key-ec"}, claims(), bytes(64)),
        INVALID,
    ),
    ("HS256 by the public key's PEM", with_hmac(PEM), INVALID),
    ("HS256 by the public key's bytes", with_hmac(RAW), INVALID),
    ("HS256 by the public JWK", with_hmac(public_key("", OWN).jwk.encode()), INVALID),
    ("HS256 said to be EdDSA", with_hmac(PEM, alg="EdDSA"), INVALID),
    ("HS256 by no key", with_hmac(b""), INVALID),
    ("a key of its own in the header", token(STRANGERS, headers={"jwk": {"kty": "OKP"}}), INVALID),
    (
        "a key's address in the header",
        token(STRANGERS, headers={"jku": "file:///dev/zero"}),
        INVALID,
    ),
    ("a critical extension", token(headers={"crit": ["padan"], "padan": 1}), INVALID),
    ("a detached payload", token(headers={"b64": False, "crit": ["b64"]}), INVALID),
    ("a later exp under the old signature", tampered(exp=START + 500), INVALID),
    ("another jti under the old signature", tampered(jti="token-2"), INVALID),
    ("another iss under the old signature", tampered(iss="bank-b"), INVALID),
    ("one character of the signature changed", token()[:-10] + "AAAAA" + token()[-5:], INVALID),
    ("the signature cut", token()[:-8], INVALID),
    ("two parts", ".".join(token().split(".")[:2]), INVALID),
    ("four parts", token() + ".AAAA", INVALID),
    ("dots", "...", INVALID),
    ("garbage", "garbage", INVALID),
    ("garbage in three parts", "AAAA.AAAA.AAAA", INVALID),
    ("no base64", "\u00e9.\u00e9.\u00e9", INVALID),
    ("half a surrogate pair", "a.b.\ud800", INVALID),
    ("a NUL", token() + "\0", INVALID),
    ("a space", " " + token(), INVALID),
    ("a JSON array as payload", signed_raw(b"[]"), INVALID),
    ("a number as payload", signed_raw(b"7"), INVALID),
    ("no JSON as payload", signed_raw(b"{"), INVALID),
    ("bytes that are not UTF-8", signed_raw(b'{"iss":"\xff"}'), INVALID),
    ("a deep payload", signed_raw(DEEP), INVALID),
    ("a deep header", f"{part(DEEP)}.{part(claims())}.AAAA", INVALID),
    ("a number of 3,000 digits", signed_raw(b'{"exp":' + b"9" * 3000 + b"}"), INVALID),
    ("a number of 2,900 digits", signed_raw(b'{"iat":1,"exp":' + b"9" * 2900 + b"}"), INVALID),
    ("a token within a token", signed_raw(part(token()).encode()), INVALID),
    ("one byte too long", "A" * (TOKEN_BYTES_MAX + 1), INVALID),
    ("far too long, but signed", token(padding="A" * 10_000), INVALID),
    ("nothing", "", INVALID),
]


@pytest.mark.parametrize(
    ("attack", "reason"),
    [(attack, reason) for _, attack, reason in ATTACKS],
    ids=[name for name, _, _ in ATTACKS],
)
def test_an_attack_is_refused_and_told_nothing_of_its_token(
    door: Door, attack: str, reason: Reason
) -> None:
    refusal = door.refuse(f"Bearer {attack}")
    assert refusal.reason is reason
    told = refusal.text + str(refusal)
    for text in ("agency-a", "bank-b", "key-", "token-1", *filter(None, attack.split("."))):
        assert len(text) < 4 or text not in told


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("", Reason.TOKEN_MISSING),
        ("Bearer", INVALID),
        ("Bearer ", INVALID),
        (token(), INVALID),
        (f"Basic {token()}", INVALID),
        (f"DPoP {token()}", INVALID),
        (f"Bearer\t{token()}", INVALID),
    ],
)
def test_another_scheme_or_none_is_refused(door: Door, authorization: str, reason: Reason) -> None:
    assert door.refuse(authorization).reason is reason


@pytest.mark.parametrize(("key", "key_id"), [(OWN, "key-1"), (OWN_EC, "key-ec")])
@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_token_of_the_registered_key_tells_who_calls(
    door: Door, key: SigningKey, key_id: str, scheme: str
) -> None:
    presented = f"{scheme} {token(key, headers={'kid': key_id})}"
    caller = door.tokens.authenticate(presented, "10.1.2.3")
    assert caller == Caller("agency-a", key_id, START + 300)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", "padan"]},
        {"exp": START + 600},
        {"iat": START + LEEWAY_SECONDS, "exp": START + 120},
        {"iat": START - 500, "exp": START + 1},
        {"iat": NOW + 0.25, "exp": NOW + 60.5},
        {"nbf": START - 10},
        {"nbf": START + LEEWAY_SECONDS},
        {"more": "claims"},
    ],
)
def test_a_token_at_the_edge_of_the_rules_is_accepted(door: Door, changes: dict[str, Any]) -> None:
    assert door.enter(token(**changes)).partner == "agency-a"


def test_a_time_before_which_a_token_does_not_hold_is_judged_by_our_clock() -> None:
    """2033: what the machine's own clock says does not matter."""
    later = Door()
    later.clock.now = 2_000_000_000.0
    presented = token(iat=2_000_000_000, exp=2_000_000_300, nbf=1_999_999_990)
    assert later.enter(presented).partner == "agency-a"


def test_a_verified_token_is_kept_until_it_expires(door: Door) -> None:
    presented = token()
    first = door.enter(presented)
    asked = door.policy.asked
    door.clock.now = START + 299.9
    assert door.enter(presented) == first
    assert door.policy.asked == asked
    door.clock.now = START + 300
    assert door.refuse(f"Bearer {presented}").reason is EXPIRED


def test_a_refused_token_is_not_kept(door: Door) -> None:
    early = token(iat=START + 60, exp=START + 120)
    assert door.refuse(f"Bearer {early}").reason is EXPIRED
    door.clock.now += 60
    assert door.enter(early).partner == "agency-a"


def test_the_tokens_kept_are_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_jwt, "CACHE_MAX", 2)
    presented = [token(jti=f"token-{number}") for number in range(3)]
    for one in presented:
        door.enter(one)
    asked = door.policy.asked
    door.enter(presented[2])
    door.enter(presented[1])
    assert door.policy.asked == asked
    door.enter(presented[0])
    assert door.policy.asked == asked + 1


def failed(door: Door, times: int, *, peer: str = "10.1.2.3") -> None:
    for _ in range(times):
        assert door.refuse("Bearer garbage", peer=peer).reason is INVALID


def test_after_thirty_failures_no_token_of_the_address_is_looked_at(door: Door) -> None:
    failed(door, FAILURES_PER_MINUTE_MAX)
    refusal = door.refuse(f"Bearer {token()}")
    assert refusal.reason is Reason.TOO_MANY_FAILURES
    assert refusal.retry_after_seconds == 60 - NOW % 60
    assert door.policy.asked == 0


def test_thirty_wrong_signatures_are_verified_and_no_more(door: Door) -> None:
    for number in range(FAILURES_PER_MINUTE_MAX + 20):
        door.refuse(f"Bearer {token(STRANGERS, jti=str(number))}")
    assert door.policy.asked == FAILURES_PER_MINUTE_MAX


@pytest.mark.parametrize("what", ["garbage", "", token(exp=START - 1), token(iss="nobody")])
def test_every_kind_of_failure_counts(door: Door, what: str) -> None:
    for _ in range(FAILURES_PER_MINUTE_MAX):
        door.refuse(f"Bearer {what}")
    assert door.refuse(f"Bearer {token()}").reason is Reason.TOO_MANY_FAILURES


def test_a_call_without_a_token_counts_as_a_failure(door: Door) -> None:
    for _ in range(FAILURES_PER_MINUTE_MAX):
        door.refuse("")
    assert door.refuse(f"Bearer {token()}").reason is Reason.TOO_MANY_FAILURES


def test_an_attack_that_breaks_the_arithmetic_counts_as_a_failure(door: Door) -> None:
    broken = signed(iat=NOW + 0.5, exp=HUGE)
    for _ in range(FAILURES_PER_MINUTE_MAX):
        door.refuse(f"Bearer {broken}")
    assert door.refuse(f"Bearer {token()}").reason is Reason.TOO_MANY_FAILURES


def test_whatever_a_parser_raises_is_the_tokens_fault_and_counts(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("agency-a")

    with monkeypatch.context() as patch:
        patch.setattr(jwt, "get_unverified_header", fail)
        for _ in range(FAILURES_PER_MINUTE_MAX):
            refusal = door.refuse(f"Bearer {token()}")
            assert refusal.reason is INVALID
            assert "agency-a" not in refusal.text
    assert door.refuse(f"Bearer {token()}").reason is Reason.TOO_MANY_FAILURES


def test_another_address_is_not_held_back(door: Door) -> None:
    failed(door, FAILURES_PER_MINUTE_MAX)
    assert door.enter(token(), peer="10.9.9.9").partner == "agency-a"


def test_a_token_verified_before_holds_for_an_address_that_fails(door: Door) -> None:
    presented = token()
    door.enter(presented)
    failed(door, FAILURES_PER_MINUTE_MAX)
    assert door.enter(presented).partner == "agency-a"


def test_the_next_minute_the_address_is_heard_again(door: Door) -> None:
    failed(door, FAILURES_PER_MINUTE_MAX)
    door.clock.now += 60 - NOW % 60
    assert door.enter(token()).partner == "agency-a"


def test_the_addresses_counted_are_bounded(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_jwt, "ADDRESSES_MAX", 2)
    for peer in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        failed(door, FAILURES_PER_MINUTE_MAX, peer=peer)
    assert door.refuse(f"Bearer {token()}", peer="10.0.0.3").reason is Reason.TOO_MANY_FAILURES
    assert door.enter(token(), peer="10.0.0.1").partner == "agency-a"


def test_a_fault_of_ours_is_not_counted_against_the_address() -> None:
    clock = Clock(0.0)
    stale = policy(*PARTNERS, monotonic=clock)
    tokens = JwtTokens(policy=stale, audience="padan", clock=Clock())
    clock.now = 2.0
    for _ in range(FAILURES_PER_MINUTE_MAX + 1):
        with pytest.raises(Refusal) as refused:
            tokens.authenticate(f"Bearer {token()}", "10.1.2.3")
        assert refused.value.reason is Reason.POLICY_UNAVAILABLE
