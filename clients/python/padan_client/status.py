"""From a gRPC status to a typed error: the one place that knows the wire form of errors.

Reasons of a newer service, and statuses that the service did not write, fall back to the class
that their status code suggests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from padan_client.errors import (
    BudgetSpent,
    PadanError,
    PermissionDenied,
    RegionUnknown,
    RequestIdExpired,
    RequestIdReused,
    RequestInvalid,
    ServiceFault,
    TooStale,
    Unauthenticated,
    Unavailable,
)

DOMAIN = "padan.v1"
DETAILS_KEY = "grpc-status-details-bin"

_NUMBERS_OF_PEOPLE = re.compile(r"[0-9]{16,}")
"""NIK and family-card numbers. The service never echoes them; proxies and drivers might."""

_Detail = TypeVar("_Detail", bound=Message)

_REASONS: dict[str, tuple[type[PadanError], str]] = {
    "REQUEST_INVALID": (RequestInvalid, ""),
    "TOKEN_MISSING": (Unauthenticated, "Something between client and service drops metadata."),
    "TOKEN_INVALID": (Unauthenticated, "Check the private key and the audience."),
    "TOKEN_EXPIRED": (Unauthenticated, "Set this machine's clock (NTP)."),
    "TOKEN_LIFETIME": (Unauthenticated, "Update this SDK: its tokens live for too long."),
    "KEY_UNKNOWN": (
        Unauthenticated,
        "Register the public key under this key id, or use a key that is registered.",
    ),
    "TOO_MANY_FAILURES": (
        Unauthenticated,
        "Stop calling from this address for a minute, and mend partner id, key id and key.",
    ),
    "PARTNER_SUSPENDED": (PermissionDenied, "Speak to the registry's partner officers."),
    "AGREEMENT_MISSING": (PermissionDenied, "Have the agreement (PKS) renewed or started."),
    "METHOD_NOT_GRANTED": (PermissionDenied, "Use a method that the agreement grants."),
    "PURPOSE_NOT_GRANTED": (PermissionDenied, "State a purpose that the agreement grants."),
    "ELEMENT_NOT_GRANTED": (PermissionDenied, "Leave out the elements that are named."),
    "BUDGET_SPENT": (BudgetSpent, ""),
    "REQUEST_ID_REUSED": (RequestIdReused, ""),
    "REQUEST_ID_EXPIRED": (RequestIdExpired, ""),
    "TOO_STALE": (TooStale, ""),
    "REGION_UNKNOWN": (RegionUnknown, ""),
    "REGISTRY_UNAVAILABLE": (Unavailable, ""),
    "LEDGER_UNAVAILABLE": (Unavailable, ""),
    "POLICY_UNAVAILABLE": (Unavailable, ""),
    "OVERLOADED": (Unavailable, ""),
    "INTERNAL": (ServiceFault, ""),
}
"""The reasons known today: the error's class, and a hint where the class's own is too general."""

_CODES: dict[grpc.StatusCode, type[PadanError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: RequestInvalid,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    # Without the service's own reason this is a message too large or a proxy's limit: no budget.
    grpc.StatusCode.RESOURCE_EXHAUSTED: ServiceFault,
    grpc.StatusCode.INTERNAL: ServiceFault,
    grpc.StatusCode.UNKNOWN: ServiceFault,
    grpc.StatusCode.DATA_LOSS: ServiceFault,
    grpc.StatusCode.UNIMPLEMENTED: ServiceFault,
    grpc.StatusCode.CANCELLED: ServiceFault,
}


class FailedCall(Protocol):
    """What the sync and the async RpcError share."""

    def code(self) -> grpc.StatusCode: ...  # noqa: D102

    def details(self) -> str | None: ...  # noqa: D102

    # Pairs of a key and a text or bytes; the two libraries' stubs name no common type for them.
    def trailing_metadata(self) -> Iterable[Any] | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class _Details:
    """What the google.rpc details of one status say."""

    reason: str = ""
    elements: tuple[str, ...] = ()
    fields: dict[str, str] = field(default_factory=dict)
    window: str = ""
    retry_after: timedelta | None = None


def error_of(call: FailedCall, *, request_id: str) -> PadanError:
    """Give the typed error of a call that ended with a status other than OK."""
    code = call.code()
    details = _read_details(call.trailing_metadata())
    kind, hint = _REASONS.get(details.reason, (_kind_of(code, details), ""))
    text = _masked(call.details() or "")
    reason = details.reason or code.name
    if issubclass(kind, RequestInvalid):
        return kind(
            "" if details.fields else text,
            fields=details.fields,
            reason=reason,
            request_id=request_id,
            hint=hint,
            retry_after=details.retry_after,
        )
    error = kind(
        text, reason=reason, request_id=request_id, hint=hint, retry_after=details.retry_after
    )
    if isinstance(error, PermissionDenied):
        error.elements = details.elements
    if isinstance(error, BudgetSpent):
        error.window = details.window
    return error


def _kind_of(code: grpc.StatusCode, details: _Details) -> type[PadanError]:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and details.reason:
        return BudgetSpent
    return _CODES.get(code, PadanError)


def _read_details(metadata: Iterable[Any] | None) -> _Details:
    status = Status()
    for key, value in metadata or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                return _Details()
    info = _detail(status, ErrorInfo)
    if info.domain != DOMAIN:
        info = ErrorInfo()
    retry = _detail(status, RetryInfo)
    return _Details(
        reason=info.reason.removeprefix("ERROR_REASON_"),
        elements=tuple(filter(None, info.metadata["elements"].split(","))),
        fields=_violations(_detail(status, BadRequest)),
        window=_window(_detail(status, QuotaFailure)),
        retry_after=retry.retry_delay.ToTimedelta() if retry.HasField("retry_delay") else None,
    )


def _detail(status: Status, kind: type[_Detail]) -> _Detail:
    """Give the status's detail of a kind; an empty one if it has none, or an unreadable one."""
    message = kind()
    for packed in status.details:
        if packed.Is(message.DESCRIPTOR):
            try:
                packed.Unpack(message)
            except DecodeError:
                return kind()
            break
    return message


def _violations(bad: BadRequest) -> dict[str, str]:
    rules: dict[str, list[str]] = {}
    for violation in bad.field_violations:
        rules.setdefault(violation.field, []).append(_masked(violation.description))
    return {path: ", ".join(texts) for path, texts in rules.items()}


def _window(quota: QuotaFailure) -> str:
    # Its subject is "budget:" and the name of the window.
    return quota.violations[0].subject.rpartition(":")[2] if quota.violations else ""


def _masked(text: str) -> str:
    return _NUMBERS_OF_PEOPLE.sub("****************", text)
