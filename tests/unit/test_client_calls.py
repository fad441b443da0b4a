"""Calls of both clients against a real gRPC server on loopback that answers as it is told to.

The server is scripted, since what is tested is the client: what it sends, what it repeats, and
what it makes of each status. The whole path stands in tests/e2e.
"""

from __future__ import annotations

import asyncio
import ipaddress
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status

from padan.v1 import record_pb2, verification_pb2
from padan.v1.registry_pb2_grpc import (
    RegistryServiceServicer,
    add_RegistryServiceServicer_to_server,
)
from padan.v1.verification_pb2_grpc import (
    VerificationServiceServicer,
    add_VerificationServiceServicer_to_server,
)
from padan_client import (
    AsyncClient,
    BudgetSpent,
    Client,
    LookupResult,
    PadanError,
    PartnerKey,
    PermissionDenied,
    Purpose,
    RequestIdExpired,
    RequestIdReused,
    RequestInvalid,
    ServiceFault,
    TooStale,
    Unauthenticated,
    Unavailable,
    Verification,
    new_request_id,
)
from padan_client.channels import is_loopback, transport_credentials
from padan_client.keys import KeyKind, new_private_key, private_pem

NIK = "0000000101900001"
NAME = "SITI CONTOH"
KEY = PartnerKey("bank-a", "key-1", private_key=new_private_key(KeyKind.EDDSA))
MATCHED = verification_pb2.VerifyResponse(outcome=verification_pb2.OUTCOME_MATCHED, billable=True)

Step = Callable[[grpc.ServicerContext], Message]
Code = grpc.StatusCode


def answer(message: Message = MATCHED) -> Step:
    """Answer with a message."""
    return lambda context: message


def refuse(
    code: Code, reason: str = "", *details: Message, domain: str = "padan.v1", **metadata: str
) -> Step:
    """End with a status, with the details that the service gives."""
    info = [ErrorInfo(reason=reason, domain=domain, metadata=metadata)] if reason else []
    return fail(code, f"the text, {NIK}", *info, *details)


def fail(code: Code, text: str, *details: Message, raw: bytes | None = None) -> Step:
    """End with a status, with whatever details."""
    status = Status(code=code.value[0], message=text)
    for detail in details:
        packed = Packed()
        packed.Pack(detail)
        status.details.append(packed)
    encoded = status.SerializeToString() if raw is None else raw

    def step(context: grpc.ServicerContext) -> Message:
        context.set_trailing_metadata((("grpc-status-details-bin", encoded),))
        context.abort(code, text)

    return step


def retry_info(seconds: float) -> RetryInfo:
    """Say when to try again."""
    info = RetryInfo()
    info.retry_delay.FromTimedelta(timedelta(seconds=seconds))
    return info


class ScriptedService(VerificationServiceServicer, RegistryServiceServicer):
    """Takes one step of its script per call, the last one for ever, and keeps what it was sent."""

    def __init__(self) -> None:
        self.script: list[Step] = [answer()]
        self.requests: list[Message] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.peers: set[str] = set()
        self._lock = threading.Lock()

    def Verify(self, request: Any, context: Any) -> Any:
        return self._take_step(request, context)

    def Lookup(self, request: Any, context: Any) -> Any:
        return self._take_step(request, context)

    def ListRegions(self, request: Any, context: Any) -> Any:
        return self._take_step(request, context)

    def GetRegion(self, request: Any, context: Any) -> Any:
        return self._take_step(request, context)

    def _take_step(self, request: Message, context: grpc.ServicerContext) -> Message:
        with self._lock:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            self.peers.add(context.peer())
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step(context)


class RunningServer:
    """A gRPC server with the scripted service, on a free port of 127.0.0.1."""

    def __init__(
        self,
        service: ScriptedService,
        *,
        port: int = 0,
        tls: grpc.ServerCredentials | None = None,
    ) -> None:
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        add_VerificationServiceServicer_to_server(service, self._server)
        add_RegistryServiceServicer_to_server(service, self._server)
        address = f"127.0.0.1:{port}"
        self.port = (
            self._server.add_secure_port(address, tls)
            if tls
            else self._server.add_insecure_port(address)
        )
        self.target = f"127.0.0.1:{self.port}"
        self._server.start()

    def stop(self) -> None:
        assert self._server.stop(grace=None).wait(10)


class Caller:
    """The two clients under one shape, so that every test runs on both."""

    def __init__(self, client: Client | AsyncClient) -> None:
        self.client = client

    async def verify(self, nik: str = NIK, **options: Any) -> Verification:
        options = {"purpose": Purpose.ACCOUNT_OPENING, "full_name": NAME, **options}
        if isinstance(self.client, AsyncClient):
            return await self.client.verify(nik, **options)
        return await asyncio.to_thread(self.client.verify, nik, **options)

    async def lookup(self, mask: list[str]) -> LookupResult:
        if isinstance(self.client, AsyncClient):
            return await self.client.lookup(NIK, mask, purpose="LAW_ENFORCEMENT")
        return await asyncio.to_thread(self.client.lookup, NIK, mask, purpose="LAW_ENFORCEMENT")

    async def error(self, **options: Any) -> PadanError:
        """Give the error of a call, having seen that it tells nothing of the person."""
        with pytest.raises(PadanError) as caught:
            await self.verify(**options)
        told = f"{caught.value}{caught.value!r}{caught.value.hint}{caught.value.__dict__}"
        assert NIK not in told
        assert NAME not in told
        return caught.value


@pytest.fixture
def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def server(service: ScriptedService) -> Iterator[RunningServer]:
    running = RunningServer(service)
    yield running
    running.stop()


Connect = Callable[..., Caller]


@pytest.fixture(params=[Client, AsyncClient])
async def connect(request: pytest.FixtureRequest, server: RunningServer) -> AsyncIterator[Connect]:
    made: list[Client | AsyncClient] = []

    def connect(**settings: Any) -> Caller:
        defaults = {"target": server.target, "credentials": KEY, "insecure": True}
        made.append(request.param(**{**defaults, **settings}))
        return Caller(made[-1])

    yield connect
    for client in made:
        if isinstance(client, AsyncClient):
            await client.close()
        else:
            client.close()


@pytest.fixture
async def caller(connect: Connect) -> Caller:
    return connect()


async def test_a_call_carries_the_request_and_a_token(
    caller: Caller, service: ScriptedService
) -> None:
    request_id = new_request_id()
    result = await caller.verify(request_id=request_id)
    assert result.matched
    assert result.request_id == request_id
    assert service.requests == [
        verification_pb2.VerifyRequest(
            nik=NIK,
            purpose=verification_pb2.PURPOSE_ACCOUNT_OPENING,
            request_id=request_id,
            claims=record_pb2.Claims(full_name=NAME),
        )
    ]
    scheme, token = str(service.metadata[0]["authorization"]).split(" ")
    assert scheme == "Bearer"
    public = KEY.private_key.public_key()
    assert jwt.decode(token, public, algorithms=["EdDSA"], audience="padan")["iss"] == "bank-a"
    assert str(service.metadata[0]["user-agent"]).startswith("padan-python/")


async def test_a_lookup_reads_what_it_named(caller: Caller, service: ScriptedService) -> None:
    person = record_pb2.Person(full_name=NAME)
    found = verification_pb2.LookupResponse(outcome=verification_pb2.OUTCOME_FOUND, person=person)
    service.script = [answer(found)]
    result = await caller.lookup(["full_name"])
    assert result.found
    assert result.person.full_name == NAME


async def test_calls_share_a_token_and_use_every_channel(
    caller: Caller, service: ScriptedService
) -> None:
    for _ in range(8):
        await caller.verify()
    assert len({each["authorization"] for each in service.metadata}) == 1
    assert len(service.peers) == 4


async def test_unavailable_is_tried_again_as_the_same_call_on_another_channel(
    caller: Caller, service: ScriptedService
) -> None:
    unavailable = refuse(Code.UNAVAILABLE, "REGISTRY_UNAVAILABLE")
    service.script = [unavailable, unavailable, answer()]
    assert await caller.verify()
    assert len(service.requests) == len(service.peers) == 3
    assert all(request == service.requests[0] for request in service.requests)


async def test_the_service_says_how_long_to_wait(caller: Caller, service: ScriptedService) -> None:
    service.script = [refuse(Code.UNAVAILABLE, "OVERLOADED", retry_info(0.4)), answer()]
    started = time.monotonic()
    await caller.verify()
    assert time.monotonic() - started >= 0.4


async def test_a_wait_beyond_the_deadline_is_not_begun(
    caller: Caller, service: ScriptedService
) -> None:
    service.script = [refuse(Code.UNAVAILABLE, "OVERLOADED", retry_info(60)), answer()]
    error = await caller.error()
    assert isinstance(error, Unavailable)
    assert (error.reason, error.retry_after) == ("OVERLOADED", timedelta(seconds=60))
    assert len(service.requests) == 1


async def test_attempts_end(connect: Connect, service: ScriptedService) -> None:
    service.script = [refuse(Code.UNAVAILABLE, "LEDGER_UNAVAILABLE")]
    error = await connect(max_attempts=2).error()
    assert (type(error), error.reason) == (Unavailable, "LEDGER_UNAVAILABLE")
    assert len(service.requests) == 2


async def test_a_connection_that_swallows_the_call_is_given_up_for_another(
    connect: Connect, service: ScriptedService
) -> None:
    release = threading.Event()

    def swallow(context: grpc.ServicerContext) -> Message:
        release.wait(10)
        return MATCHED

    service.script = [swallow, answer()]
    try:
        result = await connect(timeout_seconds=1.0).verify()
    finally:
        release.set()
    assert result.matched
    assert len(service.requests) == len(service.peers) == 2
    assert service.requests[0] == service.requests[1]


async def test_the_deadline_covers_all_attempts(connect: Connect, service: ScriptedService) -> None:
    release = threading.Event()

    def swallow(context: grpc.ServicerContext) -> Message:
        release.wait(10)
        return MATCHED

    service.script = [swallow]
    started = time.monotonic()
    try:
        error = await connect().error(timeout_seconds=0.4)
    finally:
        release.set()
    assert time.monotonic() - started < 2
    assert (type(error), error.reason) == (Unavailable, "DEADLINE_EXCEEDED")


STATUSES: list[tuple[Code, str, type[PadanError]]] = [
    (Code.INVALID_ARGUMENT, "REQUEST_INVALID", RequestInvalid),
    (Code.UNAUTHENTICATED, "TOKEN_EXPIRED", Unauthenticated),
    (Code.UNAUTHENTICATED, "KEY_UNKNOWN", Unauthenticated),
    (Code.PERMISSION_DENIED, "PARTNER_SUSPENDED", PermissionDenied),
    (Code.PERMISSION_DENIED, "PURPOSE_NOT_GRANTED", PermissionDenied),
    (Code.RESOURCE_EXHAUSTED, "BUDGET_SPENT", BudgetSpent),
    (Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", RequestIdReused),
    (Code.INVALID_ARGUMENT, "REQUEST_ID_EXPIRED", RequestIdExpired),
    (Code.FAILED_PRECONDITION, "TOO_STALE", TooStale),
    (Code.INTERNAL, "INTERNAL", ServiceFault),
]


@pytest.mark.parametrize(("code", "reason", "kind"), STATUSES, ids=[r for _, r, _ in STATUSES])
@pytest.mark.parametrize("prefix", ["", "ERROR_REASON_"])
async def test_a_refusal_is_a_typed_error_and_not_tried_again(
    caller: Caller,
    service: ScriptedService,
    code: Code,
    reason: str,
    kind: type[PadanError],
    prefix: str,
) -> None:
    service.script = [refuse(code, prefix + reason)]
    request_id = new_request_id()
    error = await caller.error(request_id=request_id)
    assert (type(error), error.reason) == (kind, reason)
    assert error.request_id == request_id
    assert error.hint.endswith(".")
    assert len(service.requests) == 1


async def test_a_reason_of_a_newer_service_falls_back_to_its_code(
    caller: Caller, service: ScriptedService
) -> None:
    expected = {
        Code.PERMISSION_DENIED: PermissionDenied,
        Code.RESOURCE_EXHAUSTED: BudgetSpent,
        Code.FAILED_PRECONDITION: PadanError,
        Code.ABORTED: PadanError,
        Code.INTERNAL: ServiceFault,
    }
    for code, kind in expected.items():
        service.script = [refuse(code, "NOT_YET_INVENTED")]
        error = await caller.error()
        assert (type(error), error.reason) == (kind, "NOT_YET_INVENTED")


async def test_a_status_that_the_service_did_not_write_is_told_by_its_code(
    caller: Caller, service: ScriptedService
) -> None:
    service.script = [refuse(Code.RESOURCE_EXHAUSTED, "BUDGET_SPENT", domain="proxy.test")]
    error = await caller.error()
    assert (type(error), error.reason) == (ServiceFault, "RESOURCE_EXHAUSTED")
    service.script = [fail(Code.PERMISSION_DENIED, "no", raw=b"\xff\xff\xff")]
    error = await caller.error()
    assert (type(error), error.reason) == (PermissionDenied, "PERMISSION_DENIED")


async def test_an_invalid_request_names_its_fields(
    caller: Caller, service: ScriptedService
) -> None:
    bad = BadRequest()
    bad.field_violations.add(field="nik", description="must be 16 digits")
    bad.field_violations.add(field="claims.rt", description="one rule")
    bad.field_violations.add(field="claims.rt", description=f"another rule, {NIK}")
    service.script = [refuse(Code.INVALID_ARGUMENT, "REQUEST_INVALID", bad)]
    error = await caller.error()
    assert isinstance(error, RequestInvalid)
    assert error.fields["nik"] == "must be 16 digits"
    assert error.fields["claims.rt"].startswith("one rule, another rule")
    assert "nik: must be 16 digits" in str(error)


async def test_a_denial_names_the_elements(caller: Caller, service: ScriptedService) -> None:
    service.script = [
        refuse(Code.PERMISSION_DENIED, "ELEMENT_NOT_GRANTED", elements="religion,address")
    ]
    error = await caller.error()
    assert isinstance(error, PermissionDenied)
    assert error.elements == ("religion", "address")


async def test_a_spent_budget_tells_its_window_and_its_end(
    caller: Caller, service: ScriptedService
) -> None:
    quota = QuotaFailure(violations=[QuotaFailure.Violation(subject="budget:day")])
    service.script = [refuse(Code.RESOURCE_EXHAUSTED, "BUDGET_SPENT", quota, retry_info(3600))]
    error = await caller.error()
    assert isinstance(error, BudgetSpent)
    assert (error.window, error.retry_after) == ("day", timedelta(hours=1))


async def test_what_the_sdk_itself_refuses_is_not_sent(
    caller: Caller, service: ScriptedService
) -> None:
    error = await caller.error(birth_date=None)
    assert isinstance(error, RequestInvalid)
    assert service.requests == []


async def test_a_service_that_is_not_there_is_unavailable(
    connect: Connect, server: RunningServer
) -> None:
    server.stop()
    error = await connect(max_attempts=2).error()
    assert (type(error), error.reason) == (Unavailable, "UNAVAILABLE")


async def test_a_service_that_was_away_is_found_again_within_a_call(
    connect: Connect, server: RunningServer, service: ScriptedService
) -> None:
    caller = connect(max_attempts=10)
    await caller.verify()
    server.stop()
    assert isinstance(await caller.error(timeout_seconds=0.5), Unavailable)
    again = RunningServer(service, port=server.port)
    try:
        assert await caller.verify()
    finally:
        again.stop()


async def test_many_callers_share_a_client(caller: Caller, service: ScriptedService) -> None:
    results = await asyncio.gather(*(caller.verify() for _ in range(200)))
    assert len({result.request_id for result in results}) == 200


def certificate(directory: Path) -> tuple[Path, grpc.ServerCredentials]:
    """Make a certificate for 127.0.0.1: the file that a client trusts, and the server's side."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "padan test")])
    now = datetime.now(UTC)
    alternatives = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = signed.public_bytes(Encoding.PEM)
    file = directory / "ca.pem"
    file.write_bytes(pem)
    return file, grpc.ssl_server_credentials([(private_pem(key), pem)])


async def test_tls_trusts_the_ca_file_and_nobody_else(
    connect: Connect, service: ScriptedService, tmp_path: Path
) -> None:
    ca_file, tls = certificate(tmp_path)
    server = RunningServer(service, tls=tls)
    try:
        assert await connect(target=server.target, insecure=False, ca_file=ca_file).verify()
        stranger = connect(target=server.target, insecure=False, max_attempts=1)
        assert isinstance(await stranger.error(), Unavailable)
    finally:
        server.stop()
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("target", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.8.9.1:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("10.0.0.1:1", False),
        ("padan.example:1", False),
        ("localhost.example:1", False),
        ("dns:///localhost:1", False),
        ("127.0.0.1", False),
        ("", False),
    ],
)
def test_plaintext_is_for_loopback_only(target: str, loopback: bool) -> None:
    assert is_loopback(target) is loopback
    if loopback:
        assert transport_credentials(target=target, ca_file=None, insecure=True) is None
    else:
        with pytest.raises(ValueError, match="loopback"):
            transport_credentials(target=target, ca_file=None, insecure=True)


def test_an_async_client_outside_a_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        AsyncClient(target="127.0.0.1:1", credentials=KEY, insecure=True)


async def test_a_cancelled_call_is_cancelled(
    server: RunningServer, service: ScriptedService
) -> None:
    release = threading.Event()
    arrived = threading.Event()

    def swallow(context: grpc.ServicerContext) -> Message:
        arrived.set()
        release.wait(10)
        return MATCHED

    service.script = [swallow]
    async with AsyncClient(target=server.target, credentials=KEY, insecure=True) as client:
        call = asyncio.create_task(Caller(client).verify())
        await asyncio.to_thread(arrived.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    release.set()
    assert len(service.requests) == 1
