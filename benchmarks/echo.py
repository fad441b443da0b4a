"""The echo: the same gRPC server as a worker's, whose method parses the request and does nothing.

It answers every Verify with one message that Padan itself sent, serialised anew for each call. What
it reaches is what grpc.aio leaves to any service on that core.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import grpc
import uvloop

from padan.v1 import verification_pb2 as pb
from padan_server.compose.process import settle
from padan_server.transport.server import Server, Tls

SERVICE = "padan.v1.VerificationService"
GRACE_SECONDS = 1.0


def handlers(answer: pb.VerifyResponse) -> grpc.GenericRpcHandler:
    """Give the method that answers with this message."""

    async def verify(request: pb.VerifyRequest, context: Any) -> pb.VerifyResponse:
        return answer

    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Verify": grpc.unary_unary_rpc_method_handler(
                verify,
                request_deserializer=pb.VerifyRequest.FromString,
                response_serializer=pb.VerifyResponse.SerializeToString,
            )
        },
    )


async def serve(answer: bytes, *, address: str, tls: Tls | None) -> None:
    """Serve until SIGTERM; the port is the first line on standard output."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = Server(
        address=address,
        tls=tls,
        handlers=[handlers(pb.VerifyResponse.FromString(answer))],
        services=[SERVICE],
    )
    await server.start()
    settle()
    print(server.port, flush=True)
    await stopping.wait()
    await server.stop(grace_seconds=GRACE_SECONDS)


def main() -> None:
    """Read the options, and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.echo", description=__doc__)
    parser.add_argument("--address", default="127.0.0.1:0")
    parser.add_argument("--answer", type=Path, required=True, help="a serialised VerifyResponse")
    parser.add_argument("--core", type=int, help="the core to stay on")
    parser.add_argument("--certificate", type=Path, help="PEM; TLS is off without it")
    parser.add_argument("--key", type=Path, help="PEM")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    tls = Tls(options.certificate, options.key) if options.certificate else None
    uvloop.run(serve(options.answer.read_bytes(), address=options.address, tls=tls))


if __name__ == "__main__":
    main()
