"""The demonstration's run: set up, show the scenes, check the log, then serve."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from padan_client import Client, PartnerKey
from padan_client.keys import KeyKind, new_private_key, private_pem, public_jwk
from padan_server.adapters import notary_control
from padan_server.adapters.partner_jwk import partner_key
from padan_server.demo.installation import Installation, Serving
from padan_server.demo.scenes import (
    AGENCY,
    BANK,
    Scene,
    lookups,
    outcomes,
    refused,
    retry,
    spending,
)
from padan_server.domain.agreement import Agreement, PartnerKind
from padan_server.domain.claims import VERIFY_ELEMENTS
from padan_server.domain.control import AddAgreement, AddKey, AddPartner, ControlRefused

KIOSK_BUDGET = 2

POLLED_SECONDS = 0.5
"""Until the workers know of a new partner: they poll twice as often."""

out = Console(highlight=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """A partner of the demonstration, and what its agreement grants."""

    name: str
    kind: PartnerKind
    purpose: str
    lookup: tuple[str, ...] = ()
    budget_day: int | None = None

    def agreement(self) -> Agreement:
        """Give an agreement for a year from today."""
        return Agreement(
            version=0,  # the notary counts
            purposes=frozenset({self.purpose}),
            methods=frozenset({"VERIFY", "LOOKUP"} if self.lookup else {"VERIFY"}),
            verify_elements=frozenset(VERIFY_ELEMENTS),
            lookup_elements=frozenset(self.lookup),
            budget_day=self.budget_day,
            budget_month=100_000,
            price_rupiah=0 if self.kind is PartnerKind.GOVERNMENT else 1000,
            valid_from=date.today() - timedelta(days=1),
            valid_until=date.today() + timedelta(days=365),
        )


_BANK = Institution(name="Bank Contoh", kind=PartnerKind.PRIVATE, purpose=BANK, budget_day=10_000)
_AGENCY = Institution(
    name="Dinas Contoh",
    kind=PartnerKind.GOVERNMENT,
    purpose=AGENCY,
    lookup=("full_name", "birth_date", "village_code"),
)
_KIOSK = Institution(
    name="Kios Contoh", kind=PartnerKind.PRIVATE, purpose=BANK, budget_day=KIOSK_BUDGET
)


class Demonstration:
    """Shows an installation at work."""

    def __init__(self, directory: Path, *, people: int, port: int, workers: int) -> None:
        self._installation = Installation(directory, tell=lambda text: out.print(f"  {text}"))
        self._people = people
        self._port = port
        self._workers = workers

    def run(self, *, once: bool) -> None:
        """Set up and show; then serve until Ctrl-C, unless `once`."""
        out.rule("[bold]Padan[/bold]: does this person's data agree with the civil registry?")
        started = time.monotonic()
        settings = {"PADAN_WORKERS": str(self._workers)}
        with self._installation.locked():
            try:
                self._installation.prepare(people=self._people)
                with self._installation.serving(port=self._port, settings=settings) as serving:
                    seconds = time.monotonic() - started
                    out.print(f"  serving at {serving.target} after {seconds:.1f} s")
                    self._show(serving.target)
                    if not once:
                        self._serve(serving)
            finally:
                self._installation.servers.stop()

    def _show(self, target: str) -> None:
        with ExitStack() as clients:
            bank = clients.enter_context(self._partner(target, "bank-contoh", _BANK))
            agency = clients.enter_context(self._partner(target, "dinas-contoh", _AGENCY))
            kiosk = clients.enter_context(
                self._partner(target, f"kios-contoh-{int(time.time())}", _KIOSK)
            )
            _print("A bank verifies people", outcomes(bank))
            _print("A government agency looks up", lookups(agency))
            _print("A retry is the same call", retry(bank))
            _print("A budget cannot be overspent", spending(kiosk, budget=KIOSK_BUDGET))
            _print("Requests that get no answer", refused(bank))
        out.rule("Every call left an entry in the ledger, and nobody can take it back")
        out.print(self._installation.check_ledger())

    def _serve(self, serving: Serving) -> None:
        directory = self._installation.directory
        environment = self._installation.write_environment(serving.port)
        out.rule("It serves until Ctrl-C; try it from another terminal")
        out.print(
            f"  export PATH={Path(sys.executable).parent}:$PATH\n"
            f"  export PADAN_TARGET={serving.target} PADAN_PARTNER=bank-contoh \\\n"
            f"    PADAN_KEY_FILE={directory}/partners/bank-contoh.pem PADAN_INSECURE=true\n"
            '  padan verify 3171015203909001 --full-name "siti contoh lestari" '
            "--birth-date 1990-03-12 --purpose ACCOUNT_OPENING\n"
            "  padan-server registry identities    # people to try, one for each outcome\n"
            f"  . {environment}                     # as the operator or the auditor\n"
            "  padan-server partner list\n"
            "  padan-server ledger check\n"
            f"  the service's log: {serving.log_file}",
            soft_wrap=True,
        )
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        stop.wait()
        out.print("  stopping")

    def _partner(self, target: str, partner: str, institution: Institution) -> Client:
        """Register a partner, if no former run did, and give its client."""
        credentials = PartnerKey(partner, private_key=self._key_file(partner))
        socket = str(self._installation.notary_socket)
        add = AddPartner(partner=partner, name=institution.name, kind=institution.kind)
        try:
            notary_control.control(socket, add)
        except ControlRefused:
            pass
        else:
            key = partner_key(json.dumps(public_jwk(credentials.private_key)))
            notary_control.control(socket, AddKey(partner=partner, key=key))
            agreement = institution.agreement()
            notary_control.control(socket, AddAgreement(partner=partner, agreement=agreement))
            time.sleep(POLLED_SECONDS)
        return Client(target=target, credentials=credentials, insecure=True)

    def _key_file(self, partner: str) -> Path:
        """Give the file of a partner's private key; it is made if it is not there."""
        path = self._installation.directory / "partners" / f"{partner}.pem"
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(private_pem(new_private_key(KeyKind.ES256)))
        return path


def _print(title: str, shown: Iterable[Scene]) -> None:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2))
    for scene in shown:
        table.add_row(scene.title, scene.came)
    out.print(table)
    out.print()
