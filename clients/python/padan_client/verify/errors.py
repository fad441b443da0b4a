"""What is wrong with what was verified: one tree of errors, each with what, where and why.

The exit codes are those of `padan receipt verify` and of `padan-verify`: docs/verify.md.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class Exit(IntEnum):
    """What the exit code of a verification says; 2 and 4 are the other commands' as well."""

    PROVED = 0
    USAGE = 2
    INTERNAL = 4
    UNREADABLE = 10
    SIGNATURE = 11
    WITNESSES = 12
    TREE = 13
    HISTORY = 14
    STATEMENT = 15
    ENTRY = 16
    CHAIN = 17
    AGREEMENT = 18
    CHARGE = 19
    REQUEST_ID = 20
    NOT_COMPARED = 21


class VerificationError(Exception):
    """Something does not hold, or cannot be read: nothing is proved.

    `where` names the file or the part of it, `text` what is wrong with it. Neither quotes what was
    asked or answered.
    """

    exit: ClassVar[Exit]

    def __init__(self, where: str, text: str) -> None:
        super().__init__(f"{where}: {text}")
        self.where = where
        self.text = text


class Unreadable(VerificationError):
    """It does not have the form that it must have."""

    exit = Exit.UNREADABLE


class SignatureInvalid(VerificationError):
    """It is not signed by the log's key, or by another key than its name says."""

    exit = Exit.SIGNATURE


class WitnessesMissing(VerificationError):
    """Fewer witnesses cosigned than were asked for, or a cosignature does not hold."""

    exit = Exit.WITNESSES


class NotInTree(VerificationError):
    """It is not in the tree that was signed."""

    exit = Exit.TREE


class AnotherHistory(VerificationError):
    """The tree does not hold another one that was signed before: history was changed."""

    exit = Exit.HISTORY


class NotCompared(VerificationError):
    """Two checkpoints have different sizes, which nothing at hand connects."""

    exit = Exit.NOT_COMPARED


class StatementInvalid(VerificationError):
    """What is said to be asked and answered is not what the entry commits to."""

    exit = Exit.STATEMENT


class EntryInvalid(VerificationError):
    """An entry's bytes are no entry, or it says that it stands elsewhere."""

    exit = Exit.ENTRY
