"""A notary process with a ledger of its own, and the link to it as a worker has it."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from padan_server.adapters import keyring_file
from padan_server.adapters.anchor_file import AnchorFile
from padan_server.adapters.ledger_postgres import LedgerPostgres
from padan_server.adapters.ledger_reading import LedgerReading
from padan_server.domain.control import Action, AddAgreement, AddKey, AddPartner
from padan_server.domain.draft import Draft, Verdict
from padan_server.domain.ledger_check import Report, check
from padan_server.domain.ledger_sealed import Secrets
from padan_server.link import (
    Append,
    Control,
    Controlled,
    Frames,
    FromNotary,
    Overloaded,
    Policy,
    Poll,
    Recorded,
    ToNotary,
    decode_from_notary,
    frame,
)
from padan_server.migrations import ledger as migrations
from padan_server.notary.genesis import open_log
from tests.support.builders import public_key, signing_key
from tests.support.ledger import LOG, agreement, partner

PROCESS = Path(__file__).resolve().parents[1] / "e2e" / "notary_process.py"
SECONDS_MAX = 30.0
M = TypeVar("M", bound=FromNotary)
_numbers = itertools.count()


class Link:
    """A worker's end of the link, blocking."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(SECONDS_MAX)
        self._socket.connect(str(path))
        self._frames = Frames()
        self._waiting: list[FromNotary] = []

    def send(self, message: ToNotary) -> None:
        """Send a message."""
        self._socket.sendall(frame(message))

    def receive(self) -> FromNotary:
        """Give the next message. Raises ConnectionError when the notary is gone."""
        while not self._waiting:
            data = self._socket.recv(262_144)
            if not data:
                raise ConnectionError("the notary closed the link")
            self._waiting += [decode_from_notary(body) for body in self._frames.feed(data)]
        return self._waiting.pop(0)

    def ask(self, message: ToNotary, kind: type[M]) -> M:
        """Send a message, and give the answer."""
        self.send(message)
        answer = self.receive()
        assert isinstance(answer, kind)
        return answer

    def append(self, *drafts: Draft, resent: bool = False) -> list[Verdict]:
        """Have drafts recorded; give their verdicts in order."""
        self.send(Append(list(drafts), resent))
        verdicts: dict[bytes, Verdict] = {}
        while len(verdicts) < len({draft.draft_id for draft in drafts}):
            message = self.receive()
            assert isinstance(message, Recorded)
            verdicts |= {verdict.draft_id: verdict for verdict in message.verdicts}
        return [verdicts[draft.draft_id] for draft in drafts]

    def settle(self, drafts: dict[bytes, Draft], verdicts: dict[bytes, Verdict]) -> None:
        """Receive verdicts of drafts until none waits; what was declined is sent anew."""
        while drafts:
            message = self.receive()
            if isinstance(message, Overloaded):
                self.send(Append([drafts[draft_id] for draft_id in message.draft_ids], False))
                continue
            assert isinstance(message, Recorded)
            for verdict in message.verdicts:
                del drafts[verdict.draft_id]
                verdicts[verdict.draft_id] = verdict

    def control(self, action: Action) -> Controlled:
        """Have an action applied."""
        return self.ask(Control(action), Controlled)

    def poll(self, known: int = 0) -> Policy:
        """Ask for the policy."""
        return self.ask(Poll(known), Policy)

    def make_partner(self, name: str = "bank", **special: Any) -> None:
        """Register a partner with a key and an agreement."""
        for action in (
            AddPartner(partner=name, name="A bank", kind=partner().kind),
            AddKey(partner=name, key=public_key("key-1", signing_key())),
            AddAgreement(partner=name, agreement=agreement(version=0, **special)),
        ):
            assert self.control(action).error == ""

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Ledger:
    """A ledger in a database of its own, with its keys and its anchor in a directory."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.directory = directory
        self.socket = directory / "notary.sock"
        self.process: subprocess.Popen[str] | None = None
        self._links: list[Link] = []

    @classmethod
    def create(cls, server_url: str, directory: Path) -> Ledger:
        """Open a new log. `server_url` is that of any database of the server."""
        name = f"notary_{next(_numbers)}"
        with psycopg.connect(server_url, autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}".encode())
        directory.mkdir(parents=True, exist_ok=True)
        ledger = cls(_url_of(server_url, name), directory)
        migrations.upgrade(ledger.url)
        keyring_file.create(directory / "keys")
        ledger.open_log()
        return ledger

    def open_log(self) -> None:
        """Open the log as the command line does."""

        async def opening() -> None:
            store = await LedgerPostgres.connect(self.url)
            try:
                await open_log(LOG, store=store, anchor=self.anchor, keys=self.keys)
            finally:
                await store.close()

        asyncio.run(opening())

    def copy(self, directory: Path) -> Ledger:
        """Copy the database, the keys and the anchor, as a backup does. No notary may run."""
        name = f"notary_{next(_numbers)}"
        with psycopg.connect(_url_of(self.url, "postgres"), autocommit=True) as server:
            original = psycopg.conninfo.conninfo_to_dict(self.url)["dbname"]
            server.execute(f"CREATE DATABASE {name} TEMPLATE {original}".encode())
        self.copy_files(directory)
        return Ledger(_url_of(self.url, name), directory)

    def copy_files(self, directory: Path) -> None:
        """Copy the keys and the anchor."""
        shutil.copytree(self.directory, directory, ignore=lambda *_: ["notary.sock"])

    @property
    def anchor_path(self) -> Path:
        """Where the anchor is."""
        return self.directory / "anchor"

    @property
    def anchor(self) -> AnchorFile:
        """The anchor."""
        return AnchorFile(self.anchor_path)

    @property
    def keys(self) -> keyring_file.NotaryKeys:
        """The notary's keys."""
        return keyring_file.NotaryKeys(self.directory / "keys" / "notary")

    def start(self) -> Link:
        """Start a notary, wait until it serves, and link to it."""
        process = self.launch()
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            process.kill()
            raise AssertionError(f"no notary started: {self.end(process)}")
        return self.link()

    def link(self) -> Link:
        """Link to the notary once more; `stop` and `kill` hang up."""
        link = Link(self.socket)
        self._links.append(link)
        return link

    def launch(self) -> subprocess.Popen[str]:
        """Start a notary."""
        self.process = subprocess.Popen(
            [sys.executable, PROCESS, self.url, self.directory, self.socket],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROCESS.parents[2] / "server")},
        )
        return self.process

    def refuses_to_start(self) -> str:
        """Start a notary that is to refuse; give what it says."""
        process = self.launch()
        said = self.end(process)
        assert process.returncode == 1
        return said

    def kill(self) -> None:
        """Kill the notary."""
        assert self.process is not None
        self.process.kill()
        self.end(self.process)
        self._hang_up()

    def stop(self) -> int:
        """Stop the notary, if it runs; give its exit code."""
        self._hang_up()
        if self.process is None:
            return 0
        self.process.terminate()
        self.end(self.process)
        return self.process.returncode

    def end(self, process: subprocess.Popen[str]) -> str:
        """Wait for a notary's end; give what it said."""
        if process.stderr is None or process.stderr.closed:
            process.wait(SECONDS_MAX)
            return ""
        _, said = process.communicate(timeout=SECONDS_MAX)
        return said

    def _hang_up(self) -> None:
        while self._links:
            self._links.pop().close()

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Do something to the database that no notary does; give the rows."""
        with psycopg.connect(self.url, autocommit=True) as database:
            cursor = database.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def check(self, secrets: Secrets | None = None) -> Report:
        """Check the ledger."""

        async def checking() -> Report:
            reader = await LedgerReading.connect(self.url)
            try:
                return await check(
                    reader,
                    anchor=self.read_anchor,
                    public_key=self.keys.public_key(),
                    secrets=secrets,
                )
            finally:
                await reader.close()

        return asyncio.run(checking())

    def read_anchor(self) -> bytes:
        """Read the anchor as it stands."""
        anchor = self.anchor
        try:
            return anchor.read()
        finally:
            anchor.close()

    def found(self, secrets: Secrets | None = None) -> set[str]:
        """Check the ledger; give what was found, without where."""
        return {str(finding.what) for finding in self.check(secrets).findings}


def in_parts(drafts: Sequence[Draft], size: int) -> list[list[Draft]]:
    """Cut drafts into parts."""
    return [list(drafts[at : at + size]) for at in range(0, len(drafts), size)]


def _url_of(url: str, database: str) -> str:
    head, _, options = url.partition("?")
    return f"{head.rpartition('/')[0]}/{database}?{options}"
