"""Commands that run the service: serve, its processes, the health check, keys and settings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from rich.table import Column, Table

from padan_server import config, logs
from padan_server.adapters import keyring_file
from padan_server.adapters.metrics_prometheus import DIRECTORY_VARIABLE, MetricsServer
from padan_server.cli.failing import fail
from padan_server.domain.ledger import LedgerError

out = Console(highlight=False)
keys_app = typer.Typer(no_args_is_help=True, help="Keys of this installation.")


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(serve)
    app.command(hidden=True)(worker)
    app.command(hidden=True)(notary)
    app.command(hidden=True)(keeper)
    app.command()(healthcheck)
    app.command()(settings)
    app.command()(version)
    app.add_typer(keys_app, name="keys")


def serve() -> None:
    """Run the service: the notary, the workers, and the registry's keeper if its primary is ours.

    SIGTERM ends calls under way, records what they leave, and stops. Logs go to standard error,
    one JSON object a line.
    """
    from padan_server.supervisor import Supervised, reserve_port, supervise

    logs.configure("supervisor")
    given = config.load()
    try:
        holder = reserve_port(given.host, given.port)
    except OSError as error:
        fail(f"cannot listen at {config.address(given.host, given.port)}: {error.strerror}")
    environment = os.environ | {
        "PADAN_PORT": str(holder.getsockname()[1]),
        "PADAN_NOTARY_SOCKET": given.socket,
    }
    given.data_dir.mkdir(parents=True, exist_ok=True)
    with _metrics(given) as metrics:
        if metrics is not None:
            environment[DIRECTORY_VARIABLE] = str(metrics.directory)
        others = [
            Supervised(
                f"worker-{n}",
                ["worker", str(n)],
                environment,
                ended=metrics.forget if metrics else None,
            )
            for n in range(given.workers)
        ]
        if given.registry_url is not None:
            others.append(Supervised("keeper", ["keeper"], environment))
        out.print(f"padan-server at {config.address(given.host, holder.getsockname()[1])}")
        asyncio.run(supervise(Supervised("notary", ["notary"], environment), others))
    holder.close()


@contextmanager
def _metrics(given: config.Settings) -> Iterator[MetricsServer | None]:
    """Serve the metrics of all workers while the block runs, if a port was given."""
    if given.metrics_port is None:
        yield None
        return
    try:
        server = MetricsServer(
            given.data_dir / "metrics", host=given.metrics_host, port=given.metrics_port
        )
    except OSError as error:
        at = config.address(given.metrics_host, given.metrics_port)
        fail(f"cannot serve metrics at {at}: {error.strerror}")
    structlog.get_logger().info("metrics", port=server.port)
    try:
        yield server
    finally:
        server.close()


def worker(number: Annotated[int, typer.Argument(help="The worker's number.")]) -> None:
    """Run one worker (the supervisor does this)."""
    from padan_server.compose.worker import Worker

    logs.configure(f"worker-{number}")
    given = config.load()

    async def run() -> None:
        await Worker(given).run()

    _run(run())


def notary() -> None:
    """Run the notary (the supervisor does this)."""
    from padan_server.compose.notary import run_notary

    logs.configure("notary")
    try:
        _run(run_notary(config.load()))
    except (LedgerError, keyring_file.KeyringError) as error:
        structlog.get_logger().error("the notary cannot go on", reason=str(error))
        raise typer.Exit(1) from error


def keeper() -> None:
    """Keep the registry's heartbeat and its tallies (the supervisor does this)."""
    from padan_server.compose.keeper import run_keeper

    logs.configure("keeper")
    _run(run_keeper(config.load()))


def healthcheck(
    target: Annotated[str, typer.Option(help="Address; this server's own if not given.")] = "",
    service: Annotated[
        str, typer.Option(help="Service asked about; empty asks whether the server is alive.")
    ] = "",
) -> None:
    """Ask a server's health. Exit code 0 if it serves, 1 if not."""
    from padan_server.transport.health import ask

    given = config.load()
    address = target or config.address(_reachable(given.host), given.port)
    told = ask(address, service=service, certificate_file=given.tls_certificate_file)
    out.print(told)
    raise typer.Exit(0 if told == "SERVING" else 1)


def settings() -> None:
    """List the settings: environment variables, defaults and meaning."""
    table = Table(Column("variable", no_wrap=True), Column("default", overflow="fold"), "meaning")
    for name, field in config.Settings.model_fields.items():
        default = "required" if field.is_required() else str(field.default)
        table.add_row(f"PADAN_{name.upper()}", default, field.description or "")
    out.print(table)


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    out.print(installed("padan-server"))


@keys_app.command("init")
def init_keys(
    directory: Annotated[
        Path, typer.Argument(envvar="PADAN_KEYS_DIR", help="Where the keys shall live.")
    ] = Path("/var/lib/padan/keys"),
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Succeed if there are keys already.")
    ] = False,
) -> None:
    """Make the keys of a new installation. Keys that exist are never overwritten.

    `worker/` holds what workers need, `notary/` what the notary alone may read. Back both up,
    apart from the databases: whoever has keys and databases has everything.
    """
    if if_missing and directory.exists():
        out.print(f"there are keys already: {directory}")
        return
    try:
        keyring_file.create(directory)
    except (keyring_file.KeyringError, OSError) as error:
        fail(str(error))
    out.print(f"keys made in {directory}")


def _run(main: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(main)


def _reachable(host: str) -> str:
    """Give where a server that listens at a host can be reached from its own machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not bound here
