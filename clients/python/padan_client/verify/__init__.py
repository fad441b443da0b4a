"""Checks of a log's proofs by whoever holds its key: receipts, and the log's files as a whole.

Nothing here calls the service or imports the server. Receipts need no more than the SDK does; the
audit of a whole log (`audit`) needs the extra `verify`.
"""

from padan_client.verify.checkpoints import Checkpoint, Signed, Trust
from padan_client.verify.errors import (
    AnotherHistory,
    EntryInvalid,
    NotCompared,
    NotInTree,
    SignatureInvalid,
    StatementInvalid,
    Unreadable,
    VerificationError,
    WitnessesMissing,
)
from padan_client.verify.receipts import Proved, Receipt, compare, parse_receipt, verify_receipt

__all__ = [
    "AnotherHistory",
    "Checkpoint",
    "EntryInvalid",
    "NotCompared",
    "NotInTree",
    "Proved",
    "Receipt",
    "SignatureInvalid",
    "Signed",
    "StatementInvalid",
    "Trust",
    "Unreadable",
    "VerificationError",
    "WitnessesMissing",
    "compare",
    "parse_receipt",
    "verify_receipt",
]
