"""The check of a ledger: everything that derives from the log is derived again and compared.

Pure but for its reader. It trusts the log's public key and the anchor, and nothing in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from padan_server.domain import entry
from padan_server.domain.draft import Kind
from padan_server.domain.ledger import (
    SUBJECT_KEY_BYTES,
    Batch,
    SearchRow,
    microseconds,
    search_row,
)
from padan_server.domain.ledger_reader import Present, Reader
from padan_server.domain.ledger_replay import Replay, binds, request_of
from padan_server.domain.ledger_sealed import Secrets, What, kept_faults, sealed_faults
from padan_server.domain.merkle import EMPTY, EMPTY_ROOT, Frontier, leaf_hash
from padan_server.domain.note import Checkpoint, NoteInvalid, open_checkpoint
from padan_server.domain.request_id import LIFETIME_SECONDS, time_of

FINDINGS_MAX = 100
"""The check ends when it has found so much: the ledger is broken, and where is known."""

# What reading a value of another shape raises.
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError)


class Finding(msgspec.Struct, frozen=True):
    """Something that does not hold: what, where, and in which way."""

    what: What
    where: str
    text: str


class Report(msgspec.Struct, frozen=True):
    """The check's result. `signed` of the `size` entries are under the anchored signature.

    `unsealed` parts sealed beside entries were opened and compared; `erased` are gone, lawfully or
    not: the log cannot tell. `complete` is False where reading ended at what was found.
    """

    log: str
    size: int
    signed: int
    root: bytes
    unsealed: int
    erased: int
    complete: bool
    findings: list[Finding]


class Stopped(Exception):
    """Enough was found."""


async def check(
    reader: Reader,
    *,
    anchor: Callable[[], bytes],
    public_key: bytes,
    secrets: Secrets | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Check a whole ledger. `anchor` reads the note: before all else, and again at the end.

    A notary may write meanwhile: what it adds is not checked. Raises LedgerError if the database
    cannot be read.
    """
    note = anchor()
    present = await reader.present()
    checking = _Check(reader, present, secrets)
    signed = checking.open_anchor(note, public_key)
    complete = False
    try:
        async for batch in reader.batches(0):
            if batch.first >= present.size:
                break
            await checking.batch(batch, signed)
            progress(batch.size, present.size)
        await checking.end()
        checking.signed_by_now(anchor(), public_key)
        complete = True
    except Stopped:
        pass
    return Report(
        log=present.log.name,
        size=present.size,
        signed=signed.size,
        root=present.root,
        unsealed=checking.unsealed,
        erased=checking.erased,
        complete=complete,
        findings=checking.findings,
    )


class _Check:
    def __init__(self, reader: Reader, present: Present, secrets: Secrets | None) -> None:
        self.findings: list[Finding] = []
        self.unsealed = 0
        self.erased = 0
        self._reader = reader
        self._present = present
        self._secrets = secrets
        self._replay = Replay()
        self._frontier: Frontier = EMPTY
        self._time = ""
        self._bound_since = present.clock / 1_000_000 - LIFETIME_SECONDS
        self._bound = 0

    def open_anchor(self, anchor: bytes, public_key: bytes) -> Checkpoint:
        name = self._present.log.name
        if self._present.log.public_key != public_key:
            self._find(What.LOG, "log", "has another public key")
        try:
            signed = open_checkpoint(anchor, origin=name, public_key=public_key)
        except NoteInvalid as error:
            self._find(What.ANCHOR, "anchor", str(error))
            return Checkpoint(name, 0, EMPTY_ROOT)
        if signed.size > self._present.size:
            self._find(
                What.ANCHOR,
                "anchor",
                f"{signed.size} entries were signed, but the log ends at {self._present.size}",
            )
        return signed

    def signed_by_now(self, anchor: bytes, public_key: bytes) -> None:
        """Look again: what was committed when the check began must be signed when it ends."""
        try:
            signed = open_checkpoint(anchor, origin=self._present.log.name, public_key=public_key)
        except NoteInvalid:
            return  # told already
        if signed.size < self._present.size:
            text = f"only {signed.size} of {self._present.size} entries are signed"
            self._find(What.ANCHOR, "anchor", f"{text}: a notary that starts signs them")

    async def batch(self, batch: Batch, signed: Checkpoint) -> None:
        where = f"batch {batch.first}"
        if batch.first != self._frontier.size or len(batch.entries) != batch.size - batch.first:
            self._find(
                What.BATCH,
                where,
                f"does not hold the entries from {self._frontier.size} on; the rest was not read",
            )
            raise Stopped  # Nothing that follows can be compared.
        self._frontier = self._frontier.extended([leaf_hash(data) for data in batch.entries])
        if self._frontier.root() != batch.root or self._frontier.dump() != batch.frontier:
            self._find(What.BATCH, where, "its entries do not lead to its root")
            self._frontier = self._stored(batch)
        if batch.size == signed.size and batch.root != signed.root:
            self._find(What.ANCHOR, where, "is not what was signed")
        if batch.first < signed.size < batch.size:
            self._find(What.ANCHOR, where, "what was signed ends within it")
        parsed = [
            (index, data, self._parse(index, data, batch))
            for index, data in enumerate(batch.entries, batch.first)
        ]
        entries = {index: read for index, data, read in parsed if read is not None}
        for index, data, read in parsed:
            if read is not None:
                self._judge(index, data, read)
        personal = await self._reader.personal(batch.first, batch.size)
        rows = await self._reader.rows(batch.first, batch.size)
        self._search(entries, rows)
        self._personal(entries, personal, rows)
        await self._requests(entries)

    async def end(self) -> None:
        """Compare the present state with what the entries make."""
        present, replay = self._present, self._replay
        if (self._frontier.size, self._frontier.root()) != (present.size, present.root):
            self._find(What.LOG, "head", "is not what the entries lead to")
        if present.log.policy_version != replay.policy_version:
            self._find(What.LOG, "log", "has another policy version than the entries make")
        self._compare(What.PARTNER, "chain of ", present.heads, replay.heads)
        self._compare(What.PARTNER, "state of ", present.partners, replay.partners)
        self._compare(What.PARTNER, "agreement of ", present.agreements, replay.agreements)
        self._compare(What.BUDGET, "", present.used, replay.used)
        if present.beyond:
            self._find(What.SEARCH, "rows", f"{present.beyond} belong to no entry")
        bound = await self._reader.bound_count(self._bound_since, present.size)
        if bound > self._bound:
            self._find(
                What.BOUND_REQUEST, "bound requests", f"{bound - self._bound} belong to no answer"
            )

    def _compare(
        self, what: What, prefix: str, found: Mapping[Any, Any], derived: Mapping[Any, Any]
    ) -> None:
        for key in sorted(found.keys() | derived.keys(), key=str):
            if found.get(key) == derived.get(key):
                continue
            text = "differs from what the entries make"
            if what is What.BUDGET:
                there, made = found.get(key, 0), derived.get(key, 0)
                text = f"is {there} in the database, {made} by the entries"
            self._find(what, prefix + (" ".join(key) if isinstance(key, tuple) else key), text)

    def _parse(self, index: int, data: bytes, batch: Batch) -> dict[str, Any] | None:
        where = f"entry {index}"
        try:
            read = entry.parse(data)
            if not isinstance(read["log"], str) or not isinstance(read["time"], str):
                raise TypeError("a text field holds something else")
            search_row(read, b"")
            _time(read)
        except _MALFORMED as error:
            self._find(What.ENTRY, where, f"is no entry: {type(error).__name__}")
            return None
        if read["index"] != index or read["log"] != self._present.log.name:
            self._find(What.ENTRY, where, "says that it stands elsewhere")
        if read["time"] < self._time or read["time"] != entry.timestamp(batch.time):
            self._find(What.ENTRY, where, "has another time than its batch, or goes back in time")
        self._time = max(self._time, read["time"])
        return read

    def _judge(self, index: int, data: bytes, read: dict[str, Any]) -> None:
        try:
            for text in self._replay.take(read, leaf_hash(data)):
                self._find(What.ENTRY, f"entry {index}", text)
        except _MALFORMED:
            self._find(What.ENTRY, f"entry {index}", "lacks what its kind must have")

    def _search(
        self,
        entries: dict[int, dict[str, Any]],
        rows: dict[int, tuple[SearchRow, int]],
    ) -> None:
        for index, read in entries.items():
            row, time = rows.get(index, (None, 0))
            if row is None:
                self._find(What.SEARCH, f"entry {index}", "has no search side")
                continue
            known = len(row.subject_key) == (SUBJECT_KEY_BYTES if "subject" in read else 0)
            if row != search_row(read, row.subject_key) or time != _time(read) or not known:
                self._find(What.SEARCH, f"entry {index}", "its search side differs from it")

    def _personal(
        self,
        entries: dict[int, dict[str, Any]],
        personal: dict[int, bytes],
        rows: dict[int, tuple[SearchRow, int]],
    ) -> None:
        for index, read in entries.items():
            where, named = f"entry {index}", "personal" in read.get("ask", {})
            sealed = personal.get(index)
            if sealed is None:
                self.erased += named
            elif not named:
                self._find(
                    What.PERSONAL, where, "something is sealed beside it that it does not name"
                )
            elif self._secrets is not None and index in rows:
                self.unsealed += 1
                for what, text in sealed_faults(self._secrets, read, sealed, rows[index][0]):
                    self._find(what, where, text)

    async def _requests(self, entries: dict[int, dict[str, Any]]) -> None:
        """Compare the answers' request ids, as far as they still bind, with what is bound."""
        wanted = {
            key: index
            for index, read in entries.items()
            if read["kind"] == Kind.ANSWER
            and binds(read)
            and (key := request_of(read)) is not None
            and time_of(key[1]) >= self._bound_since
        }
        if not wanted:
            return
        rows = {(r.partner, r.request_id): r for r in await self._reader.bound(list(wanted))}
        for key, index in wanted.items():
            row = rows.get(key)
            if row is None or row.index != index or row.time != _time(entries[index]):
                self._find(
                    What.BOUND_REQUEST, f"entry {index}", "its request_id is not bound to it"
                )
            elif self._secrets is not None:
                for what, text in kept_faults(self._secrets, entries[index], row):
                    self._find(what, f"entry {index}", text)
        self._bound += len(rows)

    def _stored(self, batch: Batch) -> Frontier:
        """Go on from the stored frontier, so that one damage is one finding."""
        try:
            return Frontier.load(batch.size, batch.frontier)
        except ValueError:
            raise Stopped from None

    def _find(self, what: What, where: str, text: str) -> None:
        self.findings.append(Finding(what, where, text))
        if len(self.findings) >= FINDINGS_MAX:
            raise Stopped


def _time(read: dict[str, Any]) -> int:
    return microseconds(datetime.fromisoformat(read["time"]))
