"""Keys and tokens of the SDK: what the service would accept, and what it must never see."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from padan_client import PartnerKey
from padan_client.keys import KeyKind, new_private_key, private_pem, public_jwk, thumbprint
from padan_client.tokens import LIFETIME_SECONDS, RENEWAL_SECONDS, TokenSource

NOW = 1_790_000_000.9

kinds = pytest.mark.parametrize("kind", list(KeyKind))


def partner_key(kind: KeyKind = KeyKind.EDDSA) -> PartnerKey:
    return PartnerKey("bank-a", "key-1", private_key=new_private_key(kind))


@kinds
def test_a_token_verifies_with_the_registered_public_key(kind: KeyKind) -> None:
    key = partner_key(kind)
    text = TokenSource(key, audience="padan", clock=lambda: NOW).token()
    registered = jwt.PyJWK.from_dict(public_jwk(key.private_key, key_id="key-1"))
    claims = jwt.decode(
        text,
        registered.key,
        algorithms=[kind.value],
        audience="padan",
        options={"verify_exp": False, "verify_iat": False},
    )
    header = jwt.get_unverified_header(text)
    assert (header["kid"], header["alg"]) == ("key-1", kind.value)
    assert claims.pop("jti")
    assert claims == {
        "iss": "bank-a",
        "aud": "padan",
        "iat": int(NOW),
        "exp": int(NOW) + LIFETIME_SECONDS,
    }


def test_a_token_is_kept_until_shortly_before_its_expiry() -> None:
    now = [NOW]
    tokens = TokenSource(partner_key(), audience="padan", clock=lambda: now[0])
    first = tokens.token()
    now[0] = int(NOW) + LIFETIME_SECONDS - RENEWAL_SECONDS - 0.1
    assert tokens.token() == first
    now[0] += 0.2
    assert tokens.token() != first


def test_a_token_from_the_future_is_replaced_when_the_clock_is_set_back() -> None:
    now = [NOW]
    tokens = TokenSource(partner_key(), audience="padan", clock=lambda: now[0])
    first = tokens.token()
    now[0] -= 3600
    assert tokens.token() != first


def test_threads_share_one_token() -> None:
    tokens = TokenSource(partner_key(), audience="padan", clock=lambda: NOW)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: tokens.token(), range(64)))) == 1


@kinds
def test_a_key_is_read_from_every_form(kind: KeyKind, tmp_path: Path) -> None:
    key = new_private_key(kind)
    pem = private_pem(key)
    algorithm = jwt.get_algorithm_by_name(kind.value)
    jwk = json.loads(algorithm.to_jwk(key))
    file = tmp_path / "key"
    file.write_bytes(pem)
    forms = [key, file, pem, pem.decode(), jwk, json.dumps(jwk)]
    assert {PartnerKey("bank-a", private_key=form).key_id for form in forms} == {thumbprint(key)}


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }
    key = PartnerKey("bank-a", private_key=jwk)
    assert key.key_id == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert "d" not in public_jwk(key.private_key)


def test_what_is_no_private_key_of_an_accepted_kind_is_refused() -> None:
    public = public_jwk(new_private_key(KeyKind.ES256))
    other_curve = ec.generate_private_key(ec.SECP384R1())
    encrypted = other_curve.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    other_kind = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    for bad in (public, other_curve, encrypted, other_kind, "nonsense", "{", "{}", b""):
        with pytest.raises(ValueError, match=r"key|JWK"):
            PartnerKey("bank-a", private_key=bad)


def test_no_repr_shows_the_private_key() -> None:
    key = partner_key()
    assert repr(key) == "PartnerKey(partner='bank-a', key_id='key-1')"
    assert not hasattr(key, "__dict__")
