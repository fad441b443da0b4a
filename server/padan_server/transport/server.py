"""The gRPC server of a worker: its options, health, reflection, and how it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health import SERVICE_NAME as HEALTH
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

MESSAGE_BYTES_MAX = 256 * 1024
"""Longest message that is read at all; methods refuse much shorter ones by name."""

CONNECTION_AGE_SECONDS = 300
CONNECTION_GRACE_SECONDS = 30
"""A connection stays on one worker: ending old ones spreads callers over workers again."""

STREAMS_MAX = 1000
"""Calls at once on one connection."""

_OPTIONS = (
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", STREAMS_MAX),
    ("grpc.max_connection_age_ms", CONNECTION_AGE_SECONDS * 1000),
    ("grpc.max_connection_age_grace_ms", CONNECTION_GRACE_SECONDS * 1000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
)

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of the server's certificate chain and private key, in PEM."""

    certificate_file: Path
    key_file: Path


class Server:
    """Serves handlers, health and reflection at one address.

    `services` are the names whose health is told; all start as not serving.
    """

    def __init__(
        self,
        *,
        address: str,
        tls: Tls | None,
        handlers: Sequence[grpc.GenericRpcHandler],
        services: Sequence[str],
    ) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers(tuple(handlers))
        self._health = HealthServicer()
        self._services = tuple(services)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._add_reflection()
        self.port = self._listen(address, tls)

    async def start(self) -> None:
        """Begin to serve; the server as a whole is alive from here on."""
        await self._server.start()
        await self._health.set("", HealthCheckResponse.SERVING)
        for service in self._services:
            await self.tell_health(service, serving=False)

    async def tell_health(self, service: str, *, serving: bool) -> None:
        """Tell whether a service can answer."""
        status = HealthCheckResponse.SERVING if serving else HealthCheckResponse.NOT_SERVING
        await self._health.set(service, status)

    async def stop(self, *, grace_seconds: float) -> None:
        """Take no new calls, and give those under way time to end."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)

    def _listen(self, address: str, tls: Tls | None) -> int:
        if tls is None:
            return self._server.add_insecure_port(address)
        credentials = grpc.ssl_server_credentials(
            [(tls.key_file.read_bytes(), tls.certificate_file.read_bytes())]
        )
        return self._server.add_secure_port(address, credentials)

    def _add_reflection(self) -> None:
        """Serve reflection as v1alpha and as v1, whose messages are the same on the wire."""
        names = (*self._services, HEALTH, reflection.SERVICE_NAME, REFLECTION_V1)
        servicer = ReflectionServicer(service_names=names)
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        for name in (reflection.SERVICE_NAME, REFLECTION_V1):
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}),)
            )
