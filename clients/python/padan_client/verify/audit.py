"""The audit of a log's files: signatures, tree, history, and then every entry by the rules.

It trusts the keys that it is given and nothing in the directory. Memory: the unfinished tiles, and
what `Rules` remembers; never the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from padan_client.verify.checkpoints import Signed, Trust
from padan_client.verify.directory import CHECKPOINT, LogDirectory
from padan_client.verify.errors import EntryInvalid, Exit
from padan_client.verify.findings import EnoughFound, Finding, Findings, What
from padan_client.verify.merkle import root_of_levels
from padan_client.verify.rules import Rules
from padan_client.verify.tiles import WIDTH
from padan_client.verify.tree import Hashes, Tree
from padan_client.verify.typed_entry import Reader


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint of the log that was verified earlier, and the name of its file."""

    name: str
    signed: Signed


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found. `complete` is False where it ended at FINDINGS_MAX findings.

    `kinds` counts the entries by kind; `charges` are charged answers, `rupiah` their prices.
    """

    signed: Signed
    kept: tuple[Kept, ...]
    kinds: dict[str, int]
    partners: int
    charges: int
    rupiah: int
    first_time: str
    last_time: str
    complete: bool
    findings: tuple[Finding, ...]

    @property
    def exit(self) -> Exit:
        """The exit code: of all that was found, the lowest."""
        return min((finding.what.exit for finding in self.findings), default=Exit.PROVED)


def audit(
    directory: LogDirectory,
    trust: Trust,
    *,
    kept: Sequence[Kept] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> AuditReport:
    """Check a log's files up to their checkpoint.

    Raises VerificationError where there is no checkpoint to begin with, or not one signed by whom
    it must be signed by; all else is in the report.
    """
    signed = trust.open(directory.checkpoint(), CHECKPOINT)
    auditing = _Audit(directory, signed, kept)
    complete = True
    try:
        auditing.run(progress)
    except EnoughFound:
        complete = False
    rules = auditing.rules
    return AuditReport(
        signed=signed,
        kept=tuple(kept),
        kinds=dict(sorted(rules.kinds.items())),
        partners=len(rules.partners),
        charges=rules.charges,
        rupiah=rules.rupiah,
        first_time=rules.first_time,
        last_time=rules.clock.text,
        complete=complete,
        findings=tuple(auditing.findings.found),
    )


class _Audit:
    def __init__(self, directory: LogDirectory, signed: Signed, kept: Sequence[Kept]) -> None:
        self.findings = Findings()
        self.rules = Rules(signed.checkpoint.origin, self.findings)
        self._checkpoint = signed.checkpoint
        self._reader = Reader()
        self._tree = Tree(
            directory,
            size=signed.checkpoint.size,
            root=signed.checkpoint.root,
            findings=self.findings,
        )
        self._kept = sorted(kept, key=lambda one: one.signed.checkpoint.size)

    def run(self, progress: Callable[[int, int], None]) -> None:
        size = self._checkpoint.size
        self._history(0, [], self._tree.levels)
        for number in range(-(-size // WIDTH)):
            kept = self._kept and self._kept[0].signed.checkpoint.size <= (number + 1) * WIDTH
            before = [list(level) for level in self._tree.levels] if kept else []
            entries, leaves = self._tree.take(number)
            if kept:
                self._history(number * WIDTH, leaves, before)
            self._take(number * WIDTH, entries, leaves or [b""] * len(entries))
            progress(min(size, (number + 1) * WIDTH), size)
        for one in self._kept:
            text = f"has {one.signed.checkpoint.size} entries, but the log ends at {size}"
            self.findings.add(What.HISTORY, one.name, text)

    def _history(self, first: int, leaves: Hashes | None, before: list[Hashes]) -> None:
        """Compare the kept checkpoints that end within these entries with the tree as it was."""
        end = min(first + WIDTH, self._checkpoint.size) if leaves is None else first + len(leaves)
        while self._kept and self._kept[0].signed.checkpoint.size <= end:
            kept = self._kept.pop(0)
            checkpoint = kept.signed.checkpoint
            if leaves is None:
                text = "cannot be compared with files that cannot be read"
            elif (
                root_of_levels([leaves[: checkpoint.size - first], *before[1:]]) != checkpoint.root
            ):
                text = f"is not how the log's first {checkpoint.size} entries stand now"
            else:
                continue
            self.findings.add(What.HISTORY, kept.name, text)

    def _take(self, first: int, entries: list[bytes | None], leaves: Hashes) -> None:
        """Judge a bundle's entries; what the tree does not hold is told already."""
        parse, take, skip = self._reader.parse, self.rules.take, self.rules.skip
        for index, (data, leaf) in enumerate(zip(entries, leaves, strict=True), first):
            if data is None:
                skip()
                continue
            try:
                entry = parse(data)
            except EntryInvalid as error:
                self.findings.add(What.ENTRY, f"entry {index}", error.text)
                skip()
            else:
                take(index, entry, leaf)
