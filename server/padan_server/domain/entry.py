"""The ledger entry, version 1: its bytes, and the commitments in it. The form is docs/entry.md.

The notary splices the worker's `ask` and `answer` bytes into an entry; the keys below stand in
canonical order, so that the result is canonical JSON if its parts are.
"""

from __future__ import annotations

from binascii import b2a_base64
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from padan_server.domain import canonical

VERSION = 1

FIELDS = (
    "answer",
    "ask",
    "attempt",
    "charge",
    "control",
    "count",
    "draft_id",
    "index",
    "kind",
    "log",
    "nonce",
    "partner",
    "partner_previous",
    "partner_seq",
    "reason",
    "replay_of",
    "subject",
    "subject_epoch",
    "time",
    "version",
)
"""All fields of an entry, in canonical order."""

ASK_FIELDS = (
    "agreement_version",
    "consent",
    "elements",
    "key_id",
    "method",
    "network",
    "personal",
    "purpose",
    "regency",
    "request_id",
)
ANSWER_FIELDS = (
    "as_of",
    "fields",
    "matcher",
    "outcome",
    "record_version",
    "retry_after_seconds",
    "signals",
    "statement",
)

SALT_BYTES = 16
NONCE_BYTES = 16

_SUBJECT = b"padan.v1 subject\0"
_PERSONAL = b"padan.v1 personal\0"
_STATEMENT = b"padan.v1 statement\0"


def subject(nonce: bytes, nik_mac: bytes) -> bytes:
    """Commit to a person: `nik_mac` is HMAC-SHA-256(epoch key, NIK)."""
    return sha256(_SUBJECT + nonce + nik_mac).digest()


def personal(salted: bytes) -> bytes:
    """Commit to what is sealed beside the tree: 16 bytes of salt, then the plaintext."""
    return sha256(_PERSONAL + salted).digest()


def statement(salt: bytes, request: bytes, answer: bytes) -> bytes:
    """Commit to what was asked and answered, both canonical JSON objects."""
    return sha256(b'%b%b{"answer":%b,"request":%b}' % (_STATEMENT, salt, answer, request)).digest()


def base64(data: bytes) -> str:
    """Write bytes as entries do."""
    return b2a_base64(data, newline=False).decode("ascii")


def timestamp(microseconds: int) -> str:
    """Write a time as entries do. Takes microseconds since the epoch, UTC."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def seconds(text: str) -> float:
    """Read a time as entries write it, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def assemble(
    *,
    kind: str,
    log: str,
    index: int,
    time: str,
    partner: str,
    partner_seq: int,
    partner_previous: bytes,
    draft_id: bytes,
    nonce: bytes,
    ask: bytes = b"",
    answer: bytes = b"",
    attempt: int = 0,
    charge: tuple[int, tuple[str, ...]] | None = None,
    control: bytes = b"",
    count: int = 0,
    reason: str = "",
    replay_of: int = -1,
    subject: bytes = b"",
    subject_epoch: int = 0,
) -> bytes:
    """Give the canonical bytes of an entry.

    `ask`, `answer` and `control` are canonical JSON, or empty where absent; so are the other
    fields at their defaults. `charge` is the price in rupiah and the windows. Names (log, partner,
    reason, windows) need no JSON escape: they are checked where they enter the system.
    """
    parts = []
    if answer:
        parts.append(b'"answer":%b' % answer)
    if ask:
        parts.append(b'"ask":%b' % ask)
    if attempt:
        parts.append(b'"attempt":%d' % attempt)
    if charge is not None:
        windows = '","'.join(charge[1])
        parts.append(b'"charge":{"price":%d,"windows":["%b"]}' % (charge[0], windows.encode()))
    if control:
        parts.append(b'"control":%b' % control)
    if count:
        parts.append(b'"count":%d' % count)
    previous = f'"partner_previous":"{base64(partner_previous)}",' if partner_previous else ""
    parts.append(
        f'"draft_id":"{draft_id.hex()}","index":{index},"kind":"{kind}","log":"{log}",'
        f'"nonce":"{base64(nonce)}","partner":"{partner}",{previous}'
        f'"partner_seq":{partner_seq}'.encode()
    )
    if reason:
        parts.append(b'"reason":"%b"' % reason.encode())
    if replay_of >= 0:
        parts.append(b'"replay_of":%d' % replay_of)
    if subject:
        parts.append(f'"subject":"{base64(subject)}","subject_epoch":{subject_epoch}'.encode())
    parts.append(f'"time":"{time}","version":{VERSION}'.encode())
    return b"{%b}" % b",".join(parts)


def parse(data: bytes) -> dict[str, Any]:
    """Parse an entry's bytes.

    Raises ValueError if they are not canonical, not of version 1, or hold an unknown field.
    """
    value = canonical.loads(data)
    if value.get("version") != VERSION:
        raise ValueError("not an entry of version 1")
    for found, known in (
        (value, FIELDS),
        (value.get("ask", {}), ASK_FIELDS),
        (value.get("answer", {}), ANSWER_FIELDS),
    ):
        if not found.keys() <= set(known):
            raise ValueError("an entry holds an unknown field")
    return value
