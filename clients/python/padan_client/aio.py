"""The asynchronous client. It belongs to the event loop in which it was made."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from os import PathLike
from types import TracebackType
from typing import Self, TypeVar, Unpack
from uuid import UUID

import grpc
from grpc import aio

from padan.v1.registry_pb2 import GetRegionRequest, ListRegionsRequest
from padan.v1.registry_pb2_grpc import RegistryServiceStub
from padan.v1.verification_pb2 import LookupRequest, VerifyRequest
from padan.v1.verification_pb2_grpc import VerificationServiceStub
from padan_client.channels import channel_options, checked_channels, transport_credentials
from padan_client.decode import lookup_result_of, verification_of
from padan_client.decode_regions import endless, region_page_of, region_result_of
from padan_client.encode import Circumstances, Claims, Consent, lookup_request, verify_request
from padan_client.encode_regions import PAGES_MAX, region_request, regions_request
from padan_client.keys import PartnerKey
from padan_client.regions import Region, RegionPage, RegionResult
from padan_client.request_id import new_request_id
from padan_client.results import LookupResult, Verification
from padan_client.retry import RetryPolicy, checked_timeout
from padan_client.status import error_of
from padan_client.tokens import TokenSource
from padan_client.vocabulary import Purpose, RegionLevel

_Request = TypeVar("_Request", VerifyRequest, LookupRequest, ListRegionsRequest, GetRegionRequest)
_Response = TypeVar("_Response")


class AsyncClient:
    """Calls the service as one partner, from within a running event loop.

    `target` is host:port. TLS trusts the system's roots, or those in `ca_file`; `insecure`
    (plaintext) is accepted for loopback targets only. `timeout_seconds` is the deadline of a call
    over all its attempts. Raises ValueError for settings that cannot be, OSError if `ca_file`
    cannot be read, RuntimeError outside an event loop; it does not connect before the first call.
    """

    def __init__(
        self,
        *,
        target: str,
        credentials: PartnerKey,
        audience: str = "padan",
        ca_file: str | PathLike[str] | None = None,
        insecure: bool = False,
        channels: int = 4,
        timeout_seconds: float = 5.0,
        max_attempts: int = 4,
    ) -> None:
        # Channels bind to the loop: better an error here than a call that hangs.
        asyncio.get_running_loop()
        self._timeout_seconds = checked_timeout(timeout_seconds)
        self._retry = RetryPolicy(max_attempts=max_attempts)
        self._tokens = TokenSource(credentials, audience=audience)
        tls = transport_credentials(target=target, ca_file=ca_file, insecure=insecure)
        self._channels = [_open(target, tls) for _ in range(checked_channels(channels))]
        self._verification = cycle([VerificationServiceStub(each) for each in self._channels])
        self._registry = cycle([RegistryServiceStub(each) for each in self._channels])

    @staticmethod
    def new_request_id() -> str:
        """Mint a request id, to be stored before the call that will carry it."""
        return new_request_id()

    async def verify(
        self,
        nik: str,
        claims: Mapping[str, object] | None = None,
        *,
        purpose: Purpose | str,
        consent: Consent | None = None,
        case_reference: str = "",
        operator: str = "",
        max_staleness: timedelta | None = None,
        request_id: str | UUID | None = None,
        timeout_seconds: float | None = None,
        **more_claims: Unpack[Claims],
    ) -> Verification:
        """Compare claims, given as a mapping or as keywords, with the record of a NIK.

        Raises PadanError: the person is then not verified.
        """
        about = Circumstances(
            purpose=purpose,
            consent=consent,
            case_reference=case_reference,
            operator=operator,
            max_staleness=max_staleness,
            request_id=request_id,
        )
        request = verify_request(nik, claims or {}, more_claims, about)
        message = await self._call(
            lambda: next(self._verification).Verify, request, timeout_seconds, request.request_id
        )
        return verification_of(
            message, request_id=request.request_id, received_at=datetime.now(UTC)
        )

    async def lookup(
        self,
        nik: str,
        read_mask: Iterable[str],
        *,
        purpose: Purpose | str,
        consent: Consent | None = None,
        case_reference: str = "",
        operator: str = "",
        max_staleness: timedelta | None = None,
        request_id: str | UUID | None = None,
        timeout_seconds: float | None = None,
    ) -> LookupResult:
        """Read the elements of a NIK's record that `read_mask` names.

        Raises PadanError, PermissionDenied with `elements` if one of them is not granted.
        """
        about = Circumstances(
            purpose=purpose,
            consent=consent,
            case_reference=case_reference,
            operator=operator,
            max_staleness=max_staleness,
            request_id=request_id,
        )
        request = lookup_request(nik, read_mask, about)
        message = await self._call(
            lambda: next(self._verification).Lookup, request, timeout_seconds, request.request_id
        )
        return lookup_result_of(
            message, request_id=request.request_id, received_at=datetime.now(UTC)
        )

    async def list_region_pages(
        self,
        *,
        parent: str = "ID",
        level: RegionLevel | str | None = None,
        include_retired: bool = False,
        page_size: int = 0,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[RegionPage]:
        """Give the pages of `list_regions`, each with its age and the entry of its call."""
        page_token = ""
        for _ in range(PAGES_MAX):
            request = regions_request(
                parent=parent,
                level=level,
                include_retired=include_retired,
                page_size=page_size,
                page_token=page_token,
            )
            message = await self._call(
                lambda: next(self._registry).ListRegions, request, timeout_seconds
            )
            page = region_page_of(message, received_at=datetime.now(UTC))
            yield page
            page_token = page.next_page_token
            if not page_token:
                return
        raise endless()

    async def list_regions(
        self,
        *,
        parent: str = "ID",
        level: RegionLevel | str | None = None,
        include_retired: bool = False,
        page_size: int = 0,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[Region]:
        """Give the regions of a level within `parent`, ordered by code; each page is a call.

        Without `level` it is the one below the parent's; `page_size` 0 leaves the size to the
        service, and `timeout_seconds` is each call's. Raises PadanError, RegionUnknown for a code
        that no list has.
        """
        pages = self.list_region_pages(
            parent=parent,
            level=level,
            include_retired=include_retired,
            page_size=page_size,
            timeout_seconds=timeout_seconds,
        )
        async for page in pages:
            for region in page.regions:
                yield region

    async def get_region(
        self, code: str = "ID", *, timeout_seconds: float | None = None
    ) -> RegionResult:
        """Read one region and how complete its records are; "ID" is the whole country.

        Raises PadanError, RegionUnknown for a code that no list has.
        """
        message = await self._call(
            lambda: next(self._registry).GetRegion, region_request(code), timeout_seconds
        )
        return region_result_of(message, received_at=datetime.now(UTC))

    async def _call(
        self,
        method: Callable[[], aio.UnaryUnaryMultiCallable[_Request, _Response]],
        request: _Request,
        timeout_seconds: float | None,
        request_id: str = "",
    ) -> _Response:
        timeout = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = time.monotonic() + checked_timeout(timeout)
        for attempt in count(1):
            attempt_timeout = self._retry.attempt_timeout(
                attempt, remaining_seconds=deadline - time.monotonic()
            )
            try:
                return await method()(
                    request,
                    timeout=attempt_timeout,
                    metadata=(("authorization", f"Bearer {self._tokens.token()}"),),
                )
            except aio.AioRpcError as failed:
                error = error_of(failed, request_id=request_id)
            pause = self._retry.pause_after(
                error,
                attempt=attempt,
                remaining_seconds=deadline - time.monotonic(),
                random=random.random,
            )
            if pause is None:
                raise error
            await asyncio.sleep(pause)
        raise AssertionError("the loop ends by returning or raising")

    async def close(self) -> None:
        """Close the connections; calls under way are cancelled."""
        for channel in self._channels:
            await channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _open(target: str, tls: grpc.ChannelCredentials | None) -> aio.Channel:
    if tls is None:
        return aio.insecure_channel(target, options=channel_options())
    return aio.secure_channel(target, tls, options=channel_options())
