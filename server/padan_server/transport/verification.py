"""The servicer of VerificationService: decode, run, encode."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any
from urllib.parse import unquote

import grpc

from padan_server.domain.call import Call
from padan_server.domain.claims import LookupQuery, VerifyQuery
from padan_server.operations.lookup import Lookup
from padan_server.operations.verify import Verify
from padan_server.pipeline import Pipeline
from padan_server.transport import convert, ordinary
from padan_server.transport.refused import refusing
from padan_server.transport.requests import RequestParser, contract

NAME = "padan.v1.VerificationService"


class VerificationServicer:
    """Serves Verify and Lookup. Requests arrive as bytes: the pipeline has them parsed."""

    def __init__(self, *, pipeline: Pipeline, verify: Verify, lookup: Lookup) -> None:
        pool, validator = contract()
        self._pipeline = pipeline
        self._verify = verify
        self._lookup = lookup
        self._verify_parser = RequestParser("VerifyRequest", pool=pool, validator=validator)
        self._lookup_parser = RequestParser("LookupRequest", pool=pool, validator=validator)

    async def verify(self, request: bytes, context: Any) -> bytes:
        """Serve one Verify."""
        answered = await self._pipeline.run(
            call_of(context), partial(self._verify_query, request), self._verify
        )
        return convert.verify_response(answered)

    async def lookup(self, request: bytes, context: Any) -> bytes:
        """Serve one Lookup."""
        elements: tuple[str, ...] = ()

        def decode() -> LookupQuery:
            nonlocal elements
            message = self._lookup_parser.parse(request)
            self._lookup_parser.validate(message)
            query = convert.lookup_query(message)
            elements = query.elements
            return query

        answered = await self._pipeline.run(call_of(context), decode, self._lookup)
        return convert.lookup_response(answered, elements).SerializeToString()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Give the methods for a server."""
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Verify": grpc.unary_unary_rpc_method_handler(refusing(self.verify)),
                "Lookup": grpc.unary_unary_rpc_method_handler(refusing(self.lookup)),
            },
        )

    def _verify_query(self, request: bytes) -> VerifyQuery:
        message = self._verify_parser.parse(request)
        query = ordinary.verify_query(message)
        if query is None:
            self._verify_parser.validate(message)
            query = convert.verify_query(message)
        return query


def call_of(context: Any) -> Call:
    """Read what came with a request beside its message."""
    authorization = ""
    for key, value in context.invocation_metadata():
        if key == "authorization" and isinstance(value, str):
            authorization = value
            break
    return Call(authorization, _address(context.peer()))


@lru_cache(maxsize=4096)
def _address(peer: str) -> str:
    """Cut gRPC's form of a peer (`ipv4:192.0.2.1:50000`) to an address."""
    family, _, rest = unquote(peer).partition(":")
    if family == "unix":
        return "unix"
    return rest.rpartition(":")[0].strip("[]")
