"""The check of what is sealed beside the log: opened, and compared with the entries. Pure."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Protocol

from padan_server.domain import canonical, entry
from padan_server.domain.ledger import SUBJECT_KEY_BYTES, BoundRow, SearchRow


class What(StrEnum):
    """What a finding is about."""

    LOG = "LOG"
    ANCHOR = "ANCHOR"
    BATCH = "BATCH"
    ENTRY = "ENTRY"
    SEARCH = "SEARCH"
    PERSONAL = "PERSONAL"
    BOUND_REQUEST = "BOUND_REQUEST"
    BUDGET = "BUDGET"
    PARTNER = "PARTNER"


class Secrets(Protocol):
    """What only the operator can open; the check does without where it is not given."""

    def unseal(self, sealed: bytes, draft_id: bytes) -> bytes:
        """Open what is sealed beside an entry: salt, then plaintext. Raises ValueError."""
        ...

    def unseal_answer(self, row: BoundRow) -> bytes:
        """Open what a bound request_id keeps: the canonical JSON told. Raises ValueError."""
        ...

    def subject_mac(self, nik: str, epoch: int) -> bytes | None:
        """Give HMAC-SHA-256(epoch key, NIK), or None if the epoch's key is not here."""
        ...


def sealed_faults(
    secrets: Secrets, read: dict[str, Any], sealed: bytes, row: SearchRow
) -> Iterator[tuple[What, str]]:
    """Compare what is sealed beside an entry with its commitment, subject and search side."""
    try:
        salted = secrets.unseal(sealed, bytes.fromhex(read["draft_id"]))
    except ValueError:
        yield What.PERSONAL, "its seal does not hold, or its key is gone"
        return
    if entry.base64(entry.personal(salted)) != read["ask"]["personal"]:
        yield What.PERSONAL, "what is sealed is not what it committed to"
        return
    nik = canonical.loads(salted[entry.SALT_BYTES :]).get("nik")
    if nik is None or "subject" not in read:
        return
    mac = secrets.subject_mac(nik, read["subject_epoch"])
    if mac is None:
        return
    if read["subject"] != entry.base64(entry.subject(b64decode(read["nonce"]), mac)):
        yield What.ENTRY, "its subject is not the person sealed beside it"
    if row.subject_key != mac[:SUBJECT_KEY_BYTES]:
        yield What.SEARCH, "its subject_key is another person's"


def kept_faults(
    secrets: Secrets, read: dict[str, Any], row: BoundRow
) -> Iterator[tuple[What, str]]:
    """Compare what a retry would be told with what the entry says was answered."""
    try:
        told = canonical.loads(secrets.unseal_answer(row))
    except ValueError:
        yield What.BOUND_REQUEST, "its kept answer's seal does not hold"
        return
    told.pop("subject_token", None)
    answered = {name: value for name, value in read["answer"].items() if name != "statement"}
    if told != answered:
        yield What.BOUND_REQUEST, "its kept answer is not what was answered"
