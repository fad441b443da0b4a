"""The one table from reasons to gRPC status codes, and the details that a status carries."""

from __future__ import annotations

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import code_pb2, error_details_pb2, status_pb2

from padan_server.domain.refusal import (
    BudgetSpent,
    ElementsNotGranted,
    Reason,
    Refusal,
    RequestInvalid,
)

DOMAIN = "padan.v1"
DETAILS = "grpc-status-details-bin"

CODES = {
    Reason.REQUEST_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.REQUEST_ID_EXPIRED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.TOKEN_MISSING: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_INVALID: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_EXPIRED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TOKEN_LIFETIME: grpc.StatusCode.UNAUTHENTICATED,
    Reason.KEY_UNKNOWN: grpc.StatusCode.UNAUTHENTICATED,
    Reason.TOO_MANY_FAILURES: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PARTNER_SUSPENDED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.AGREEMENT_MISSING: grpc.StatusCode.PERMISSION_DENIED,
    Reason.METHOD_NOT_GRANTED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.PURPOSE_NOT_GRANTED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.ELEMENT_NOT_GRANTED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.BUDGET_SPENT: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.REQUEST_ID_REUSED: grpc.StatusCode.ALREADY_EXISTS,
    Reason.TOO_STALE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.REGION_UNKNOWN: grpc.StatusCode.NOT_FOUND,
    Reason.REGISTRY_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.LEDGER_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.POLICY_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.OVERLOADED: grpc.StatusCode.UNAVAILABLE,
    Reason.CALLER_GONE: grpc.StatusCode.CANCELLED,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
}


def status_of(refusal: Refusal) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Give the status code, text and trailing metadata of a refusal."""
    code = CODES[refusal.reason]
    info = error_details_pb2.ErrorInfo(reason=refusal.reason, domain=DOMAIN)
    details: list[AnyMessage] = []
    if isinstance(refusal, RequestInvalid):
        details.append(
            _any(
                error_details_pb2.BadRequest(
                    field_violations=[
                        error_details_pb2.BadRequest.FieldViolation(field=field, description=text)
                        for field, text in refusal.violations
                    ]
                )
            )
        )
    elif isinstance(refusal, ElementsNotGranted):
        info.metadata["elements"] = ",".join(refusal.elements)
    elif isinstance(refusal, BudgetSpent):
        details.append(
            _any(
                error_details_pb2.QuotaFailure(
                    violations=[
                        error_details_pb2.QuotaFailure.Violation(
                            subject=f"budget:{refusal.window}", description=refusal.text
                        )
                    ]
                )
            )
        )
    if refusal.retry_after_seconds is not None:
        delay = Duration()
        delay.FromNanoseconds(max(0, int(refusal.retry_after_seconds * 1e9)))
        details.append(_any(error_details_pb2.RetryInfo(retry_delay=delay)))
    status = status_pb2.Status(
        code=code_pb2.Code.Value(code.name),
        message=refusal.text,
        details=[_any(info), *details],
    )
    return code, refusal.text, ((DETAILS, status.SerializeToString()),)


def _any(message: object) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)  # type: ignore[arg-type]
    return packed
