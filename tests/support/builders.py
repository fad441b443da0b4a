"""Values for tests: each builder gives an ordinary one, and takes what matters to the test.

Ports whose production adapter needs the network have a stand-in here; all else is the real thing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from functools import lru_cache
from hashlib import shake_256
from pathlib import Path
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from padan_server.adapters import keyring_file
from padan_server.adapters.keyring_file import WorkerKeys
from padan_server.adapters.policy_linked import LinkedPolicy
from padan_server.domain.agreement import (
    PURPOSES,
    Agreement,
    Grant,
    Partner,
    PartnerKey,
    PartnerKind,
)
from padan_server.domain.call import Call
from padan_server.domain.caller import Caller
from padan_server.domain.claims import LOOKUP_ELEMENTS, VERIFY_ELEMENTS, LookupQuery, VerifyQuery
from padan_server.domain.coverage import Coverage
from padan_server.domain.draft import Draft, Kind, Standing, Verdict
from padan_server.domain.nik import Nik, parse
from padan_server.domain.outcome import MATCHED, Judgement, RegionState
from padan_server.domain.person import Finding, LifeStatus, Record, RecordStatus
from padan_server.domain.refusal import Refusal
from padan_server.domain.region import Standing as RegionStanding
from padan_server.link import Policy

NOW = 1_790_000_000.0
"""2026-09-21 14:13:20 UTC, 21:13:20 in Jakarta."""

LOG = "padan.example/log"
NIK = parse("3171015203909001")
_replace = msgspec.structs.replace


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class CountedEntropy:
    """Bytes that never repeat, and are the same in every run."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return shake_256(self._count.to_bytes(8, "big")).digest(size)


def request_id(seconds: float = NOW, number: int = 1) -> str:
    """Give a UUIDv7 of a moment."""
    time = f"{int(seconds * 1000):012x}"
    return f"{time[:8]}-{time[8:]}-7000-8000-{number:012x}"


def record(**changes: Any) -> Record:
    ordinary = Record(
        nik=NIK,
        full_name="SITI CONTOH LESTARI",
        birth_place="JAKARTA PUSAT",
        birth_date=date(1990, 3, 12),
        sex=2,
        mother_name="AMINAH CONTOH",
        father_name="AHMAD CONTOH",
        family_card_number="3171010101209001",
        address="JL. CONTOH NO. 1",
        rt="001",
        rw="002",
        village_code="3171011001",
        marital_status=2,
        religion=1,
        occupation=65,
        education=8,
        blood_type=13,
        family_relation=3,
        postal_code="10110",
        life_status=LifeStatus.ALIVE,
        record_status=RecordStatus.ACTIVE,
        version=4,
        channel="OFFICE",
        happened_at=NOW - 86_400,
        committed_at=NOW - 86_000,
    )
    return _replace(ordinary, **changes)


def found(as_of: float = NOW, **changes: Any) -> Finding:
    """Give a finding with a record that has these changes."""
    return Finding(record(**changes), as_of)


def region(**changes: Any) -> RegionState:
    return _replace(RegionState(RegionStanding.CURRENT, Coverage(NOW), False), **changes)


def judgement(**changes: Any) -> Judgement:
    return _replace(Judgement(MATCHED, NOW, True, record()), **changes)


def verify_query(**changes: Any) -> VerifyQuery:
    ordinary = VerifyQuery(
        nik=NIK,
        purpose="ACCOUNT_OPENING",
        request_id=request_id(),
        consent=None,
        case_reference="",
        operator="",
        max_staleness_seconds=None,
        claims={"full_name": "SITI CONTOH LESTARI"},
    )
    return _replace(ordinary, **changes)


def lookup_query(**changes: Any) -> LookupQuery:
    ordinary = LookupQuery(
        nik=NIK,
        purpose="PUBLIC_SERVICE",
        request_id=request_id(),
        consent=None,
        case_reference="",
        operator="",
        max_staleness_seconds=None,
        elements=("full_name",),
    )
    return _replace(ordinary, **changes)


def agreement(**changes: Any) -> Agreement:
    """Give an agreement that grants everything."""
    ordinary = Agreement(
        version=3,
        purposes=frozenset(PURPOSES),
        methods=frozenset({"VERIFY", "LOOKUP"}),
        verify_elements=frozenset(VERIFY_ELEMENTS),
        lookup_elements=frozenset(LOOKUP_ELEMENTS),
        budget_day=1000,
        budget_month=None,
        price_rupiah=1000,
        valid_from=date(2026, 1, 1),
        valid_until=date(2026, 12, 31),
    )
    return _replace(ordinary, **changes)


def partner(**changes: Any) -> Partner:
    """Give a government partner with one key and an agreement that grants everything."""
    key = signing_key()
    ordinary = Partner(
        partner="agency-a",
        name="Agency A",
        kind=PartnerKind.GOVERNMENT,
        suspended=False,
        keys={"key-1": public_key("key-1", key)},
        agreement=agreement(),
        changed=1,
    )
    return _replace(ordinary, **changes)


def caller(**changes: Any) -> Caller:
    return _replace(Caller("agency-a", "key-1", NOW + 300), **changes)


def grant(**changes: Any) -> Grant:
    return _replace(Grant("agency-a", PartnerKind.GOVERNMENT, agreement()), **changes)


def call(**changes: Any) -> Call:
    return _replace(Call("", "10.1.2.3"), **changes)


def draft(number: int = 1, **changes: Any) -> Draft:
    """Give the draft of an answer; its id is the number."""
    ordinary = Draft(
        draft_id=number.to_bytes(16, "big"),
        kind=Kind.ANSWER,
        partner="agency-a",
        key_id="key-1",
        agreement_version=3,
        request_id=request_id(number=number),
        nik=NIK,
        ask=b"{}",
        answer=b"{}",
        billable=True,
        content_mac=bytes(32),
        sealed_answer=b"",
        sealed_personal=b"",
        reason="",
        count=0,
    )
    return _replace(ordinary, **changes)


def verdict(of: Draft, **changes: Any) -> Verdict:
    """Give the verdict on a draft: recorded and charged."""
    ordinary = Verdict(of.draft_id, Standing.RECORDED, 7, 0, True, 999, -1, b"", "", "", 0.0)
    return _replace(ordinary, **changes)


SigningKey = Ed25519PrivateKey | EllipticCurvePrivateKey


def signing_key(algorithm: str = "EdDSA", number: int = 1) -> SigningKey:
    """Give a partner's private key: the same for the same arguments."""
    return _made(algorithm, number)


@lru_cache
def _made(algorithm: str, number: int) -> SigningKey:
    del number
    return Ed25519PrivateKey.generate() if algorithm == "EdDSA" else generate_ec(SECP256R1())


def public_key(key_id: str, key: SigningKey, **changes: Any) -> PartnerKey:
    """Give a private key's registered public half."""
    if isinstance(key, Ed25519PrivateKey):
        ordinary = PartnerKey(key_id, "EdDSA", OKPAlgorithm.to_jwk(key.public_key()))
    else:
        ordinary = PartnerKey(key_id, "ES256", ECAlgorithm.to_jwk(key.public_key()))
    return _replace(ordinary, **changes)


ABSENT: Any = object()
"""As a claim's or header's value: leave it out."""


def token(
    key: SigningKey | None = None, *, headers: dict[str, Any] | None = None, **claims: Any
) -> str:
    """Give a partner's signed token, valid for five minutes, with these claims changed."""
    key = key or signing_key()
    algorithm = "EdDSA" if isinstance(key, Ed25519PrivateKey) else "ES256"
    stated: dict[str, Any] = {
        "iss": "agency-a",
        "aud": "padan",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        "jti": "token-1",
    }
    return jwt.encode(
        _stated(stated | claims), key, algorithm, _stated({"kid": "key-1"} | (headers or {}))
    )


def _stated(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not ABSENT}


def policy(*partners: Partner, monotonic: Callable[[], float] = lambda: 0.0) -> LinkedPolicy:
    """Give a policy that was just told of these partners."""
    told = LinkedPolicy(monotonic=monotonic)
    told.take(Policy(1, list(partners), LOG))
    return told


def worker_keys(directory: Path, *, clock: Callable[[], float] = lambda: NOW) -> WorkerKeys:
    """Give a worker's keys; they are made in the directory if it has none."""
    if not (directory / "worker").exists():
        keyring_file.create(directory)
    return WorkerKeys(directory / "worker", clock=clock, entropy=CountedEntropy())


class KeptLedger:
    """Stands in for the notary: keeps every draft, and answers as the test says."""

    def __init__(self) -> None:
        self.appended: list[Draft] = []
        self.noted: list[Draft] = []
        self.room = True
        self.answer: Callable[[Draft], Verdict | Awaitable[Verdict] | Refusal] = verdict

    async def append(self, draft: Draft) -> Verdict:
        self.appended.append(draft)
        answer = self.answer(draft)
        if isinstance(answer, Refusal):
            raise answer
        return answer if isinstance(answer, Verdict) else await answer

    def note(self, draft: Draft) -> bool:
        if self.room:
            self.noted.append(draft)
        return self.room


class ListedRegistry:
    """Stands in for the registry copy: has these records, as of one moment; keeps what is asked."""

    def __init__(self, *records: Record, as_of: float = NOW) -> None:
        self.records = {record.nik: record for record in records}
        self.as_of = as_of
        self.beat = 0
        self.asked: list[tuple[tuple[Nik, ...], float]] = []
        self.failure: Exception | None = None

    async def find(self, niks: Sequence[Nik], *, not_before: float) -> list[Finding]:
        self.asked.append((tuple(niks), not_before))
        if self.failure is not None:
            raise self.failure
        return [Finding(self.records.get(nik), self.as_of, self.beat) for nik in niks]


def canonical_json(value: object) -> bytes:
    """Write canonical JSON (RFC 8785 on our subset) with another writer than production's."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()
