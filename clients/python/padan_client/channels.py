"""Where the service is and how to reach it: TLS, loopback, and the settings of each channel.

One HTTP/2 connection stays on one worker of the service, so a client holds several.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from os import PathLike
from pathlib import Path

import grpc

from padan_client.version import sdk_version

CHANNELS_MAX = 32
"""More connections than this spread the calls no better."""


def channel_options() -> list[tuple[str, int | str]]:
    """Give the settings of one channel."""
    return [
        # Without it grpc gives equal channels of one process the same connection.
        ("grpc.use_local_subchannel_pool", 1),
        # Retries are decided in one place: padan_client.retry.
        ("grpc.enable_retries", 0),
        # A worker that restarts is back within a second; grpc's own backoff reaches minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # A VPN that drops idle connections says nothing: ask, while a call waits.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.primary_user_agent", f"padan-python/{sdk_version()}"),
    ]


def checked_channels(count: int) -> int:
    """Return a number of channels if it is one that can be asked for. Raises ValueError."""
    if not 1 <= count <= CHANNELS_MAX:
        raise ValueError(f"channels must be 1 to {CHANNELS_MAX}")
    return count


def transport_credentials(
    *, target: str, ca_file: str | PathLike[str] | None, insecure: bool
) -> grpc.ChannelCredentials | None:
    """Give the TLS settings; None for a plaintext connection, which only loopback may have.

    Raises ValueError for plaintext to another host, or together with `ca_file`; OSError if the
    file cannot be read.
    """
    if not insecure:
        roots = _system_roots() if ca_file is None else Path(ca_file).read_bytes()
        return grpc.ssl_channel_credentials(root_certificates=roots)
    if ca_file is not None:
        raise ValueError("ca_file and insecure exclude each other")
    if not is_loopback(target):
        raise ValueError("insecure is allowed for loopback targets only, such as 127.0.0.1:8443")
    return None


def is_loopback(target: str) -> bool:
    """Tell whether a target in the form host:port is certain to stay on this machine."""
    host, separator, port = target.rpartition(":")
    if not separator or not port.isdecimal():
        return False
    if host == "localhost":
        return True
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _system_roots() -> bytes | None:
    # None means the roots that grpc carries: a machine may have no CA file where OpenSSL looks.
    ca_file = ssl.get_default_verify_paths().cafile
    return Path(ca_file).read_bytes() if ca_file else None
