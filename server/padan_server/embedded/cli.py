"""Commands for synthetic people and embedded servers; the server's command line mounts them.

What a shell is to evaluate goes to standard output, everything for a reader to standard error. What
takes long to import waits for its command.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from padan_server.embedded.account import EmbeddedServersError
from padan_server.embedded.place import STANDBYS_MAX
from padan_server.embedded.population import PEOPLE_MAX, PEOPLE_MIN

if TYPE_CHECKING:
    from padan_server.embedded.servers import EmbeddedServers

servers_app = typer.Typer(
    no_args_is_help=True,
    help="PostgreSQL (primary and hot standbys) and Valkey from installed wheels, for demos and "
    "tests. They keep running after the command ends, and are found again by their directory.",
)

_console = Console(stderr=True)

RegistryUrl = Annotated[
    str,
    typer.Option(
        envvar="PADAN_REGISTRY_URL",
        help="The registry's primary (postgresql://...). `servers start` prints it.",
    ),
]
DataDir = Annotated[
    Path,
    typer.Option(
        envvar="PADAN_DATA_DIR",
        file_okay=False,
        help="Where the servers keep their data, logs and sockets. Made if it is not there.",
    ),
]


class _Rate(ProgressColumn):
    """People a second, once there is something to tell."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


def synthesize(
    registry_url: RegistryUrl,
    people: Annotated[
        int, typer.Option(min=PEOPLE_MIN, max=PEOPLE_MAX, help="How many people in all.")
    ] = 100_000,
    seed: Annotated[
        int, typer.Option(help="The same seed and number give the same people, anywhere.")
    ] = 1,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Remove the people who are there first. Restart the server afterwards: "
            "its caches do not hear of it.",
        ),
    ] = False,
) -> None:
    """Fill the registry with made-up people: families, movers, twins, deceased, old names.

    A few documented identities are always among them: `registry identities` lists them.
    """
    import psycopg

    from padan_server.embedded.load import PopulationExists, load_population

    columns = (
        TextColumn("People"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=_console, speed_estimate_period=5) as bar:
            task = bar.add_task("people", total=people)
            report = load_population(
                registry_url,
                people=people,
                seed=seed,
                replace=replace,
                progress=lambda loaded: bar.advance(task, loaded),
            )
    except PopulationExists:
        _console.print("The registry has people already. To remove them first: --replace")
        raise typer.Exit(1) from None
    except (psycopg.Error, EmbeddedServersError) as error:
        raise _failed("The people could not be loaded", error) from None
    _console.print(
        f"{report.people:,} people in {report.seconds:.1f} s ({report.people_per_second:,.0f}/s)."
    )


def identities() -> None:
    """List the documented test identities: what each shows, and what a verification answers."""
    from padan_server.embedded.documented import documented_people

    table = Table(show_lines=True)
    table.add_column("Key", no_wrap=True)
    table.add_column("NIK", no_wrap=True)
    table.add_column("What it shows")
    for person in documented_people():
        who = f"{person.row.full_name}, born {person.row.birth_date}" if person.row else "Absent"
        table.add_row(person.key, person.nik, f"{who}: {person.outcome}\n{person.shows}")
    Console().print(table)


@servers_app.command()
def start(
    data_dir: DataDir,
    standbys: Annotated[
        int,
        typer.Option(
            min=1,
            max=STANDBYS_MAX,
            help="Hot standbys, at least; a directory keeps those that it has.",
        ),
    ] = 1,
) -> None:
    """Start what does not run, and print how to reach it.

    Use it as: eval "$(padan-server servers start --data-dir DIR)"
    """
    import psycopg

    from padan_server.embedded.servers import EmbeddedServers

    try:
        servers = EmbeddedServers(data_dir, standbys=standbys)
        servers.start()
    except (psycopg.Error, EmbeddedServersError) as error:
        raise _failed("The servers could not be started", error) from None
    _print_running(servers)
    _print_exports(servers)


@servers_app.command()
def status(data_dir: DataDir) -> None:
    """Show what runs, its versions and URLs. Exits with 1 unless everything runs."""
    servers = _of(data_dir)
    running = _print_running(servers)
    _print_exports(servers)
    if not running:
        raise typer.Exit(1)


@servers_app.command()
def stop(data_dir: DataDir) -> None:
    """Stop the servers. What was committed stays; what Valkey held is gone."""
    servers = _of(data_dir)
    try:
        servers.stop()
    except EmbeddedServersError as error:
        raise _failed("The servers could not be stopped", error) from None
    _console.print("The servers are stopped.")


def _of(data_dir: Path) -> EmbeddedServers:
    if not data_dir.is_dir():
        _console.print(f"There are no servers in {data_dir}.")
        raise typer.Exit(1)
    from padan_server.embedded.servers import EmbeddedServers

    try:
        return EmbeddedServers(data_dir)
    except EmbeddedServersError as error:
        raise _failed("The servers are not usable", error) from None


def _print_running(servers: EmbeddedServers) -> bool:
    versions = servers.versions
    pids = servers.pids
    for name in servers.names:
        product = "valkey" if name == "valkey" else "postgresql"
        state = f"runs (pid {pids[name]})" if name in pids else "does not run"
        _console.print(f"{name:9} {product} {versions[product]} {state}", highlight=False)
    return pids.keys() == set(servers.names)


def _print_exports(servers: EmbeddedServers) -> None:
    for name, value in (
        ("PADAN_REGISTRY_URL", servers.registry_url),
        ("PADAN_REPLICA_URLS", ",".join(servers.replica_urls)),
        ("PADAN_LEDGER_URL", servers.ledger_url),
        ("PADAN_VALKEY_URL", servers.valkey_url),
    ):
        typer.echo(f"export {name}={shlex.quote(value)}")


def _failed(what: str, error: Exception) -> typer.Exit:
    """Say what failed; of a driver's error only its kind, since its text may quote values."""
    why = str(error) if isinstance(error, EmbeddedServersError) else type(error).__name__
    _console.print(f"{what}: {why}", markup=False)
    return typer.Exit(1)
