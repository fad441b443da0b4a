"""The signed head: what is signed always extends what was signed before, and is committed.

The anchor is the memory of that, kept where a restore of the database does not reach it.
"""

from __future__ import annotations

import structlog

from padan_server.domain.ledger import AnchorAhead, LedgerError, Tail, Write
from padan_server.domain.merkle import EMPTY, EMPTY_ROOT, Frontier, leaf_hash
from padan_server.domain.note import Checkpoint, NoteInvalid, open_checkpoint, sign
from padan_server.notary.ports import Anchor, NotaryKeys, Store

_log = structlog.get_logger(__name__)


class SignedHead:
    """The last signed checkpoint of a log, and the anchor that holds it."""

    def __init__(self, checkpoint: Checkpoint, *, anchor: Anchor, keys: NotaryKeys) -> None:
        self._checkpoint = checkpoint
        self._anchor = anchor
        self._keys = keys
        self._public_key = keys.public_key()

    def advance(self, write: Write) -> None:
        """Sign the head of a committed batch and anchor it. Raises LedgerError."""
        if write.first != self._checkpoint.size:
            raise LedgerError("a batch does not extend the signed head")
        self._sign(write.frontier.size, write.root)

    def _sign(self, size: int, root: bytes) -> None:
        checkpoint = Checkpoint(self._checkpoint.origin, size, root)
        note = sign(checkpoint, public_key=self._public_key, signer=self._keys.sign)
        self._anchor.write(note)
        self._checkpoint = checkpoint

    @classmethod
    async def open(
        cls, tail: Tail, *, store: Store, anchor: Anchor, keys: NotaryKeys
    ) -> SignedHead:
        """Check the database's log against the anchor, and sign what was committed but not signed.

        Raises AnchorMissing, AnchorAhead or LedgerError: then the log must not be written to.
        """
        if tail.log.public_key != keys.public_key():
            raise LedgerError("the log in the database belongs to another signing key")
        if tail.frontier.root() != tail.root:
            raise LedgerError("the head's frontier does not lead to its root")
        try:
            signed = open_checkpoint(
                anchor.read(), origin=tail.log.name, public_key=tail.log.public_key
            )
        except NoteInvalid as error:
            raise LedgerError(f"the anchor holds no checkpoint of this log: {error}") from error
        head = cls(signed, anchor=anchor, keys=keys)
        await _check(tail, signed, store)
        if tail.frontier.size > signed.size:
            _log.warning(
                "signing_unsigned_batches", signed=signed.size, committed=tail.frontier.size
            )
            head._sign(tail.frontier.size, tail.root)
        return head


def initial_note(name: str, keys: NotaryKeys) -> bytes:
    """Give the signed checkpoint of an empty log, for the first anchor."""
    return sign(Checkpoint(name, 0, EMPTY_ROOT), public_key=keys.public_key(), signer=keys.sign)


async def _check(tail: Tail, signed: Checkpoint, store: Store) -> None:
    if tail.frontier.size < signed.size:
        raise AnchorAhead(
            f"the database's log ends at {tail.frontier.size}, but {signed.size} entries were "
            "signed: it was set back to an older state. Do not write to it: keep it as it is, and "
            "open a new log"
        )
    frontier = await _frontier_at(signed.size, store)
    if frontier is None or frontier.root() != signed.root:
        raise AnchorAhead(
            f"the database's log is not the one whose first {signed.size} entries were signed"
        )
    async for batch in store.batches(signed.size):
        if batch.first != frontier.size:
            raise LedgerError(f"a batch is missing at {frontier.size}")
        frontier = frontier.extended([leaf_hash(data) for data in batch.entries])
        if (frontier.size, frontier.root()) != (batch.size, batch.root):
            raise LedgerError(f"the batch at {batch.first} does not have its root")
    if frontier.size != tail.frontier.size or frontier.root() != tail.root:
        raise LedgerError("the stored entries do not lead to the head")


async def _frontier_at(size: int, store: Store) -> Frontier | None:
    if size == 0:
        return EMPTY
    dumped = await store.frontier_at(size)
    return None if dumped is None else Frontier.load(size, dumped)
