"""Partner keys: reading and making private keys, and their public form for registration.

ES256 (EC P-256) and EdDSA (Ed25519) are the kinds that the service accepts.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey
KeySource = PrivateKey | PathLike[str] | str | bytes | Mapping[str, Any]
"""A key object, the path of a PEM or JWK file, the text of either, or a JWK."""


class KeyKind(StrEnum):
    """The kinds of key, named by their JWS algorithm."""

    EDDSA = "EdDSA"
    ES256 = "ES256"


class PartnerKey:
    """A partner's identity: its id, and one of its registered keys.

    `private_key` is an Ed25519 or EC P-256 key: a `cryptography` object, a path (`pathlib.Path`)
    to a PEM or JWK file, PEM or JWK text, or a JWK mapping. `key_id` is the `kid` under which the
    public key is registered; left out, it is the key's RFC 7638 thumbprint, which is also what
    `padan key new` registers. Raises OSError if the file cannot be read, ValueError if it holds
    no such key.
    """

    __slots__ = ("algorithm", "key_id", "partner", "private_key")

    def __init__(self, partner: str, key_id: str | None = None, *, private_key: KeySource) -> None:
        if not partner:
            raise ValueError("the partner's id is empty")
        self.partner = partner
        self.private_key = read_private_key(private_key)
        self.algorithm = kind_of(self.private_key)
        self.key_id = key_id or thumbprint(self.private_key)

    def __repr__(self) -> str:
        return f"PartnerKey(partner={self.partner!r}, key_id={self.key_id!r})"


def read_private_key(source: KeySource) -> PrivateKey:
    """Read a private key. Raises OSError or ValueError; their texts hold no key material."""
    match source:
        case EllipticCurvePrivateKey() | Ed25519PrivateKey():
            key: object = source
        case PathLike():
            return read_private_key(Path(source).read_bytes())
        case Mapping():
            key = _from_jwk(source)
        case str():
            return read_private_key(source.encode())
        case bytes() if source.lstrip().startswith(b"{"):
            key = _from_jwk_text(source)
        case bytes():
            key = _from_pem(source)
    if not isinstance(key, EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise ValueError("the key is not a private Ed25519 or EC P-256 key")
    kind_of(key)
    return key


def _from_pem(text: bytes) -> object:
    try:
        return load_pem_private_key(text, password=None)
    except TypeError:
        raise ValueError(
            "the key is encrypted: decrypt it, and pass the key object or its PEM"
        ) from None
    except ValueError:
        raise ValueError("the key is neither PEM nor a JWK") from None


def _from_jwk_text(text: bytes) -> object:
    try:
        jwk = json.loads(text)
    except ValueError:
        raise ValueError("the key is neither PEM nor a JWK") from None
    return _from_jwk(jwk)


def _from_jwk(jwk: Mapping[str, Any]) -> object:
    try:
        return jwt.PyJWK.from_dict(dict(jwk)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise ValueError("the JWK is not a private Ed25519 or EC P-256 key") from None


def kind_of(key: PrivateKey) -> KeyKind:
    """Tell the algorithm that a key signs with. Raises ValueError for another curve than P-256."""
    if isinstance(key, Ed25519PrivateKey):
        return KeyKind.EDDSA
    if not isinstance(key.curve, SECP256R1):
        raise ValueError("the EC key is not on the curve P-256")
    return KeyKind.ES256


def new_private_key(kind: KeyKind) -> PrivateKey:
    """Make a private key."""
    if kind is KeyKind.EDDSA:
        return Ed25519PrivateKey.generate()
    return generate_private_key(SECP256R1())


def private_pem(key: PrivateKey) -> bytes:
    """Write a private key as PEM (PKCS #8), not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_jwk(key: PrivateKey, *, key_id: str | None = None) -> dict[str, str]:
    """Give the public half as a JWK to register, its `kid` the thumbprint unless one is given."""
    return {
        **_public_members(key),
        "kid": key_id or thumbprint(key),
        "alg": kind_of(key).value,
        "use": "sig",
    }


def thumbprint(key: PrivateKey) -> str:
    """Give the RFC 7638 SHA-256 thumbprint of the public key."""
    canonical = json.dumps(_public_members(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _public_members(key: PrivateKey) -> dict[str, str]:
    public = key.public_key()
    if isinstance(key, Ed25519PrivateKey):
        raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    # 0x04, then x and y of 32 bytes each.
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": _base64url(point[1:33]),
        "y": _base64url(point[33:]),
    }


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
