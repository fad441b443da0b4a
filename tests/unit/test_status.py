"""Statuses: a code for every reason, and the details that say what to do."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from padan.v1.errors_pb2 import ErrorReason
from padan_server.domain.refusal import (
    FAULTS,
    BudgetSpent,
    ElementsNotGranted,
    Reason,
    Refusal,
    RequestInvalid,
)
from padan_server.transport.refused import refusing
from padan_server.transport.status import CODES, DETAILS, DOMAIN, status_of
from padan_server.transport.verification import call_of
from tests.support.builders import NIK

PROTO = "protos/padan/v1/errors.proto"


def details_of(refusal: Refusal) -> dict[str, Any]:
    """Give a status's details by the names of their types."""
    _, text, ((key, data),) = status_of(refusal)
    assert key == DETAILS
    status = status_pb2.Status.FromString(data)
    assert status.message == text == refusal.text
    details: dict[str, Any] = {}
    for packed in status.details:
        name = packed.type_url.rpartition(".")[2]
        details[name] = getattr(error_details_pb2, name)()
        assert packed.Unpack(details[name])
    return details


def test_reasons_are_the_contracts() -> None:
    listed = {name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()}  # noqa: SIM118
    assert listed == {reason.value for reason in Reason} | {"UNSPECIFIED"}
    assert all(reason.name == reason.value for reason in Reason)


def test_every_reason_has_a_code() -> None:
    assert set(CODES) == set(Reason)


def test_codes_are_those_that_the_contract_tells(pytestconfig: pytest.Config) -> None:
    contract = (pytestconfig.rootpath / PROTO).read_text("utf-8")
    told = dict.fromkeys(Reason, "")
    for comment, name in re.findall(
        r"((?:^ *//.*\n)+) *ERROR_REASON_(\w+) =", contract, re.MULTILINE
    ):
        if name in told:
            told[Reason(name)] = re.sub(r"\s*//\s*", " ", comment).strip().partition(".")[0]
    told[Reason.CALLER_GONE] = "CANCELLED"  # never sent
    assert told == {reason: code.name for reason, code in CODES.items()}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_carries_its_reason_and_our_domain(reason: Reason) -> None:
    code, text, _ = status_of(Refusal(reason, "what it is"))
    assert (code, text) == (CODES[reason], "what it is")
    info = details_of(Refusal(reason, "what it is"))["ErrorInfo"]
    assert (info.reason, info.domain) == (reason.value, DOMAIN)


def test_the_status_in_the_details_has_the_same_code() -> None:
    for reason, code in CODES.items():
        _, _, ((_, data),) = status_of(Refusal(reason, ""))
        assert status_pb2.Status.FromString(data).code == code.value[0]


def test_a_fault_of_ours_never_looks_like_a_spent_budget() -> None:
    exhausted = {r for r, code in CODES.items() if code is grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert exhausted == {Reason.BUDGET_SPENT}
    assert not exhausted & FAULTS


def test_an_invalid_request_names_each_field() -> None:
    violations = [("nik", "must be a NIK"), ("claims.rt", "must be digits"), ("", "too long")]
    named = details_of(RequestInvalid(violations))["BadRequest"].field_violations
    assert [(violation.field, violation.description) for violation in named] == violations


def test_elements_that_are_not_granted_are_named_in_the_metadata() -> None:
    info = details_of(ElementsNotGranted(["address", "religion"]))["ErrorInfo"]
    assert dict(info.metadata) == {"elements": "address,religion"}


@pytest.mark.parametrize("window", ["day", "month"])
def test_a_spent_budget_names_its_window_and_when_it_ends(window: str) -> None:
    details = details_of(BudgetSpent(window, retry_after_seconds=12.5))
    (violation,) = details["QuotaFailure"].violations
    assert violation.subject == f"budget:{window}"
    assert details["RetryInfo"].retry_delay.ToMilliseconds() == 12_500


@pytest.mark.parametrize(
    ("seconds", "milliseconds"), [(0.5, 500), (0.0, 0), (-3.0, 0), (2_678_400.0, 2_678_400_000)]
)
def test_when_to_try_again_is_told_and_never_lies_in_the_past(
    seconds: float, milliseconds: int
) -> None:
    refusal = Refusal(Reason.OVERLOADED, "full", retry_after_seconds=seconds)
    assert details_of(refusal)["RetryInfo"].retry_delay.ToMilliseconds() == milliseconds


def test_nothing_is_said_of_trying_again_where_it_makes_no_sense() -> None:
    assert details_of(Refusal(Reason.TOKEN_MISSING, "")).keys() == {"ErrorInfo"}


class Aborted(Exception):
    """What gRPC raises to end a handler."""


class Context:
    """Stands in for gRPC's context of a call: keeps what it is ended with."""

    def __init__(self, *metadata: tuple[str, str | bytes], peer: str = "") -> None:
        self.ended: list[Any] = []
        self._metadata, self._peer = metadata, peer

    async def abort(self, *status: Any) -> None:
        self.ended = list(status)
        raise Aborted

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return self._metadata

    def peer(self) -> str:
        return self._peer


async def ended(error: BaseException) -> list[Any]:
    """Give the status with which a handler ends that raises an error."""

    async def handler(_request: bytes, _context: Any) -> bytes:
        raise error

    context = Context()
    with pytest.raises(Aborted):
        await refusing(handler)(b"", context)
    return context.ended


async def test_an_answer_passes_the_outermost_step_as_it_is() -> None:
    async def handler(request: bytes, _context: Any) -> bytes:
        return request + b"!"

    assert await refusing(handler)(b"answer", Context()) == b"answer!"


async def test_a_refusal_ends_the_call_with_its_status() -> None:
    refusal = RequestInvalid([("nik", "must be a NIK")])
    assert await ended(refusal) == list(status_of(refusal))


async def test_any_other_error_ends_the_call_as_a_fault_that_tells_nothing() -> None:
    code, text, ((_, details),) = await ended(RuntimeError(f"a driver quotes {NIK}"))
    assert code is grpc.StatusCode.INTERNAL
    assert NIK not in text
    assert NIK.encode() not in details
    assert b"INTERNAL" in details


async def test_a_cancelled_call_stays_cancelled() -> None:
    async def handler(_request: bytes, _context: Any) -> bytes:
        raise asyncio.CancelledError

    context = Context()
    with pytest.raises(asyncio.CancelledError):
        await refusing(handler)(b"", context)
    assert context.ended == []


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:50000", "192.0.2.1"),
        ("ipv6:[2001:db8::1]:50000", "2001:db8::1"),
        ("ipv6:%5B2001:db8::1%5D:50000", "2001:db8::1"),
        ("unix:", "unix"),
        ("unix:/run/padan.sock", "unix"),
        ("unix-abstract:padan", ""),
        ("", ""),
    ],
)
def test_a_peer_is_told_by_its_address_alone(peer: str, address: str) -> None:
    assert call_of(Context(peer=peer)).peer == address


@pytest.mark.parametrize(
    ("metadata", "authorization"),
    [
        ((), ""),
        ((("user-agent", "sdk"), ("authorization", "Bearer a")), "Bearer a"),
        ((("authorization", "Bearer a"), ("authorization", "Bearer b")), "Bearer a"),
        ((("authorization-bin", b"Bearer a"),), ""),
        ((("authorization", b"Bearer a"),), ""),
    ],
)
def test_the_first_authorization_that_is_text_is_the_calls(
    metadata: tuple[tuple[str, str | bytes], ...], authorization: str
) -> None:
    assert call_of(Context(*metadata)).authorization == authorization
