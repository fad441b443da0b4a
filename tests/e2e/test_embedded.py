"""The embedded servers and registry: started, filled, killed and found again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from typer.testing import CliRunner

from benchmarks import people as questions
from benchmarks import statements
from padan_server.adapters.keeper_postgres import beat
from padan_server.adapters.registry_tables import metadata
from padan_server.cli.app import build
from padan_server.embedded.cli import servers_app
from padan_server.embedded.documented import documented_people
from padan_server.embedded.load import PopulationExists, load_population
from padan_server.embedded.servers import EmbeddedServers, EmbeddedServersError
from padan_server.migrations.registry import VERSION_TABLE, downgrade, upgrade

PEOPLE = 2_000
SECONDS_MAX = 20.0


@pytest.fixture(scope="module")
def servers() -> Iterator[EmbeddedServers]:
    # Not tmp_path: its name would make the sockets move elsewhere.
    home = Path(tempfile.mkdtemp(prefix="padan-e2e-"))
    embedded = EmbeddedServers(home / "data")
    try:
        with embedded:
            yield embedded
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def registry(servers: EmbeddedServers) -> str:
    """A migrated registry with people."""
    upgrade(servers.registry_url)
    load_population(servers.registry_url, people=PEOPLE, seed=1, replace=True)
    return servers.registry_url


def test_the_servers_are_a_primary_its_standby_and_valkey(servers: EmbeddedServers) -> None:
    assert servers.pids.keys() == {"primary", "standby", "valkey"}
    assert servers.versions["postgresql"].startswith("18.")
    assert _value(servers.registry_url, "SELECT pg_is_in_recovery()") is False
    assert _value(servers.replica_url, "SELECT pg_is_in_recovery()") is True
    assert _value(servers.ledger_url, "SELECT current_database()") == "ledger"
    with redis.Redis.from_url(servers.valkey_url) as valkey:
        assert valkey.ping()
        assert valkey.config_get("save") == {"save": ""}


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
def test_what_is_committed_is_on_disk(servers: EmbeddedServers, setting: str) -> None:
    assert _value(servers.ledger_url, f"SHOW {setting}") == "on"


def test_the_migrations_go_up_down_and_up(servers: EmbeddedServers) -> None:
    upgrade(servers.registry_url)
    load_population(servers.registry_url, people=100, seed=1, replace=True)
    downgrade(servers.registry_url, "base")
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert _value(servers.registry_url, tables) == 1  # alembic's own
    upgrade(servers.registry_url)
    assert _value(servers.registry_url, "SELECT count(*) FROM person") == 0


def test_the_tables_in_code_are_the_tables_in_the_database(registry: str) -> None:
    url = sqlalchemy.make_url(registry).set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    options = {
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "table" or name != VERSION_TABLE,
    }
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        # SQLAlchemy does not know xid8 when it reads the database.
        with pytest.warns(sqlalchemy.exc.SAWarning, match="xid"):
            differences = compare_metadata(context, metadata)
    assert differences == []


def test_people_are_seen_on_the_standby(servers: EmbeddedServers, registry: str) -> None:
    _await(lambda: _value(servers.replica_url, "SELECT count(*) FROM person") == PEOPLE)
    for person in documented_people():
        query = f"SELECT full_name FROM person WHERE nik = '{person.nik}'"
        assert _value(servers.replica_url, query) == (person.row and person.row.full_name)
    assert _value(registry, "SELECT count(*) FROM watermark WHERE complete_to IS NULL") == 6
    assert _value(registry, "SELECT count(*) FROM region WHERE successors IS NULL") == 7837


def test_people_are_not_loaded_over_people(registry: str) -> None:
    with pytest.raises(PopulationExists):
        load_population(registry, people=PEOPLE, seed=1)


def test_a_load_leaves_no_feed_and_a_change_does(registry: str) -> None:
    assert _value(registry, "SELECT count(*) FROM change_feed") == 0
    nik = documented_people()[0].nik
    with psycopg.connect(registry, autocommit=True) as connection:
        before = connection.execute(
            "SELECT record_version, changed_at FROM person WHERE nik = %s", [nik]
        ).fetchone()
        connection.execute(
            "UPDATE person SET village_code = '3578011001', channel = 'CENTRAL' WHERE nik = %s",
            [nik],
        )
        after = connection.execute(
            "SELECT record_version, changed_at FROM person WHERE nik = %s", [nik]
        ).fetchone()
        feed = connection.execute(
            "SELECT nik, region, channel, xid::text::bigint > 0 FROM change_feed"
        ).fetchall()
        assert before is not None
        assert after is not None
        assert after[0] == before[0] + 1
        assert after[1] > before[1]
        assert feed == [(nik, "3578", "CENTRAL", True)]
        with pytest.raises(psycopg.errors.RaiseException, match="cannot be truncated"):
            connection.execute("TRUNCATE person")


async def test_the_heartbeat_reaches_the_standby_and_outlives_the_primary(
    servers: EmbeddedServers, registry: str
) -> None:
    stop = asyncio.Event()
    beating = asyncio.create_task(beat(registry, 0.05, stop=stop))
    age = "SELECT extract(epoch FROM clock_timestamp() - beat_at) < 1 FROM heartbeat"
    covered = (
        "SELECT bool_and(complete_to > clock_timestamp() - interval '5 s') "
        "FROM watermark WHERE centralised_since IS NOT NULL"
    )
    try:
        await asyncio.to_thread(_await, lambda: _value(servers.replica_url, age) is True)
        await asyncio.to_thread(_await, lambda: _value(servers.replica_url, covered) is True)
        await asyncio.to_thread(servers.stop_primary)
        await asyncio.to_thread(_await, lambda: _value(servers.replica_url, age) is False)
        await asyncio.to_thread(servers.start_primary)
        await asyncio.to_thread(_await, lambda: _value(servers.replica_url, age) is True)
    finally:
        stop.set()
        await asyncio.wait_for(beating, 10)


def test_the_replica_and_valkey_may_be_away_and_come_back(
    servers: EmbeddedServers, registry: str
) -> None:
    servers.stop_replica()
    with pytest.raises(psycopg.OperationalError):
        _value(servers.replica_url, "SELECT 1")
    mark = "DELETE FROM heartbeat RETURNING true"
    assert _value(registry, mark) is True
    servers.start_replica()
    _await(lambda: _value(servers.replica_url, "SELECT count(*) FROM heartbeat") == 0)
    with psycopg.connect(registry, autocommit=True) as connection:
        connection.execute("INSERT INTO heartbeat (beat_at) VALUES (clock_timestamp())")
    servers.stop_valkey()
    assert "valkey" not in servers.pids
    servers.start_valkey()
    assert "valkey" in servers.pids


def test_running_servers_are_found_again(servers: EmbeddedServers, registry: str) -> None:
    before = servers.pids
    again = EmbeddedServers(servers.data_dir)
    again.start()
    assert again.pids == before
    assert again.registry_url == registry


def test_killed_servers_start_again_with_what_was_committed(
    servers: EmbeddedServers, registry: str
) -> None:
    for pid in servers.pids.values():
        os.kill(pid, signal.SIGKILL)
    _await(lambda: servers.pids == {})
    servers.start()
    assert _value(registry, "SELECT count(*) FROM person") == PEOPLE
    assert servers.pids.keys() == {"primary", "standby", "valkey"}


def test_a_pid_file_whose_pid_someone_else_has_does_not_stop_a_start(
    servers: EmbeddedServers, registry: str
) -> None:
    pid_file = servers.data_dir / "primary" / "postmaster.pid"
    content = pid_file.read_text()
    os.kill(servers.pids["primary"], signal.SIGKILL)
    _await(lambda: "primary" not in servers.pids)
    pid_file.write_text(content.replace(content.split("\n")[0], str(os.getppid()), 1))
    _await(lambda: _starts(servers))
    assert _value(registry, "SELECT count(*) FROM person") == PEOPLE


def test_no_log_tells_what_a_failed_statement_carried(
    servers: EmbeddedServers, registry: str
) -> None:
    person = documented_people()[0]
    assert person.row is not None
    secret = "JANGAN TERCATAT"
    statements: tuple[tuple[str, list[object]], ...] = (
        ("INSERT INTO person SELECT * FROM person WHERE nik = %s", [person.nik]),
        ("UPDATE person SET sex = 9, full_name = %s WHERE nik = %s", [secret, person.nik]),
        ("SELECT %s::text::date", [secret]),
        (f"SELECT '{secret}'::int", []),
        (f"SELEKT '{secret}'", []),
    )
    for statement, values in statements:
        with psycopg.connect(registry, autocommit=True) as connection, pytest.raises(psycopg.Error):
            connection.execute(statement.encode(), values)
    for log in servers.logs:
        text = log.read_text()
        assert secret not in text
        assert person.nik not in text
        assert person.row.full_name not in text


def test_the_commands_tell_how_to_reach_the_servers(
    servers: EmbeddedServers, registry: str
) -> None:
    run = CliRunner()
    status = run.invoke(servers_app, ["status", "--data-dir", str(servers.data_dir)])
    assert status.exit_code == 0
    assert f"export PADAN_REGISTRY_URL='{registry}'" in status.stdout
    assert "18." in status.stderr
    assert run.invoke(build(), ["registry", "init", "--registry-url", registry]).exit_code == 0
    refused = run.invoke(build(), ["registry", "synthesize", "--registry-url", registry])
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    listed = run.invoke(build(), ["registry", "identities"])
    assert documented_people()[0].nik in listed.stdout


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    """Servers with two standbys, and PostgreSQLs that count statements."""
    with EmbeddedServers(
        tmp_path_factory.mktemp("two") / "data",
        standbys=2,
        settings=statements.SETTINGS,
    ) as embedded:
        with psycopg.connect(embedded.registry_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE mark (at serial)")
        yield embedded


def test_two_standbys_follow_the_primary_each_through_a_slot_of_its_own(
    two: EmbeddedServers,
) -> None:
    assert two.pids.keys() == {"primary", "standby", "standby-2", "valkey"}
    assert len(set(two.replica_urls)) == 2
    assert two.replica_url == two.replica_urls[0]
    assert [log.name for log in two.logs if log.exists()] == [f"{name}.log" for name in two.names]
    slots = "SELECT count(*) FROM pg_replication_slots WHERE active"
    assert _value(two.registry_url, slots) == 2
    for url in two.replica_urls:
        assert _value(url, "SELECT pg_is_in_recovery()") is True


def test_settings_are_those_of_the_primary_and_every_standby(two: EmbeddedServers) -> None:
    for url in (two.registry_url, *two.replica_urls):
        assert _value(url, "SHOW shared_preload_libraries") == "pg_stat_statements"


@pytest.mark.parametrize("number", [0, 1])
def test_a_standby_whose_replay_is_paused_stands_still_while_the_other_moves(
    two: EmbeddedServers, number: int
) -> None:
    paused, moving = two.replica_urls[number], two.replica_urls[1 - number]
    _await(lambda: _marks(paused) == _marks(two.registry_url))
    before = _marks(paused)
    two.pause_replay(number)
    _mark(two)
    _await(lambda: _marks(moving) == before + 1)
    assert _marks(paused) == before
    two.resume_replay(number)
    _await(lambda: _marks(paused) == before + 1)


@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_standby_leaves_nothing_behind_and_comes_back(
    two: EmbeddedServers, number: int
) -> None:
    name = two.names[1 + number]
    with psycopg.connect(two.replica_urls[number]) as session:
        two.kill_replica(number)
        assert name not in two.pids
        assert len(two.pids) == 3
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    _mark(two)
    two.start_replica(number)
    _await(lambda: _marks(two.replica_urls[number]) == _marks(two.registry_url))


def test_statements_about_people_are_counted_by_the_standby_itself(two: EmbeddedServers) -> None:
    upgrade(two.registry_url)
    load_population(two.registry_url, people=1_000, seed=1, replace=True)
    statements.install(two.registry_url)
    _await(lambda: _value(two.replica_url, "SELECT to_regclass('pg_stat_statements')") is not None)
    _await(lambda: _value(two.replica_url, "SELECT count(*) FROM person") == 1_000)
    counted = statements.Statements(two.replica_url)
    before = counted.count()
    for _ in range(3):
        _value(two.replica_url, "SELECT count(*) FROM person WHERE nik = '3171015203909001'")
        _value(two.replica_url, "SELECT count(*) FROM heartbeat")
    assert counted.count() == before + 3
    sample = questions.read_sample(two.replica_url, count=300, people=1_000)
    assert 200 < len({questions.nik_of(question) for question in sample}) <= 300


def test_a_killed_valkey_comes_back_empty(two: EmbeddedServers) -> None:
    with redis.Redis.from_url(two.valkey_url) as valkey:
        valkey.set("kept", "until it is killed")
        two.kill_valkey()
        assert "valkey" not in two.pids
        two.kill_valkey()  # there is nothing to kill: nothing happens
        two.start_valkey()
        assert valkey.get("kept") is None


def test_a_directory_keeps_its_standbys_and_its_command_tells_of_both(
    two: EmbeddedServers,
) -> None:
    again = EmbeddedServers(two.data_dir)
    assert again.replica_urls == two.replica_urls
    status = CliRunner().invoke(servers_app, ["status", "--data-dir", str(two.data_dir)])
    assert status.exit_code == 0
    assert f"export PADAN_REPLICA_URLS='{','.join(two.replica_urls)}'" in status.stdout
    assert "standby-2 postgresql 18." in status.stderr


@pytest.mark.parametrize("standbys", [0, 5])
def test_a_number_of_standbys_that_cannot_be_is_refused(tmp_path: Path, standbys: int) -> None:
    with pytest.raises(EmbeddedServersError, match="from 1 to 4"):
        EmbeddedServers(tmp_path, standbys=standbys)


def test_a_deep_directory_gets_its_sockets_elsewhere() -> None:
    home = Path(tempfile.mkdtemp(prefix="padan-deep-"))
    sockets: Path | None = None
    try:
        with EmbeddedServers(home / ("a" * 60) / ("b" * 60)) as deep:
            assert _value(deep.ledger_url, "SELECT 1") == 1
            sockets = Path(deep.valkey_url.removeprefix("unix://")).parent
            assert home not in sockets.parents
    finally:
        shutil.rmtree(home)
        if sockets is not None:
            shutil.rmtree(sockets)


def _value(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row is not None else None


def _mark(servers: EmbeddedServers) -> None:
    with psycopg.connect(servers.registry_url, autocommit=True) as connection:
        connection.execute("INSERT INTO mark DEFAULT VALUES")


def _marks(url: str) -> int:
    return int(str(_value(url, "SELECT count(*) FROM mark")))


def _await(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.05)


def _starts(servers: EmbeddedServers) -> bool:
    """Start the primary; children of a killed one may still be on their way out."""
    try:
        servers.start_primary()
    except EmbeddedServersError:
        return False
    return True
