"""The notary over its socket on a real PostgreSQL: kills, fences, set-back databases, tampering."""

from __future__ import annotations

import asyncio
import contextlib
import random
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import zstandard
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import NullPool, create_engine, make_url

from padan_server.adapters import keyring_file, ledger_partitions
from padan_server.adapters.anchor_file import AnchorFile
from padan_server.adapters.ledger_rows import pack, unpack
from padan_server.adapters.ledger_tables import metadata
from padan_server.domain import canonical, entry
from padan_server.domain.control import AddPartner, Suspend
from padan_server.domain.draft import Draft, Verdict
from padan_server.domain.ledger import BoundRow, LedgerError
from padan_server.embedded.servers import EmbeddedServers
from padan_server.link import Append
from padan_server.migrations import ledger as migrations
from padan_server.notary.head import initial_note
from tests.support.ledger import LOG, NIK, again, answer, partner, refusal
from tests.support.notary import Ledger, Link, in_parts


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    """Give a PostgreSQL that these tests alone use."""
    with EmbeddedServers(tmp_path_factory.mktemp("notary") / "servers") as started:
        yield started


@pytest.fixture
def ledger(servers: EmbeddedServers, tmp_path: Path) -> Iterator[Ledger]:
    """Give a new log; its notary is not started."""
    made = Ledger.create(servers.ledger_url, tmp_path / "ledger")
    yield made
    made.stop()


@pytest.fixture
def link(ledger: Ledger) -> Link:
    """Give a link to the notary of a log with one partner, `bank`, that has no budget."""
    linked = ledger.start()
    linked.make_partner()
    return linked


def kinds(ledger: Ledger) -> list[str]:
    return [kind for (kind,) in ledger.execute("SELECT kind FROM entry ORDER BY index")]


def test_answers_and_actions_are_recorded_in_order_and_the_ledger_checks(
    ledger: Ledger, link: Link
) -> None:
    first, sealed = answer(), answer(sealed_personal=b"")
    (recorded,) = link.append(first)
    (replayed,) = link.append(again(first))
    link.append(refusal(), sealed)
    link.control(Suspend(partner="bank"))
    (refused,) = link.append(answer())

    assert (recorded.standing, recorded.index, recorded.charged) == ("RECORDED", 3, True)
    assert (replayed.standing, replayed.index) == ("REPLAYED", 3)
    assert replayed.sealed_answer == first.sealed_answer
    assert (refused.standing, refused.reason) == ("REFUSED", "PARTNER_SUSPENDED")
    assert link.poll(3).partners[0].suspended
    assert link.poll(4).partners == []
    report = ledger.check()
    assert report.findings == []
    assert (report.size, report.signed) == (9, 9)


def test_socket_is_the_owners_alone(ledger: Ledger, link: Link) -> None:
    assert stat.S_IMODE(ledger.socket.stat().st_mode) == 0o600


def test_action_that_does_not_fit_is_refused_with_its_reason(link: Link) -> None:
    outcome = link.control(AddPartner(partner="bank", name="Again", kind=partner().kind))

    assert (outcome.index, outcome.error) == (-1, "the partner exists already")


def test_budget_is_exact_for_many_callers(ledger: Ledger, link: Link) -> None:
    link.make_partner("capped", budget_day=100, budget_month=90)
    callers = [ledger.link() for _ in range(8)]
    calls = {caller: [answer(partner="capped") for _ in range(25)] for caller in callers}
    for caller, drafts in calls.items():
        for part in in_parts(drafts, 5):
            caller.send(Append(part, resent=False))
    verdicts: dict[bytes, Verdict] = {}
    for caller, drafts in calls.items():
        caller.settle({draft.draft_id: draft for draft in drafts}, verdicts)

    assert sum(verdict.charged for verdict in verdicts.values()) == 90
    refused = [verdict for verdict in verdicts.values() if not verdict.charged]
    assert {(verdict.reason, verdict.window) for verdict in refused} == {("BUDGET_SPENT", "month")}
    assert ledger.check().findings == []


def test_after_kills_under_load_each_draft_stands_exactly_once(ledger: Ledger, link: Link) -> None:
    moments = random.Random(1)
    drafts = [answer() for _ in range(1200)] + [refusal() for _ in range(100)]
    moments.shuffle(drafts)
    drafts += [again(draft) for draft in drafts[:300] if draft.kind == "ANSWER"]
    verdicts: dict[bytes, Verdict] = {}
    for number, part in enumerate(in_parts(drafts, 150)):
        waiting = {draft.draft_id: draft for draft in part}
        for some in in_parts(part, 10):
            link.send(Append(some, resent=False))
        for _ in range(moments.randrange(3)):
            settle_one(link, waiting, verdicts)
        ledger.kill()
        link = ledger.start()
        if waiting:
            link.send(Append(list(waiting.values()), resent=True))
            link.settle(waiting, verdicts)
        assert number < 100
    (recorded,) = ledger.execute("SELECT count(*), count(DISTINCT draft_id) FROM entry")

    assert recorded == (len(drafts) + 3, len(drafts) + 3)
    answered = [draft for draft in drafts if draft.kind == "ANSWER"]
    assert sum(verdicts[draft.draft_id].charged for draft in answered) == 1200
    assert {verdicts[draft.draft_id].standing for draft in answered} == {"RECORDED", "REPLAYED"}
    for draft in answered:
        assert verdicts[draft.draft_id].sealed_answer in (b"", draft.sealed_answer)
    assert ledger.check().findings == []


def settle_one(link: Link, waiting: dict[bytes, Draft], verdicts: dict[bytes, Verdict]) -> None:
    if not waiting:
        return
    message = link.receive()
    for verdict in getattr(message, "verdicts", ()):
        waiting.pop(verdict.draft_id)
        verdicts[verdict.draft_id] = verdict


def test_request_ids_from_before_a_restart_still_bind(ledger: Ledger, link: Link) -> None:
    first, other = answer(), answer()
    (recorded, _) = link.append(first, other)
    ledger.stop()
    link = ledger.start()

    replayed, reused, fresh = link.append(
        again(first), again(other, content_mac=b"other".ljust(32)), answer()
    )

    assert (replayed.standing, replayed.index) == ("REPLAYED", recorded.index)
    assert (replayed.time, replayed.sealed_answer) == (recorded.time, first.sealed_answer)
    assert reused.reason == "REQUEST_ID_REUSED"
    assert fresh.charged
    assert ledger.check().findings == []


def test_draft_that_comes_twice_unmarked_is_recorded_once(ledger: Ledger, link: Link) -> None:
    draft = answer()
    (first,) = link.append(draft)

    (second, other) = link.append(draft, answer())

    assert second == first
    assert other.index == first.index + 1
    assert ledger.check().findings == []


def test_notary_that_is_asked_to_stop_answers_what_waits(ledger: Ledger, link: Link) -> None:
    drafts = [answer() for _ in range(3000)]
    for part in in_parts(drafts, 500):
        link.send(Append(part, resent=False))
    waiting = {draft.draft_id: draft for draft in drafts}
    verdicts: dict[bytes, Verdict] = {}
    settle_one(link, waiting, verdicts)
    assert ledger.process is not None
    ledger.process.terminate()
    with contextlib.suppress(ConnectionError):
        link.settle(waiting, verdicts)
    ledger.end(ledger.process)

    assert ledger.process.returncode == 0
    assert not ledger.socket.exists()
    recorded = {draft_id for (draft_id,) in ledger.execute("SELECT draft_id FROM entry")}
    assert recorded & {draft.draft_id for draft in drafts} == verdicts.keys()


def test_second_notary_on_the_socket_does_not_disturb_the_first(ledger: Ledger, link: Link) -> None:
    first = ledger.process

    assert "SocketTaken" in ledger.refuses_to_start()
    ledger.process = first
    assert link.append(answer())[0].charged


def test_notary_that_was_fenced_off_ends_and_answers_nothing(
    ledger: Ledger, link: Link, tmp_path: Path
) -> None:
    first, draft = ledger.process, answer()
    other = Ledger(ledger.url, tmp_path / "elsewhere")
    ledger.copy_files(other.directory)
    successor = other.start()
    link.send(Append([draft], resent=False))
    with pytest.raises(ConnectionError):
        link.receive()
    assert first is not None
    said = ledger.end(first)

    assert "Fenced" in said
    assert first.returncode == 1
    assert successor.append(draft, resent=True)[0].charged
    assert other.stop() == 0
    assert other.check().findings == []


def test_notary_whose_anchor_another_one_moved_ends(ledger: Ledger, link: Link) -> None:
    note = ledger.anchor.read()
    moved = ledger.anchor
    moved.read()
    moved.write(note)
    moved.close()
    link.send(Append([answer()], resent=False))

    with pytest.raises(ConnectionError):
        link.receive()
    assert ledger.process is not None
    assert "AnchorMoved" in ledger.end(ledger.process)


def test_database_that_was_set_back_is_refused(ledger: Ledger, link: Link, tmp_path: Path) -> None:
    link.append(answer())
    ledger.stop()
    backup = ledger.copy(tmp_path / "backup")
    link = ledger.start()
    link.append(answer())
    ledger.stop()
    backup.anchor_path.write_bytes(ledger.anchor_path.read_bytes())

    said = backup.refuses_to_start()

    assert "AnchorAhead" in said
    assert "set back" in said
    assert backup.found() == {"ANCHOR"}


def test_database_that_went_another_way_is_refused(
    ledger: Ledger, link: Link, tmp_path: Path
) -> None:
    ledger.stop()
    fork = ledger.copy(tmp_path / "fork")
    for one in (ledger, fork):
        link = one.start()
        link.append(answer())
        one.stop()
    fork.anchor_path.write_bytes(ledger.anchor_path.read_bytes())

    assert "AnchorAhead" in fork.refuses_to_start()
    assert fork.found() == {"ANCHOR"}


def test_without_an_anchor_no_notary_starts_and_none_is_made(ledger: Ledger, link: Link) -> None:
    ledger.stop()
    ledger.anchor_path.unlink()

    assert "AnchorMissing" in ledger.refuses_to_start()
    with pytest.raises(LedgerError, match="entries already"):
        ledger.open_log()


def test_log_is_opened_once(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="an anchor already"):
        ledger.open_log()
    ledger.anchor_path.unlink()
    ledger.open_log()
    ledger.start()


def test_what_was_committed_but_not_signed_is_signed_at_the_start(
    ledger: Ledger, link: Link
) -> None:
    before = ledger.anchor_path.read_bytes()
    link.append(*[answer() for _ in range(5)])
    link.append(answer())
    ledger.kill()
    ledger.anchor_path.write_bytes(before)

    ledger.start()

    assert ledger.check().signed == 9


def test_unsigned_entries_that_were_altered_are_not_signed(ledger: Ledger, link: Link) -> None:
    before = ledger.anchor_path.read_bytes()
    link.append(answer())
    ledger.kill()
    ledger.anchor_path.write_bytes(before)
    alter_entry(ledger, 3)

    assert "does not have its root" in ledger.refuses_to_start()


def test_database_that_commits_without_waiting_for_the_disk_is_refused(ledger: Ledger) -> None:
    name = ledger.execute("SELECT current_database()")[0][0]
    ledger.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")

    assert "synchronous_commit off" in ledger.refuses_to_start()


def test_peer_that_sends_nonsense_is_cut_off_and_others_go_on(ledger: Ledger, link: Link) -> None:
    for message in (b"\0\0\0\1\xff", b"\xff\xff\xff\xff"):
        other = ledger.link()
        other._socket.sendall(message)
        with pytest.raises(ConnectionError):
            other.receive()
    malformed = ledger.link()
    malformed.send(Append([answer(nik="1")], resent=False))
    with pytest.raises(ConnectionError):
        malformed.receive()

    assert link.append(answer())[0].charged


def alter_entry(ledger: Ledger, index: int) -> None:
    """Change one byte of an entry that no form depends on: a digit of its draft_id."""
    size, first, bundle = ledger.execute(
        "SELECT size, first_index, entries FROM batch WHERE size > %s ORDER BY size LIMIT 1", index
    )[0]
    found = unpack(bundle)
    altered = bytearray(found[index - first])
    at = altered.index(b'"draft_id":"') + len(b'"draft_id":"')
    altered[at] = ord("1") if altered[at] != ord("1") else ord("2")
    found[index - first] = bytes(altered)
    ledger.execute("UPDATE batch SET entries = %s WHERE size = %s", pack(found), size)


TAMPERING = {
    "UPDATE entry SET outcome = 'NOT_FOUND' WHERE index = 3": {"SEARCH"},
    "UPDATE entry SET time = time + interval '1 us' WHERE index = 3": {"SEARCH"},
    "UPDATE entry SET subject_key = NULL WHERE index = 3": {"SEARCH"},
    "DELETE FROM entry WHERE index = 3": {"SEARCH"},
    "UPDATE budget SET used = used - 1": {"BUDGET"},
    "DELETE FROM budget": {"BUDGET"},
    "UPDATE batch SET root = sha256(root) WHERE size = 4": {"BATCH"},
    "UPDATE batch SET root = sha256(root) WHERE size = 6": {"ANCHOR", "BATCH", "LOG"},
    "DELETE FROM batch WHERE size = 4": {"BATCH"},
    "DELETE FROM batch WHERE size = 6": {"ANCHOR", "BUDGET", "PARTNER", "SEARCH"},
    "UPDATE batch SET entries = substr(entries, 1, 50) WHERE size = 4": {"BATCH"},
    "UPDATE batch SET time = time + interval '1 s' WHERE size = 4": {"ENTRY"},
    "UPDATE partner SET document = jsonb_set(document, '{suspended}', 'true')": {"PARTNER"},
    "UPDATE partner_head SET next_seq = 9": {"PARTNER"},
    "UPDATE log SET policy_version = 9": {"LOG"},
    "UPDATE log SET public_key = sha256(public_key)": {"LOG"},
    "UPDATE bound_request SET index = 4 WHERE index = 3": {"BOUND_REQUEST"},
    "UPDATE bound_request SET partner = 'other' WHERE index = 3": {"BOUND_REQUEST"},
    "DELETE FROM bound_request WHERE index = 3": {"BOUND_REQUEST"},
    "UPDATE personal SET sealed = sealed || '\\x00' WHERE index = 3": {"PERSONAL"},
    "DELETE FROM personal WHERE index = 3": set(),
    "UPDATE personal SET index = 9 WHERE index = 3": {"SEARCH"},
    "UPDATE entry SET subject_key = '\\x0011223344556677' WHERE index = 3": {"SEARCH"},
    "INSERT INTO entry SELECT 9, '\\x99', partner, 9, kind, method, purpose, outcome, reason, "
    "regency, time, subject_key FROM entry WHERE index = 3": {"SEARCH"},
    "UPDATE bound_request SET sealed_answer = '{}' WHERE index = 3": {"BOUND_REQUEST"},
    "UPDATE agreement SET document = jsonb_set(document, '{budget_day}', '99')": {"PARTNER"},
}


class Opened:
    """Seals that seal nothing, and the notary's own key of subjects."""

    def __init__(self, ledger: Ledger) -> None:
        self._keys = ledger.keys

    def unseal(self, sealed: bytes, draft_id: bytes) -> bytes:
        return sealed

    def unseal_answer(self, row: BoundRow) -> bytes:
        return row.sealed_answer

    def subject_mac(self, nik: str, epoch: int) -> bytes | None:
        return self._keys.subject_mac(nik)


@pytest.fixture(scope="module")
def checked(servers: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Give a stopped log with three answers, of which others make copies."""
    made = Ledger.create(servers.ledger_url, tmp_path_factory.mktemp("checked") / "ledger")
    linked = made.start()
    linked.make_partner(budget_day=10)
    for _ in range(3):
        salted = bytes(16) + canonical.dumps({"nik": NIK})
        draft = answer(sealed_personal=salted)
        told = canonical.loads(draft.answer) | {"subject_token": "token"}
        del told["statement"]
        named = entry.base64(entry.personal(salted)).encode()
        ask = draft.ask.replace(b'"purpose"', b'"personal":"%b","purpose"' % named)
        linked.append(
            answer(
                ask=ask,
                request_id=draft.request_id,
                sealed_personal=salted,
                sealed_answer=canonical.dumps(told),
            )
        )
    made.stop()
    assert made.check(Opened(made)).findings == []
    assert made.check(Opened(made)).unsealed == 3
    return made


@pytest.mark.parametrize(("statement", "found"), TAMPERING.items())
def test_check_finds_what_was_tampered_with(
    checked: Ledger, tmp_path: Path, statement: str, found: set[str]
) -> None:
    copy = checked.copy(tmp_path / "copy")
    copy.execute(statement)

    assert copy.found(Opened(copy)) == found


def test_check_finds_an_altered_byte_and_names_the_entry(checked: Ledger, tmp_path: Path) -> None:
    copy = checked.copy(tmp_path / "copy")
    alter_entry(copy, 3)

    findings = copy.check(Opened(copy)).findings

    assert ("BATCH", "batch 3") in {(str(f.what), f.where) for f in findings}
    assert ("SEARCH", "entry 3") in {(str(f.what), f.where) for f in findings}


def test_check_finds_an_anchor_that_another_key_signed(checked: Ledger, tmp_path: Path) -> None:
    copy, other = checked.copy(tmp_path / "copy"), tmp_path / "other"
    keyring_file.create(other)
    copy.anchor_path.unlink()
    AnchorFile(copy.anchor_path).create(
        initial_note(LOG, keyring_file.NotaryKeys(other / "notary"))
    )

    assert copy.found() == {"ANCHOR"}
    assert "no checkpoint of this log" in copy.refuses_to_start()


def test_partitions_are_made_ahead_and_dropped_when_over(ledger: Ledger) -> None:
    async def keep(now: datetime) -> None:
        connection = await asyncpg.connect(ledger.url)
        try:
            await ledger_partitions.keep(connection, now)
        finally:
            await connection.close()

    def days() -> list[str]:
        return [
            name.removeprefix("bound_request_")
            for (name,) in ledger.execute(
                "SELECT relname FROM pg_class WHERE relname ~ '^bound_request_[0-9]+$' ORDER BY 1"
            )
        ]

    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    asyncio.run(keep(noon))
    first = days()
    asyncio.run(keep(noon + timedelta(days=2)))

    assert first == [f"202611{day}" for day in range(21, 28)]
    assert days() == [f"202611{day}" for day in range(22, 30)]


def test_schema_is_the_tables_and_a_second_upgrade_changes_nothing(ledger: Ledger) -> None:
    migrations.upgrade(ledger.url)
    engine = create_engine(
        make_url(ledger.url).set(drivername="postgresql+psycopg"), poolclass=NullPool
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                "version_table": migrations.VERSION_TABLE,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_bundle_is_what_tiles_hold() -> None:
    packed = pack([b"a", b"bc"])

    assert zstandard.ZstdDecompressor().decompress(packed) == b"\0\1a\0\2bc"
    assert unpack(packed) == [b"a", b"bc"]


def test_notary_ends_with_its_database_and_waits_for_it_at_the_start(
    servers: EmbeddedServers, ledger: Ledger, link: Link
) -> None:
    first = ledger.process
    assert first is not None
    servers.stop_primary()
    try:
        said = ledger.end(first)
        second = ledger.launch()
    finally:
        servers.start_primary()

    assert "LedgerError" in said
    assert first.returncode == 1
    assert second.stdout is not None
    assert second.stdout.readline() == "ready\n"
    assert ledger.link().append(answer())[0].charged
