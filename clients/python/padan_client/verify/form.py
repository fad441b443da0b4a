"""The form of ledger entries, version 1, as docs/entry.md of Padan fixes it."""

from __future__ import annotations

from types import MappingProxyType

VERSION = 1

ALWAYS = ("draft_id", "index", "kind", "log", "nonce", "partner", "partner_seq", "time", "version")
"""The fields that every entry has."""

_CALL = frozenset({"attempt", "partner_previous", "subject", "subject_epoch"})

KINDS = MappingProxyType(
    {
        "ANSWER": (frozenset({"answer", "ask"}), _CALL | {"charge"}),
        "REPLAY": (frozenset({"ask", "replay_of"}), _CALL),
        "REFUSAL": (frozenset({"ask", "reason"}), _CALL),
        "FAULT": (frozenset({"ask", "reason"}), _CALL),
        "SUMMARY": (frozenset({"ask", "count", "reason"}), _CALL),
        "CONTROL": (frozenset({"control"}), frozenset({"partner_previous"})),
    }
)
"""For each kind: the fields that it has beside those, and the fields that it may have."""

DEPENDING = tuple(sorted({name for must, may in KINDS.values() for name in must | may}))
"""The fields that some entries lack."""

TEXTS = frozenset(
    {
        *("draft_id", "kind", "log", "nonce", "partner", "partner_previous", "reason"),
        *("subject", "time"),
    }
)
NUMBERS = frozenset(
    {
        *("attempt", "count", "index", "partner_seq", "replay_of", "subject_epoch", "version"),
    }
)
OBJECTS = MappingProxyType(
    {
        "answer": (
            *("as_of", "fields", "matcher", "outcome", "record_version"),
            *("retry_after_seconds", "signals", "statement"),
        ),
        "ask": (
            *("agreement_version", "consent", "elements", "key_id", "method", "network"),
            *("personal", "purpose", "regency", "request_id"),
        ),
        "charge": ("price", "windows"),
        "control": None,
    }
)
"""The fields that are objects, with the names they may hold; an action of CONTROL has its own."""

STATEMENT_TAG = b"padan.v1 statement\0"
"""What stands before the salt and the statement when they are hashed."""

SALT_BYTES = 16
