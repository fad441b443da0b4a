"""What is measured: Padan in production's shape on this machine, and the echo beside it.

Whatever starts here is stopped again when its block ends, however it ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import MappingProxyType

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks import cores
from benchmarks.cores import Cores, CoresError
from benchmarks.ledger import PARTNER, Ledger
from padan_client.keys import KeyKind, PartnerKey, new_private_key, public_jwk
from padan_server.demo.installation import Installation, Tell
from padan_server.demo.show import POLLED_SECONDS

BUDGET = 1_000_000_000
"""Never spent, but counted: an agreement without a budget would spare the ledger that work."""

STREAMED_SECONDS_MAX = 600.0
"""A standby replays ten million people for minutes."""

ECHO_STOP_SECONDS_MAX = 10.0

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of a certificate for this host, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Subject:
    """A server under test: `worker` alone is on the worker's core, `processes` are all it needs.

    Both are pids; `processes` are roots of trees. `echo` is the answer that an echo gives.
    """

    target: str
    tls: Tls | None
    worker: int
    processes: tuple[int, ...]
    echo: bytes | None = None


@dataclass(frozen=True, slots=True)
class Padan:
    """Padan, running, with a partner that may verify."""

    subject: Subject
    supervisor: int
    key: PartnerKey
    ledger: Ledger
    registry_url: str
    """Of the primary."""
    replica_url: str
    versions: dict[str, str]

    def require_steady(self, core: int) -> None:
        """Raise CoresError if the worker was restarted, or left its core."""
        if _worker(self.supervisor) != self.subject.worker:
            raise CoresError("the worker was restarted during the run")
        cores.require_pinned(self.subject.worker, core)


@contextmanager
def padan(
    directory: Path, *, people: int, use_tls: bool, placed: Cores, tell: Tell
) -> Iterator[Padan]:
    """Run Padan with one worker, set up as a partner's bank needs it.

    The caller's own cores are the ones that everything but the worker gets.
    """
    tls = make_tls(directory) if use_tls else None
    with (
        installed(directory, people=people, tell=tell) as installation,
        serving(installation, placed=placed, tls=tls) as measured,
    ):
        yield measured


@contextmanager
def installed(
    directory: Path,
    *,
    people: int,
    tell: Tell,
    postgres_settings: Mapping[str, str] = _NONE,
) -> Iterator[Installation]:
    """Run the servers of an installation with so many people, all of them on the standby."""
    installation = Installation(directory, tell=tell, postgres_settings=postgres_settings)
    try:
        installation.servers.stop()  # a kept directory's Valkey would know the cold people
        installation.prepare(people=people)
        _wait_until_streamed(installation)
        yield installation
    finally:
        installation.servers.stop()


@contextmanager
def serving(
    installation: Installation,
    *,
    placed: Cores,
    tls: Tls | None = None,
    settings: Mapping[str, str] = _NONE,
) -> Iterator[Padan]:
    """Run the service of an installation, with one worker and settings of its own."""
    servers = installation.servers
    with installation.serving(port=0, settings=_settings(tls) | dict(settings)) as service:
        supervisor = service.process.pid
        worker = _worker(supervisor)
        cores.pin(worker, placed.worker)
        yield Padan(
            subject=Subject(service.target, tls, worker, (supervisor, *servers.pids.values())),
            supervisor=supervisor,
            key=_register(installation),
            ledger=Ledger(servers.ledger_url),
            registry_url=servers.registry_url,
            replica_url=servers.replica_url,
            versions=servers.versions,
        )


@contextmanager
def echo(answer: bytes, *, directory: Path, tls: Tls | None, placed: Cores) -> Iterator[Subject]:
    """Run the echo of an answer on the worker's core."""
    answer_file = directory / "echo.answer"
    answer_file.write_bytes(answer)
    words = [sys.executable, "-m", "benchmarks.echo", "--answer", str(answer_file)]
    if tls is not None:
        words += ["--certificate", str(tls.certificate), "--key", str(tls.key)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        if not port:
            raise CoresError("the echo does not start")
        cores.pin(process.pid, placed.worker)
        yield Subject(f"127.0.0.1:{port}", tls, process.pid, (process.pid,), echo=answer)
    finally:
        process.terminate()
        try:
            process.wait(ECHO_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def make_tls(directory: Path) -> Tls:
    """Make a certificate for this host that holds for a day, and its key."""
    tls = Tls(directory / "tls.crt", directory / "tls.key")
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    tls.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    tls.key.touch(mode=0o600)
    tls.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return tls


def _settings(tls: Tls | None) -> dict[str, str]:
    settings = {"PADAN_WORKERS": "1"}
    if tls is not None:
        settings["PADAN_INSECURE"] = "false"
        settings["PADAN_TLS_CERTIFICATE_FILE"] = str(tls.certificate)
        settings["PADAN_TLS_KEY_FILE"] = str(tls.key)
    return settings


def _register(installation: Installation) -> PartnerKey:
    """Register a partner by the command line, as an operator does."""
    key = PartnerKey(PARTNER, private_key=new_private_key(KeyKind.ES256))
    jwk = installation.directory / "partner.jwk"
    jwk.write_text(json.dumps(public_jwk(key.private_key)), "utf-8")
    listed = json.loads(_command(installation, "partner", "list", "--json"))
    if PARTNER not in {partner["partner"] for partner in listed}:
        _command(installation, "partner", "add", PARTNER, "--name", "Bank Contoh")
    _command(installation, "key", "add", PARTNER, "--key-id", key.key_id, "--jwk", str(jwk))
    _command(
        installation,
        *("agreement", "add", PARTNER, "--purpose", "ACCOUNT_OPENING"),
        *("--valid-until", str(date.today() + timedelta(days=365))),
        *("--budget-day", str(BUDGET), "--budget-month", str(BUDGET)),
    )
    time.sleep(POLLED_SECONDS)
    return key


def _command(installation: Installation, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "padan_server", *arguments],
        env=os.environ | installation.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CoresError(f"padan-server {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout


def _worker(supervisor: int) -> int:
    """Find the one worker below a supervisor."""
    found = [pid for pid, line in cores.children(supervisor).items() if " worker 0" in line]
    if len(found) != 1:
        raise CoresError("there is not exactly one worker")
    return found[0]


def _wait_until_streamed(installation: Installation) -> None:
    """Wait until the standby has all that the primary has now."""
    servers = installation.servers
    with psycopg.connect(servers.registry_url) as primary:
        row = primary.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    assert row is not None
    ends = time.monotonic() + STREAMED_SECONDS_MAX
    with psycopg.connect(servers.replica_url, autocommit=True) as replica:
        while replica.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() != (
            True,
        ):
            if time.monotonic() > ends:
                raise CoresError("the standby does not follow the primary")
            time.sleep(0.1)
