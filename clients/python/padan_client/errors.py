"""The errors of a call: one tree, to be caught by type where the caller can act.

Each error means *not verified*. "No match" is not here: it is an answer. No message and no repr
holds a NIK, a claim or a value of the registry.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar


class PadanError(Exception):
    """A call that gave no answer: the person is not verified.

    `reason` is stable: the name of the service's ErrorReason without its prefix or, where the
    service gave none, the name of the gRPC status code. `hint` says in one sentence what to do.
    `request_id` is the call's. `retry_after` is set where the service said when to try again.
    """

    general_hint: ClassVar[str] = "Treat the person as not verified, and tell the operator."

    def __init__(
        self,
        text: str = "",
        *,
        reason: str = "",
        request_id: str = "",
        hint: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.request_id = request_id
        self.hint = hint or self.general_hint
        self.retry_after = retry_after

    def __str__(self) -> str:
        text = super().__str__()
        return f"{self.reason}: {text}" if text else self.reason

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}(reason={self.reason!r}, request_id={self.request_id!r})"


class RequestInvalid(PadanError):
    """The request breaks rules. `fields` maps the path of each such field to the rule."""

    general_hint = "Mend the fields named; sending the same request again cannot succeed."

    def __init__(
        self,
        text: str = "",
        *,
        fields: Mapping[str, str] | None = None,
        reason: str = "REQUEST_INVALID",
        request_id: str = "",
        hint: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        self.fields = dict(fields or {})
        named = "; ".join(f"{path}: {rule}" for path, rule in self.fields.items())
        super().__init__(
            text or named,
            reason=reason,
            request_id=request_id,
            hint=hint,
            retry_after=retry_after,
        )


class Unauthenticated(PadanError):
    """The service does not accept the token."""

    general_hint = "Check partner id, key id, private key, audience and this machine's clock."


class PermissionDenied(PadanError):
    """The agreement (PKS) does not allow the call. `elements` names those not granted, if any."""

    general_hint = "Ask for what the agreement grants, or have the agreement changed."
    elements: tuple[str, ...] = ()


class BudgetSpent(PadanError):
    """A budget of the agreement is spent. `window` is its name ("day", "month"), or ""."""

    general_hint = "Do not repeat before `retry_after`; tell the customer to come back later."
    window: str = ""


class RequestIdReused(PadanError):
    """The request id was used before, for another content."""

    general_hint = "Mint a new request id for a new request; repeat an id only with its content."


class RequestIdExpired(PadanError):
    """The request id is older than 72 hours, or its time lies ahead."""

    general_hint = (
        "Check this machine's clock; look the old id up in the ledger before asking anew, "
        "since a new id is charged."
    )


class TooStale(PadanError):
    """The registry copy is older than `max_staleness`."""

    general_hint = "Repeat later, or accept older data with a larger max_staleness."


class RegionUnknown(PadanError):
    """No edition of the code list has a region of this code."""

    general_hint = 'Use the code of a region that `list_regions` gives, or "ID" for the country.'


class Unavailable(PadanError):
    """No answer in time, after the retries. It is not known whether the call was charged."""

    general_hint = (
        "Repeat later with the same request id: if the call was recorded, "
        "its answer is returned uncharged."
    )


class ServiceFault(PadanError):
    """The service, or something on the way to it, broke."""

    general_hint = (
        "Repeat later with the same request id; if it persists, give the request id to the "
        "service's operator."
    )
