"""The servicer of RegistryService: decode, run, encode."""

from __future__ import annotations

from functools import partial
from typing import Any

import grpc

from padan_server.domain.claims import RegionQuery, RegionsQuery
from padan_server.operations.regions import GetRegion, ListRegions
from padan_server.pipeline import Pipeline
from padan_server.transport import convert_registry as convert
from padan_server.transport.refused import refusing
from padan_server.transport.requests import RequestParser, contract
from padan_server.transport.verification import call_of

NAME = "padan.v1.RegistryService"


class RegistryServicer:
    """Serves ListRegions and GetRegion. Requests arrive as bytes: the pipeline has them parsed."""

    def __init__(
        self, *, pipeline: Pipeline, list_regions: ListRegions, get_region: GetRegion
    ) -> None:
        pool, validator = contract()
        self._pipeline = pipeline
        self._list_regions = list_regions
        self._get_region = get_region
        self._list_parser = RequestParser("ListRegionsRequest", pool=pool, validator=validator)
        self._get_parser = RequestParser("GetRegionRequest", pool=pool, validator=validator)

    async def list_regions(self, request: bytes, context: Any) -> bytes:
        """Serve one ListRegions."""
        answered = await self._pipeline.run(
            call_of(context), partial(self._regions_query, request), self._list_regions
        )
        return convert.regions_response(answered).SerializeToString()

    async def get_region(self, request: bytes, context: Any) -> bytes:
        """Serve one GetRegion."""
        answered = await self._pipeline.run(
            call_of(context), partial(self._region_query, request), self._get_region
        )
        return convert.region_response(answered).SerializeToString()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Give the methods for a server."""
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "ListRegions": grpc.unary_unary_rpc_method_handler(refusing(self.list_regions)),
                "GetRegion": grpc.unary_unary_rpc_method_handler(refusing(self.get_region)),
            },
        )

    def _regions_query(self, request: bytes) -> RegionsQuery:
        message = self._list_parser.parse(request)
        self._list_parser.validate(message)
        return convert.regions_query(message)

    def _region_query(self, request: bytes) -> RegionQuery:
        message = self._get_parser.parse(request)
        self._get_parser.validate(message)
        return convert.region_query(message)
