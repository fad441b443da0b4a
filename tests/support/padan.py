"""A whole Padan for tests: servers, service, partners, clients, and the entries they left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import zstandard

from padan_client import Client, PartnerKey
from padan_client.keys import KeyKind, PrivateKey, new_private_key, public_jwk
from padan_server.adapters import notary_control
from padan_server.adapters.partner_jwk import partner_key
from padan_server.demo.installation import Installation, Serving
from padan_server.domain import entry
from padan_server.domain.agreement import Agreement, PartnerKind
from padan_server.domain.claims import VERIFY_ELEMENTS
from padan_server.domain.control import Action, AddAgreement, AddKey, AddPartner

WAIT_SECONDS_MAX = 20.0
QUICK = {"PADAN_SUMMARY_SECONDS": "0.5", "PADAN_WORKERS": "2"}


@dataclass
class Padan:
    """An installation with its service running."""

    installation: Installation
    serving: Serving

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `padan-server` as an operator of this installation."""
        done = subprocess.run(
            [sys.executable, "-m", "padan_server", *arguments],
            env=os.environ | self.installation.environment | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def partner(
        self,
        partner: str,
        *,
        kind: PartnerKind = PartnerKind.PRIVATE,
        key: PrivateKey | None = None,
        **agreement: Any,
    ) -> PartnerKey:
        """Register a partner with a key and an agreement; gives its credentials.

        `agreement` is what is special about it: see `agreement`.
        """
        key = key or new_private_key(KeyKind.EDDSA)
        credentials = PartnerKey(partner, private_key=key)
        registered = partner_key(json.dumps(public_jwk(key)))
        self.control(AddPartner(partner=partner, name=f"Test {partner}", kind=kind))
        self.control(AddKey(partner=partner, key=registered))
        self.control(AddAgreement(partner=partner, agreement=agreement_of(**agreement)))
        self.settle()
        return credentials

    def control(self, action: Action) -> None:
        """Have the notary apply and record an action, as the command line does."""
        notary_control.control(str(self.installation.notary_socket), action)

    def settle(self) -> None:
        """Wait until every worker has polled the partners' state: twice the pause between polls."""
        time.sleep(0.6)

    def client(self, credentials: PartnerKey, **options: Any) -> Client:
        """Give a client."""
        return Client(target=self.serving.target, credentials=credentials, insecure=True, **options)

    def entries(self, partner: str = "") -> list[dict[str, Any]]:
        """Read the log as it stands; of one partner, if named."""
        with psycopg.connect(self.installation.servers.ledger_url) as ledger:
            bodies = ledger.execute("SELECT entries FROM batch ORDER BY size").fetchall()
        found = [entry.parse(data) for (body,) in bodies for data in _unpacked(body)]
        return [one for one in found if not partner or one["partner"] == partner]

    def entries_until(self, partner: str, count: int, **fields: Any) -> list[dict[str, Any]]:
        """Wait until so many of a partner's entries have these fields; gives them."""
        ends = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            found = [
                one
                for one in self.entries(partner)
                if all(one.get(name) == value for name, value in fields.items())
            ]
            if len(found) >= count:
                return found
            assert time.monotonic() < ends, f"{len(found)} of {count} entries came"
            time.sleep(0.05)

    def check(self) -> str:
        """Check the ledger; fails unless it is whole."""
        return self.installation.check_ledger()


def agreement_of(**special: Any) -> Agreement:
    """Give an agreement that grants verifying everything, for a year, without budgets."""
    ordinary: dict[str, Any] = {
        "version": 0,
        "purposes": frozenset({"ACCOUNT_OPENING"}),
        "methods": frozenset({"VERIFY"}),
        "verify_elements": frozenset(VERIFY_ELEMENTS),
        "lookup_elements": frozenset(),
        "budget_day": None,
        "budget_month": None,
        "price_rupiah": 1000,
        "valid_from": date.today() - timedelta(days=1),
        "valid_until": date.today() + timedelta(days=365),
    }
    return Agreement(**(ordinary | special))


def _unpacked(body: bytes) -> Iterator[bytes]:
    data = zstandard.ZstdDecompressor().decompress(body)
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        yield data[at + 2 : at + 2 + size]
        at += 2 + size


@contextmanager
def padan(
    directory: Path,
    *,
    people: int = 1000,
    settings: Mapping[str, str] | None = None,
    standbys: int = 1,
) -> Iterator[Padan]:
    """Set a Padan up below a directory, and take it down again."""
    installation = Installation(directory, tell=lambda _: None, standbys=standbys)
    try:
        installation.prepare(people=people)
        with installation.serving(port=0, settings=QUICK | dict(settings or {})) as serving:
            yield Padan(installation, serving)
    finally:
        installation.servers.stop()
