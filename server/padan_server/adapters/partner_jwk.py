"""Partners' public keys as they hand them in: a JWK (RFC 7517); its public part is kept."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import jwt

from padan_server.domain.agreement import PartnerKey

_ALGORITHMS = {("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
_PUBLIC = ("crv", "kty", "x", "y")


class JwkInvalid(ValueError):
    """The text is no public key that can be registered. The message says why, without the text."""


def partner_key(text: str, *, key_id: str = "") -> PartnerKey:
    """Read a JWK. Its id is the one given, else the JWK's `kid`, else its RFC 7638 thumbprint.

    Raises JwkInvalid, also for a JWK that holds a private key.
    """
    try:
        document = json.loads(text)
        jwt.PyJWK(document)
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
        raise JwkInvalid("it is not a JWK of a public key") from error
    if "d" in document or "k" in document:
        raise JwkInvalid("it holds a private key: register the public part only")
    algorithm = _ALGORITHMS.get((document.get("kty"), document.get("crv")))
    if algorithm is None:
        raise JwkInvalid("its type is not accepted: use EC P-256 or Ed25519")
    public = {name: document[name] for name in _PUBLIC if name in document}
    named = key_id or document.get("kid") or _thumbprint(public)
    return PartnerKey(key_id=named, algorithm=algorithm, jwk=json.dumps(public))


def _thumbprint(public: dict[str, str]) -> str:
    text = json.dumps(public, separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
