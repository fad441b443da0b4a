"""The server's edges: TLS, health, reflection, and what the command line tells."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from padan_client import Client
from padan_server.transport.server import REFLECTION_V1
from tests.support.padan import Padan, padan

NIK = "3171015203909001"
REFLECTION_V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"


@pytest.mark.parametrize("service", ["", "padan.v1.VerificationService"])
def test_health_is_told_for_the_server_and_the_service(running: Padan, service: str) -> None:
    with grpc.insecure_channel(running.serving.target) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        assert check(HealthCheckRequest(service=service), timeout=5).status == 1


@pytest.mark.parametrize("name", [REFLECTION_V1, REFLECTION_V1ALPHA])
def test_reflection_lists_and_describes_the_service(running: Padan, name: str) -> None:
    with grpc.insecure_channel(running.serving.target) as channel:
        reflect = channel.stream_stream(
            f"/{name}/ServerReflectionInfo",
            request_serializer=ServerReflectionRequest.SerializeToString,
            response_deserializer=ServerReflectionResponse.FromString,
        )
        asked = [
            ServerReflectionRequest(list_services=""),
            ServerReflectionRequest(file_containing_symbol="padan.v1.VerificationService"),
        ]
        listed, described = reflect(iter(asked), timeout=5)
    services = {service.name for service in listed.list_services_response.service}
    assert {"padan.v1.VerificationService", "grpc.health.v1.Health", name} <= services
    assert described.file_descriptor_response.file_descriptor_proto


def test_healthcheck_command_exits_with_zero_while_it_serves(running: Padan) -> None:
    target = running.serving.target
    assert running.command("healthcheck", "--target", target).stdout.strip() == "SERVING"
    assert running.command("healthcheck", "--target", "127.0.0.1:1", check=False).returncode == 1


def test_missing_settings_are_told_all_at_once(running: Padan) -> None:
    done = running.command("settings")
    assert "PADAN_REPLICA_URLS" in done.stdout


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for localhost, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "server.crt", directory / "server.key"
    paths[0].write_bytes(signed.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, certificate: tuple[Path, Path]
) -> Iterator[Padan]:
    settings = {
        "PADAN_INSECURE": "false",
        "PADAN_TLS_CERTIFICATE_FILE": str(certificate[0]),
        "PADAN_TLS_KEY_FILE": str(certificate[1]),
        "PADAN_WORKERS": "1",
    }
    with padan(tmp_path_factory.mktemp("secured"), settings=settings) as started:
        yield started


def test_calls_go_over_tls(secured: Padan, certificate: tuple[Path, Path]) -> None:
    credentials = secured.partner("bank-tls")
    target = f"localhost:{secured.serving.port}"
    with Client(target=target, credentials=credentials, ca_file=certificate[0]) as client:
        assert client.verify(NIK, full_name="X EXAMPLE", purpose="ACCOUNT_OPENING").entry
