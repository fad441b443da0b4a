"""What an audit finds: what, where and in which way, and when it has found enough."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from padan_client.verify.errors import Exit

FINDINGS_MAX = 100
"""An audit ends when it has found so much: the log is broken, and where is known."""


class What(StrEnum):
    """What a finding is about, in the order in which they count for the exit code."""

    TREE = "tree"
    HISTORY = "history"
    ENTRY = "entry"
    CHAIN = "chain"
    AGREEMENT = "agreement"
    CHARGE = "charge"
    REQUEST_ID = "request id"

    @property
    def exit(self) -> Exit:
        """The exit code that says this was found."""
        return Exit[self.name]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold."""

    what: What
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.what}: {self.where}: {self.text}"


class EnoughFound(Exception):
    """FINDINGS_MAX was reached."""


class Findings:
    """Keeps what is found."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def add(self, what: What, where: str, text: str) -> None:
        """Keep a finding. Raises EnoughFound at FINDINGS_MAX."""
        self.found.append(Finding(what, where, text))
        if len(self.found) >= FINDINGS_MAX:
            raise EnoughFound
