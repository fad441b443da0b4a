"""Refusals: the one tree of reasons for which a call gets no answer.

A refusal is a decision of ours or a fault of ours, told to the caller by a stable reason. "No
match" is an answer and does not stand here. The status code of each reason is in transport/status.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Stable reasons, equal to the names of the proto enum ErrorReason without its prefix."""

    REQUEST_INVALID = "REQUEST_INVALID"
    TOKEN_MISSING = "TOKEN_MISSING"
    TOKEN_INVALID = "TOKEN_INVALID"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    TOKEN_LIFETIME = "TOKEN_LIFETIME"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    TOO_MANY_FAILURES = "TOO_MANY_FAILURES"
    PARTNER_SUSPENDED = "PARTNER_SUSPENDED"
    AGREEMENT_MISSING = "AGREEMENT_MISSING"
    METHOD_NOT_GRANTED = "METHOD_NOT_GRANTED"
    PURPOSE_NOT_GRANTED = "PURPOSE_NOT_GRANTED"
    ELEMENT_NOT_GRANTED = "ELEMENT_NOT_GRANTED"
    BUDGET_SPENT = "BUDGET_SPENT"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    REQUEST_ID_EXPIRED = "REQUEST_ID_EXPIRED"
    TOO_STALE = "TOO_STALE"
    REGION_UNKNOWN = "REGION_UNKNOWN"
    REGISTRY_UNAVAILABLE = "REGISTRY_UNAVAILABLE"
    LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
    POLICY_UNAVAILABLE = "POLICY_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    CALLER_GONE = "CALLER_GONE"
    INTERNAL = "INTERNAL"


FAULTS = frozenset(
    {
        Reason.REGISTRY_UNAVAILABLE,
        Reason.LEDGER_UNAVAILABLE,
        Reason.POLICY_UNAVAILABLE,
        Reason.OVERLOADED,
        Reason.CALLER_GONE,
        Reason.INTERNAL,
    }
)
"""Reasons that are no decision about the caller: their entries are of kind FAULT."""


class Refusal(Exception):
    """A call that gets no answer.

    `text` is for a human, and holds neither ids nor personal data. `retry_after_seconds` is set
    where trying again later makes sense.
    """

    def __init__(
        self, reason: Reason, text: str, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text
        self.retry_after_seconds = retry_after_seconds


class RequestInvalid(Refusal):
    """The request breaks rules of its fields: (field path, what the rule is) for each."""

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        super().__init__(Reason.REQUEST_INVALID, "the request breaks a rule of its fields")
        self.violations = violations


class ElementsNotGranted(Refusal):
    """The agreement does not grant these elements."""

    def __init__(self, elements: list[str]) -> None:
        super().__init__(
            Reason.ELEMENT_NOT_GRANTED, "the agreement does not grant some of the elements"
        )
        self.elements = elements


class BudgetSpent(Refusal):
    """The budget of one window ("day" or "month") is spent until the window ends."""

    def __init__(self, window: str, *, retry_after_seconds: float) -> None:
        super().__init__(
            Reason.BUDGET_SPENT,
            f"the budget of this {window} is spent",
            retry_after_seconds=retry_after_seconds,
        )
        self.window = window
