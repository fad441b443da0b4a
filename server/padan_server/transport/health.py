"""Asking a server's health, as a container's health check does."""

from __future__ import annotations

from pathlib import Path

import grpc
from cryptography import x509
from grpc_health.v1.health import SERVICE_NAME
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

TIMEOUT_SECONDS = 3.0


def ask(address: str, *, service: str, certificate_file: Path | None) -> str:
    """Give the status's name, or why it cannot be had.

    The server's own certificate is trusted, under the name that it states: the check asks whether
    this server answers, not who it is.
    """
    with _channel(address, certificate_file) as channel:
        check = channel.unary_unary(
            f"/{SERVICE_NAME}/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = check(HealthCheckRequest(service=service), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
    return str(HealthCheckResponse.ServingStatus.Name(answer.status))


def _channel(address: str, certificate_file: Path | None) -> grpc.Channel:
    if certificate_file is None:
        return grpc.insecure_channel(address)
    chain = certificate_file.read_bytes()
    return grpc.secure_channel(
        address,
        grpc.ssl_channel_credentials(chain),
        options=[("grpc.ssl_target_name_override", _stated_name(chain))],
    )


def _stated_name(chain: bytes) -> str:
    certificate = x509.load_pem_x509_certificate(chain)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return next(iter(names.get_values_for_type(x509.DNSName)), "localhost")
