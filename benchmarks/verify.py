"""`python -m benchmarks.verify`: how many entries a second `padan-verify` checks, on one core.

The log is made by the notary's own code, in memory, and written as a directory of files.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import random
import time
from collections import Counter
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks import machine
from benchmarks.command import ending, out, progress, working_directory
from benchmarks.report import LATEST
from padan_client.verify.audit import AuditReport, audit
from padan_client.verify.checkpoints import Trust
from padan_client.verify.directory import LogDirectory
from padan_server.domain import canonical, entry
from padan_server.domain.agreement import Agreement, PartnerKey, PartnerKind
from padan_server.domain.control import Action, AddAgreement, AddKey, AddPartner
from padan_server.domain.draft import Draft, Kind
from padan_server.domain.ledger import LogRow, Tail
from padan_server.domain.merkle import EMPTY, EMPTY_ROOT, leaf_hash
from padan_server.domain.note import Checkpoint, sign, verifier_key
from padan_server.domain.tile_tree import EMPTY_TILES
from padan_server.domain.tiles import TILE_WIDTH, Bundle, pack_entries
from padan_server.notary.batch import build
from padan_server.notary.control import build_control
from padan_server.notary.intake import take
from padan_server.notary.state import State

LOG = "padan.bench/2026"
BATCH = 1000
PARTNERS = 20
START = round(datetime(2026, 11, 24, 1, tzinfo=UTC).timestamp() * 1_000_000)
BATCH_MICROSECONDS = 20_000
"""A batch of a thousand every 20 ms: 50,000 entries a second, as a busy notary makes them."""

REPLAYS = REFUSALS = 0.03
"""Parts of the calls that are repeated, and that are refused."""

ROUNDS = 3
PROFILE_LINES = 14
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_COORDINATE = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"


class _Keys:
    """A key for subjects; how strong it is does not matter here."""

    subject_epoch = 1

    def subject_mac(self, nik: str) -> bytes:
        return nik.encode().ljust(32)


class _Bytes:
    """Bytes that are the same in each run."""

    def __init__(self) -> None:
        self._random = random.Random(4)

    def __call__(self, size: int) -> bytes:
        return self._random.randbytes(size)


class _Nobody:
    """A sender that waits for no verdict."""

    def deliver(self, verdicts: object) -> None:
        del verdicts


class Maker:
    """Makes the entries of a busy log: answers of several partners, some replays and refusals."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self._random = random.Random(4)
        self._entropy = _Bytes()
        self._numbers = count(1)
        self._state = State(
            Tail(
                log=LogRow(name=LOG, public_key=bytes(32), epoch=1, policy_version=1),
                frontier=EMPTY,
                root=EMPTY_ROOT,
                time=START,
                clock=START,
                partners={},
                heads={},
                used={},
            )
        )
        for number in range(PARTNERS):
            self._add_partner(f"bank-{number}")

    def fill(self, size: int) -> None:
        """Make batches until there are so many entries."""
        while len(self.entries) < size:
            at = START + len(self.entries) // BATCH * BATCH_MICROSECONDS
            drafts = [self._draft(at) for _ in range(min(BATCH, size - len(self.entries)))]
            again = [self._again(draft) for draft in drafts if self._random.random() < REPLAYS]
            drafts = drafts[: len(drafts) - len(again)] + again[: len(drafts)]
            items = [take(draft, resent=False, sender=_Nobody()) for draft in drafts]
            built = build(self._state, items, time=at, keys=_Keys(), entropy=self._entropy)
            self._state.apply(built.write, built.attempts)
            self.entries += built.write.entries

    def _control(self, action: Action) -> None:
        write, changed, _ = build_control(
            self._state, action, time=START, keys=_Keys(), entropy=self._entropy
        )
        self._state.apply(msgspec.structs.replace(write, partner=changed), {})
        self.entries += write.entries

    def _add_partner(self, name: str) -> None:
        jwk = json.dumps({"kty": "OKP", "crv": "Ed25519", "x": _COORDINATE})
        self._control(AddPartner(partner=name, name="A bank", kind=PartnerKind.PRIVATE))
        self._control(AddKey(partner=name, key=PartnerKey("key-1", "EdDSA", jwk)))
        agreement = Agreement(
            version=0,
            purposes=frozenset({"ACCOUNT_OPENING"}),
            methods=frozenset({"VERIFY"}),
            verify_elements=frozenset({"full_name", "birth_date", "mother_name"}),
            lookup_elements=frozenset(),
            budget_day=10**9,
            budget_month=10**10,
            price_rupiah=1000,
            valid_from=date(2026, 1, 1),
            valid_until=date(2027, 12, 31),
        )
        self._control(AddAgreement(partner=name, agreement=agreement))

    def _draft(self, at: int) -> Draft:
        number = next(self._numbers)
        request_id = str(UUID(int=at // 1000 << 80 | 7 << 76 | 2 << 62 | number))
        refused = self._random.random() < REFUSALS
        ask = {
            "agreement_version": 1,
            "elements": ["full_name", "birth_date", "mother_name"],
            "key_id": "key-1",
            "method": "VERIFY",
            "network": "PRIVATE",
            "personal": entry.base64(self._random.randbytes(32)),
            "purpose": "ACCOUNT_OPENING",
            "regency": "3171",
            "request_id": request_id,
        }
        answer = {
            "as_of": entry.timestamp(at - 70_000),
            "fields": {
                "birth_date": ["MATCH", 100, []],
                "full_name": ["CLOSE", 90, ["TITLES"]],
                "mother_name": ["MATCH", 100, []],
            },
            "matcher": "1",
            "outcome": "MATCHED",
            "record_version": 1,
            "statement": entry.base64(self._random.randbytes(32)),
        }
        return Draft(
            draft_id=number.to_bytes(16, "big"),
            kind=(Kind.REFUSAL if refused else Kind.ANSWER).value,
            partner=f"bank-{number % PARTNERS}",
            key_id="key-1",
            agreement_version=1,
            request_id=request_id,
            nik="3171014501900001",
            ask=canonical.dumps(ask),
            answer=b"" if refused else canonical.dumps(answer),
            billable=not refused,
            content_mac=b"content".ljust(32),
            sealed_answer=b"" if refused else b"sealed",
            sealed_personal=b"",
            reason="ELEMENT_NOT_GRANTED" if refused else "",
            count=0,
        )

    def _again(self, draft: Draft) -> Draft:
        return msgspec.structs.replace(draft, draft_id=self._random.randbytes(16))


def write_log(directory: Path, entries: list[bytes]) -> str:
    """Write a log's files; give its verifier key."""
    tree, tiles = EMPTY_TILES.extended([leaf_hash(data) for data in entries])
    files = {one.tile.path(): one.hashes for one in [*tiles, *tree.partial()]}
    for number, at in enumerate(range(0, len(entries), TILE_WIDTH)):
        part = entries[at : at + TILE_WIDTH]
        files[Bundle(number, len(part)).path()] = pack_entries(part)
    public_key = _KEY.public_key().public_bytes_raw()
    checkpoint = Checkpoint(LOG, tree.size, tree.root())
    files["checkpoint"] = sign(checkpoint, public_key=public_key, signer=_KEY.sign)
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    return verifier_key(LOG, public_key)


def spent(profile: cProfile.Profile) -> list[tuple[str, float, float]]:
    """Tell where the time goes: function, and its share of all, its own and with what it calls."""
    stats = pstats.Stats(profile)
    total: float = stats.total_tt  # type: ignore[attr-defined]
    rows = [
        (f"{Path(file).name}:{name}" if file != "~" else name, own / total, cumulative / total)
        for (file, _, name), (_, _, own, cumulative, _) in stats.stats.items()  # type: ignore[attr-defined]
    ]
    return sorted(rows, key=lambda row: -row[1])[:PROFILE_LINES]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify", description=__doc__)
    parser.add_argument("--entries", type=int, default=400_000)
    parser.add_argument("--profile", action="store_true", help="tell where the time goes instead")
    given = parser.parse_args()
    if given.entries < 1:
        parser.error("entries from 1")
    with ending(), working_directory("verify") as directory:
        progress.print(f"making {given.entries:,} entries")
        maker = Maker()
        maker.fill(given.entries)
        key = write_log(directory, maker.entries)
        length = sum(map(len, maker.entries)) / len(maker.entries)
        del maker
        log, trust = LogDirectory(directory), Trust.parse(log_keys=[key])
        if given.profile:
            profile = cProfile.Profile()
            profile.runcall(audit, log, trust)
            for name, own, cumulative in spent(profile):
                out.print(f"{own:6.1%} own {cumulative:6.1%} with its calls  {name}", markup=False)
            return
        _measure(log, trust, length, machine.describe(directory))


def _measure(log: LogDirectory, trust: Trust, length: float, described: dict[str, str]) -> None:
    seconds = []
    report: AuditReport | None = None
    for _ in range(ROUNDS):
        started = time.process_time()
        report = audit(log, trust)
        seconds.append(time.process_time() - started)
    assert report is not None, "there is a round"
    if report.findings:
        raise SystemExit(f"the log does not verify: {report.findings[0]}")
    size = report.signed.checkpoint.size
    rate = size / min(seconds)
    out.print(f"{rate:12,.0f} entries verified a second (best of {ROUNDS}, processor time)")
    out.print(f"{size / max(seconds):12,.0f} in the worst round")
    out.print(f"{length:12,.0f} bytes an entry; {dict(Counter(report.kinds))}", markup=False)
    out.print(f"{described['processor']}, Python {described['python']}", markup=False)
    latest = json.loads(LATEST.read_text("utf-8")) if LATEST.exists() else {}
    latest["ledger_verify_entries_per_second"] = round(rate)
    LATEST.write_text(json.dumps(latest, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
