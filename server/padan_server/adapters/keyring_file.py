"""Keys in files: a directory for workers, one for the notary. docs/keys.md lists every key.

Daily data keys are random, made by whichever worker needs one first, and kept wrapped under the
key-encrypting key: deleting such a file destroys what was sealed on that day, also for workers
that run.
"""

from __future__ import annotations

import hmac
import os
import secrets
from binascii import b2a_base64
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from padan_server.ports import Clock, Entropy

LOOK_SECONDS = 60.0
"""How often a worker looks whether the daily keys that it holds still exist as files."""

_NONCE_BYTES = 12
_DAY_BYTES = 4
_DAY_SECONDS = 86_400
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class KeyringError(Exception):
    """A key is missing, or cannot be read. The message names the file, never its content."""


def create(directory: Path) -> None:
    """Make the keys of an installation: `worker/` and `notary/` below a directory.

    Raises KeyringError if there are keys already: keys are never overwritten.
    """
    worker, notary = directory / "worker", directory / "notary"
    for part in (worker, notary):
        if part.exists() and any(part.iterdir()):
            raise KeyringError(f"{part} holds keys already")
        part.mkdir(parents=True, exist_ok=True)
        part.chmod(0o700)
    for path in (
        worker / "key-encrypting.key",
        worker / "content-mac.key",
        worker / "subject-token.key",
        worker / "cache.key",
        notary / "subject-epoch-1.key",
    ):
        _write_new(path, secrets.token_bytes(32))
    signing = Ed25519PrivateKey.generate()
    _write_new(
        notary / "log-signing.key",
        signing.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()),
    )


def _write_new(path: Path, content: bytes) -> None:
    """Write a key file whole or not at all; FileExistsError if it is there."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # what a key seals may be committed in the next moment
    finally:
        os.close(directory)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyringError(f"cannot read the key file {path}: {error.strerror}") from error


class WorkerKeys:
    """The worker's keys: data keys, the MAC of requests, subject tokens, the cache's key."""

    def __init__(self, directory: Path, *, clock: Clock, entropy: Entropy) -> None:
        self._directory = directory
        self._clock = clock
        self._entropy = entropy
        self._wrapping = _read(directory / "key-encrypting.key")
        self._content = blake2b(key=_read(directory / "content-mac.key"), digest_size=32)
        self._subject_token = _read(directory / "subject-token.key")
        self._subject_tokens: dict[str, blake2b] = {}
        self._data_keys: dict[int, AESGCM] = {}
        self._look_at = 0.0
        self._today = (0.0, b"", AESGCM(bytes(32)))
        self.cache_key = _read(directory / "cache.key")

    def content_mac(self, content: bytes) -> bytes:
        """Keyed BLAKE2b-256 (RFC 7693) of a request's content."""
        mac = self._content.copy()
        mac.update(content)
        return mac.digest()

    def subject_token(self, partner: str, nik: str) -> str:
        """Keyed BLAKE2b-128 of the NIK under the partner's own key, in base64url."""
        mac = self._subject_tokens.get(partner)
        if mac is None:
            key = blake2b(partner.encode(), key=self._subject_token, digest_size=32).digest()
            mac = self._subject_tokens[partner] = blake2b(key=key, digest_size=16)
        mac = mac.copy()
        mac.update(nik.encode())
        return b2a_base64(mac.digest(), newline=False).translate(_URL_SAFE, b"=").decode()

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        """AES-256-GCM under the day's data key: day (yyyymmdd, 4 bytes), nonce, ciphertext.

        The day's own key is held until the day ends, whatever becomes of its file.
        """
        self._forget_destroyed()
        ends, day, key = self._today
        if self._clock() >= ends:
            ends, day, key = self._today = self._open_today()
        nonce = self._entropy(_NONCE_BYTES)
        return day + nonce + key.encrypt(nonce, plaintext, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt. Raises ValueError if it was altered, or its key is gone."""
        self._forget_destroyed()
        day = int.from_bytes(sealed[:_DAY_BYTES], "big")
        nonce = sealed[_DAY_BYTES : _DAY_BYTES + _NONCE_BYTES]
        try:
            key = self._data_key(day, create=False)
            return key.decrypt(nonce, sealed[_DAY_BYTES + _NONCE_BYTES :], context)
        except (InvalidTag, KeyringError) as error:
            raise ValueError("the seal does not hold, or its key is gone") from error

    def _forget_destroyed(self) -> None:
        """Drop the daily keys whose files are gone: at most once in LOOK_SECONDS."""
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            held = self._data_keys
            self._data_keys = {day: held[day] for day in held if self._data_path(day).exists()}

    def _data_path(self, day: int) -> Path:
        return self._directory / f"data-{day}.key"

    def _open_today(self) -> tuple[float, bytes, AESGCM]:
        now = self._clock()
        day = int(f"{datetime.fromtimestamp(now, UTC):%Y%m%d}")
        ends = now - now % _DAY_SECONDS + _DAY_SECONDS
        return ends, day.to_bytes(_DAY_BYTES, "big"), self._data_key(day, create=True)

    def _data_key(self, day: int, *, create: bool) -> AESGCM:
        key = self._data_keys.get(day)
        if key is None:
            path = self._data_path(day)
            if create and not path.exists():
                with suppress(FileExistsError):  # another worker was first: its key is the day's
                    _write_new(path, aes_key_wrap(self._wrapping, secrets.token_bytes(32)))
            try:
                key = AESGCM(aes_key_unwrap(self._wrapping, _read(path)))
            except InvalidUnwrap as error:
                raise KeyringError(
                    f"{path} is not wrapped under this installation's key"
                ) from error
            self._data_keys[day] = key
        return key


class NotaryKeys:
    """The notary's keys: the log's signing key, and the epoch key of subjects."""

    def __init__(self, directory: Path) -> None:
        self._signing = Ed25519PrivateKey.from_private_bytes(_read(directory / "log-signing.key"))
        epochs = sorted(
            int(p.stem.rpartition("-")[2]) for p in directory.glob("subject-epoch-*.key")
        )
        if not epochs:
            raise KeyringError(f"no subject-epoch key in {directory}")
        self.subject_epoch = epochs[-1]
        key = _read(directory / f"subject-epoch-{self.subject_epoch}.key")
        self._subject = hmac.new(key, digestmod=sha256)

    def sign(self, data: bytes) -> bytes:
        """Give the Ed25519 signature: 64 bytes."""
        return self._signing.sign(data)

    def public_key(self) -> bytes:
        """Give the log's public key: 32 raw bytes."""
        return self._signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def subject_mac(self, nik: str) -> bytes:
        """HMAC-SHA-256 of a NIK under the present epoch's key."""
        mac = self._subject.copy()
        mac.update(nik.encode())
        return mac.digest()
