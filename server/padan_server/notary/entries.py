"""Entries put to the end of the log: their place, their chain, their leaf and their search side."""

from __future__ import annotations

from padan_server.domain import entry
from padan_server.domain.agreement import Partner
from padan_server.domain.ledger import (
    SUBJECT_KEY_BYTES,
    BoundRow,
    Charged,
    Head,
    SearchRow,
    Write,
)
from padan_server.domain.merkle import leaf_hash
from padan_server.notary.intake import Item
from padan_server.notary.ports import Entropy, SubjectKeys
from padan_server.notary.state import State

_NEW = Head(0, b"")


class Entries:
    """The entries of one batch, all with one time. The memory is read, never changed."""

    def __init__(self, state: State, *, time: int, keys: SubjectKeys, entropy: Entropy) -> None:
        self._state = state
        self._time = time
        self._timestamp = entry.timestamp(time)
        self._keys = keys
        self._entropy = entropy
        self._next = state.frontier.size
        self._heads: dict[str, Head] = {}
        self._entries: list[bytes] = []
        self._leaves: list[bytes] = []
        self._rows: list[SearchRow] = []
        self._personal: list[bytes] = []

    def add(
        self,
        item: Item,
        *,
        kind: str,
        partner: str,
        reason: str = "",
        attempt: int = 0,
        charge: tuple[int, tuple[str, ...]] | None = None,
        replay_of: int = -1,
        answered: bool = False,
    ) -> int:
        """Put a draft's entry; give its index. Only with `answered` its answer is in it."""
        draft, ask = item.draft, item.ask
        nonce = self._entropy(entry.NONCE_BYTES)
        subject = subject_key = b""
        if draft.nik:
            mac = self._keys.subject_mac(draft.nik)
            subject, subject_key = entry.subject(nonce, mac), mac[:SUBJECT_KEY_BYTES]
        index, head = self._next, self._head(partner)
        data = entry.assemble(
            kind=kind,
            log=self._state.log,
            index=index,
            time=self._timestamp,
            partner=partner,
            partner_seq=head.next_seq,
            partner_previous=head.leaf_hash,
            draft_id=draft.draft_id,
            nonce=nonce,
            ask=draft.ask,
            answer=draft.answer if answered else b"",
            attempt=attempt,
            charge=charge,
            count=draft.count,
            reason=reason,
            replay_of=replay_of,
            subject=subject,
            subject_epoch=self._keys.subject_epoch,
        )
        outcome = item.answer.outcome if answered else ""
        row = SearchRow(
            index,
            draft.draft_id,
            head.next_seq,
            ask.regency,
            subject_key,
            partner,
            kind,
            ask.method,
            ask.purpose,
            outcome,
            reason,
        )
        return self._put(data, row, draft.sealed_personal)

    def add_control(self, *, kind: str, partner: str, draft_id: bytes, control: bytes) -> int:
        """Put the entry of a control action; give its index."""
        index, head = self._next, self._head(partner)
        data = entry.assemble(
            kind=kind,
            log=self._state.log,
            index=index,
            time=self._timestamp,
            partner=partner,
            partner_seq=head.next_seq,
            partner_previous=head.leaf_hash,
            draft_id=draft_id,
            nonce=self._entropy(entry.NONCE_BYTES),
            control=control,
        )
        row = SearchRow(index, draft_id, head.next_seq, "", b"", partner, kind, "", "", "", "")
        return self._put(data, row, b"")

    def write(
        self,
        *,
        bound: list[BoundRow],
        charged: list[Charged],
        partner: Partner | None = None,
    ) -> Write:
        """Give what is to be committed."""
        frontier = self._state.frontier.extended(self._leaves)
        return Write(
            epoch=self._state.epoch,
            first=self._state.frontier.size,
            frontier=frontier,
            root=frontier.root(),
            time=self._time,
            entries=self._entries,
            rows=self._rows,
            personal=self._personal,
            bound=bound,
            charged=charged,
            heads=self._heads,
            partner=partner,
        )

    def _head(self, partner: str) -> Head:
        return self._heads.get(partner) or self._state.heads.get(partner, _NEW)

    def _put(self, data: bytes, row: SearchRow, personal: bytes) -> int:
        leaf = leaf_hash(data)
        self._entries.append(data)
        self._leaves.append(leaf)
        self._rows.append(row)
        self._personal.append(personal)
        self._heads[row.partner] = Head(row.partner_seq + 1, leaf)
        self._next += 1
        return row.position
