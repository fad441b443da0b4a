"""Real entries: made by the notary's own code, in memory, from drafts and control actions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from padan_server.domain import canonical, entry
from padan_server.domain.control import Action, AddAgreement, AddKey, AddPartner
from padan_server.domain.draft import Draft
from padan_server.domain.merkle import leaf_hash
from padan_server.notary.control import build_control
from tests.support.builders import public_key, signing_key
from tests.support.ledger import (
    NOON,
    Keys,
    agreement,
    answer,
    batch,
    counting,
    partner,
    request_id,
    state,
)

SALT = bytes(range(16))
KEY = public_key("key-1", signing_key())


def asked(*, at: int = NOON, **special: Any) -> Draft:
    """Draft an answer whose request_id was made at that time, in microseconds."""
    return answer(**({"request_id": request_id(at)} | special))


class Log:
    """A log that grows by drafts and actions; `entries` are its entries' bytes."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.statements: dict[int, bytes] = {}
        self._memory = state()

    def control(self, action: Action, *, at: int = NOON) -> None:
        """Record an action."""
        write, changed, _ = build_control(
            self._memory, action, time=at, keys=Keys(), entropy=counting
        )
        self._memory.apply(msgspec.structs.replace(write, partner=changed), {})
        self.entries += write.entries

    def add_partner(self, name: str = "bank", **special: Any) -> None:
        """Register a partner with a key and an agreement."""
        self.control(AddPartner(partner=name, name="A bank", kind=partner().kind))
        self.control(AddKey(partner=name, key=KEY))
        self.control(AddAgreement(partner=name, agreement=agreement(version=0, **special)))

    def append(self, *drafts: Draft, at: int = NOON) -> None:
        """Record drafts in one batch."""
        self.entries += batch(self._memory, *drafts, at=at).write.entries

    def append_stated(self, **special: Any) -> int:
        """Record an answer whose statement is known; give its index."""
        draft = asked(**special)
        ask = canonical.loads(draft.ask)
        shared = {name: ask[name] for name in ("method", "purpose", "request_id")}
        request = canonical.dumps({"nik": "3171014501900001", "partner": draft.partner, **shared})
        told = {"as_of": "2026-11-24T04:59:59.000000Z", "outcome": "MATCHED"}
        answered = canonical.dumps({**told, "subject_token": "token"})
        committed = entry.base64(entry.statement(SALT, request, answered))
        recorded = canonical.dumps({**told, "statement": committed})
        self.append(msgspec.structs.replace(draft, answer=recorded))
        index = len(self.entries) - 1
        self.statements[index] = b'{"answer":%b,"request":%b}' % (answered, request)
        return index

    def fill(self, size: int, *, batch_size: int = 1000) -> None:
        """Record answers until the log has so many entries."""
        while len(self.entries) < size:
            missing = min(batch_size, size - len(self.entries))
            self.append(*(asked() for _ in range(missing)))


def changed(data: bytes, **fields: Any) -> bytes:
    """Write an entry with other fields, canonically; None takes a field away."""
    value = canonical.loads(data) | fields
    return canonical.dumps({name: each for name, each in value.items() if each is not None})


def rechained(entries: Sequence[bytes]) -> list[bytes]:
    """Number the entries anew and link each partner's chain, as a log that lies well would."""
    made: list[bytes] = []
    heads: dict[str, tuple[int, str | None]] = {}
    for index, data in enumerate(entries):
        name = canonical.loads(data)["partner"]
        seq, previous = heads.get(name, (0, None))
        made.append(changed(data, index=index, partner_seq=seq, partner_previous=previous))
        leaf = entry.base64(leaf_hash(made[-1]))
        heads[name] = (seq + 1, leaf)
    return made
