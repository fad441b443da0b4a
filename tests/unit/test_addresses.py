"""Addresses to listen at, of both families: as gRPC takes them, and as the health check asks."""

from __future__ import annotations

import asyncio
import socket

import pytest

from padan_server.cli.serving import _reachable
from padan_server.config import address
from padan_server.supervisor import reserve_port
from padan_server.transport.health import ask
from padan_server.transport.server import Server


@pytest.mark.parametrize(
    ("host", "written", "asked"),
    [
        ("127.0.0.1", "127.0.0.1:8443", "127.0.0.1:8443"),
        ("0.0.0.0", "0.0.0.0:8443", "127.0.0.1:8443"),
        ("::1", "[::1]:8443", "[::1]:8443"),
        ("::", "[::]:8443", "[::1]:8443"),
        ("padan.example", "padan.example:8443", "padan.example:8443"),
    ],
)
def test_an_address_is_written_as_grpc_takes_it(host: str, written: str, asked: str) -> None:
    assert address(host, 8443) == written
    assert address(_reachable(host), 8443) == asked


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")),
    ],
)
async def test_a_server_answers_at_the_port_that_was_reserved(host: str) -> None:
    with reserve_port(host, 0) as holder:
        at = address(host, holder.getsockname()[1])
        server = Server(address=at, tls=None, handlers=[], services=[])
        await server.start()
        assert await asyncio.to_thread(ask, at, service="", certificate_file=None) == "SERVING"
        await server.stop(grace_seconds=0)
