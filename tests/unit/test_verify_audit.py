"""The audit of a log's files: trees of every awkward size, and every kind of tampering by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_client.verify import SignatureInvalid, Trust, Unreadable, VerificationError
from padan_client.verify.audit import AuditReport, Kept, audit
from padan_client.verify.directory import LogDirectory
from padan_client.verify.errors import Exit
from padan_client.verify.merkle import EMPTY_ROOT, root_of_levels
from tests.support.ledger import LOG
from tests.support.log_directory import (
    Signer,
    checkpoint,
    files_of,
    leaf,
    path_of,
    root_of,
    write,
)
from tests.support.log_entries import Log, asked, changed

SIGNER = Signer(LOG, 1)
TRUST = Trust.parse(log_keys=[SIGNER.vkey])
SIZES = (0, 1, 255, 256, 257, 65_535, 65_536, 65_537)


def grown(size: int) -> list[bytes]:
    log = Log()
    if size:
        log.add_partner()
        log.fill(size)
    return log.entries[:size]


@pytest.fixture(scope="module")
def entries() -> list[bytes]:
    return grown(max(SIZES))


def run(directory: Path, **options: object) -> AuditReport:
    return audit(LogDirectory(directory), TRUST, **options)  # type: ignore[arg-type]


def told(report: AuditReport) -> list[str]:
    return [str(finding) for finding in report.findings]


def kept(name: str, entries: list[bytes], signer: Signer = SIGNER) -> Kept:
    note = checkpoint(signer.name, [leaf(data) for data in entries], signer)
    return Kept(name, TRUST.open(note, name))


@pytest.mark.parametrize("size", SIZES)
def test_log_of_each_size_is_verified(size: int, entries: list[bytes], tmp_path: Path) -> None:
    write(tmp_path, entries[:size], SIGNER)
    seen: list[tuple[int, int]] = []
    earlier = [kept(f"at {n}", entries[:n]) for n in SIZES if n <= size]

    report = run(tmp_path, kept=earlier, progress=lambda *at: seen.append(at))

    assert told(report) == []
    assert (report.exit, report.complete) == (Exit.PROVED, True)
    assert sum(report.kinds.values()) == size == report.signed.checkpoint.size
    assert seen == [(min(size, end), size) for end in range(256, size + 256, 256)]


@pytest.fixture(scope="module")
def log(entries: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log with full and partial tiles at two levels, and older partial ones."""
    directory = write(tmp_path_factory.mktemp("log"), entries[:700], SIGNER)
    for path, data in files_of(entries[:600]).items():
        if ".p/" in path:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(data)
    return directory


@pytest.fixture
def copy(log: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(log, tmp_path / "log"))


def flip(path: Path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)


def test_log_with_older_partial_tiles_is_verified(log: Path) -> None:
    assert (log / path_of("entries", 2, 88)).exists()
    assert told(run(log)) == []


@pytest.mark.parametrize(
    ("path", "at", "expected"),
    [
        (
            "tile/entries/000",
            3000,
            "entry 5 in tile/entries/000: is not what tile/0/000 holds, which was signed",
        ),
        (
            "tile/entries/002.p/188",
            1000,
            "entry 513 in tile/entries/002.p/188: is not what tile/0/002.p/188 holds, "
            "which was signed",
        ),
        (
            "tile/0/001",
            40,
            "tile/0/001: differs from what is below it, which the tile above holds",
        ),
        (
            "tile/0/002.p/188",
            40,
            "tile/0/002.p/188: differs from what is below it, which was signed",
        ),
        (
            "tile/1/000.p/2",
            40,
            "tile/1/000.p/2: differs from what is below it, which was signed",
        ),
        ("tile/0/002.p/88", 40, "tile/0/002.p/88: differs from the later version"),
        ("tile/entries/002.p/88", 40, "tile/entries/002.p/88: differs from the later version"),
    ],
)
def test_changed_byte_is_found_once_and_named(
    copy: Path, path: str, at: int, expected: str
) -> None:
    flip(copy / path, at)

    report = run(copy)

    assert told(report) == [f"tree: {expected}"]
    assert report.exit is Exit.TREE


def test_changed_byte_of_the_checkpoint_is_refused(copy: Path) -> None:
    for at in range(len((copy / "checkpoint").read_bytes())):
        flip(copy / "checkpoint", at)
        with pytest.raises(VerificationError):
            run(copy)
        flip(copy / "checkpoint", at)


@pytest.fixture(scope="module")
def small(entries: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("small"), entries[:258], SIGNER)


@given(data=st.data())
def test_any_changed_bit_of_any_file_is_found(small: Path, data: st.DataObject) -> None:
    files = sorted(path for path in small.rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    bit = data.draw(st.integers(0, path.stat().st_size * 8 - 1))
    flip(path, bit // 8, bit % 8)
    try:
        exit_code = run(small).exit
    except VerificationError as error:
        exit_code = error.exit
    finally:
        flip(path, bit // 8, bit % 8)

    assert exit_code is not Exit.PROVED
    assert run(small).exit is Exit.PROVED


@pytest.mark.parametrize(
    "path", ["tile/entries/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"]
)
@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda path: path.unlink(), "is not there"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), ""),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), ""),
        (lambda path: path.write_bytes(b"\0" * 20_000_000), "is longer than"),
    ],
)
def test_missing_or_misshapen_file_is_found_and_named(
    copy: Path, path: str, damage: Callable[[Path], object], text: str
) -> None:
    damage(copy / path)

    report = run(copy)

    assert [one.where for one in report.findings if one.what == "tree"] == [path]
    assert text in report.findings[0].text
    if path == "tile/entries/000":  # With the partner's CONTROL entries.
        assert told(report)[1:] == [
            "agreement: entry 256: answers bank although the partner was never added; "
            "entries that were not read may tell why"
        ]


def test_lost_bundle_and_tile_are_forgiven_to_what_follows(copy: Path) -> None:
    (copy / "tile/entries/001").unlink()
    (copy / "tile/0/001").unlink()

    assert [one.where for one in run(copy).findings] == ["tile/entries/001", "tile/0/001"]


def test_full_tile_stands_in_for_a_partial_one_that_was_removed(
    entries: list[bytes], tmp_path: Path
) -> None:
    write(tmp_path, entries[:1024], SIGNER)
    note = checkpoint(LOG, [leaf(data) for data in entries[:700]], SIGNER)
    (tmp_path / "checkpoint").write_bytes(note)

    report = run(tmp_path)

    assert [one.where for one in report.findings] == ["tile/1/000.p/2"]
    (tmp_path / "tile/1/000.p/2").write_bytes(files_of(entries[:700])["tile/1/000.p/2"])
    assert told(run(tmp_path)) == []


def test_log_that_rewrote_its_history_is_found_by_a_kept_checkpoint(
    entries: list[bytes], tmp_path: Path
) -> None:
    other = [*entries[:300], changed(entries[300], reason=None, attempt=9), *entries[301:700]]
    write(tmp_path, other, SIGNER)

    report = run(tmp_path, kept=[kept("old", entries[:300]), kept("new", entries[:301])])

    assert [str(one) for one in report.findings if one.what == "history"] == [
        "history: new: is not how the log's first 301 entries stand now"
    ]


def test_log_that_is_shorter_than_a_kept_checkpoint_is_found(
    log: Path, entries: list[bytes]
) -> None:
    report = run(log, kept=[kept("kept", entries[:701])])

    assert told(report) == ["history: kept: has 701 entries, but the log ends at 700"]
    assert report.exit is Exit.HISTORY


def test_kept_checkpoint_cannot_be_compared_with_lost_files(
    copy: Path, entries: list[bytes]
) -> None:
    (copy / "tile/entries/001").unlink()
    (copy / "tile/0/001").unlink()

    report = run(copy, kept=[kept("kept", entries[:300]), kept("later", entries[:700])])

    assert told(report)[-1] == ("history: kept: cannot be compared with files that cannot be read")


def test_entry_that_is_none_but_was_signed_is_found(entries: list[bytes], tmp_path: Path) -> None:
    write(tmp_path, [*entries[:5], b"no entry", *entries[6:9]], SIGNER)

    report = run(tmp_path)

    assert told(report) == ["entry: entry 5: is no entry of version 1"]
    assert report.exit is Exit.ENTRY


def test_root_that_nothing_leads_to_is_found(copy: Path, entries: list[bytes]) -> None:
    leaves = [leaf(data) for data in entries[:699]]
    (copy / "checkpoint").write_bytes(checkpoint(LOG, [*leaves, bytes(32)], SIGNER))

    assert told(run(copy)) == ["tree: checkpoint: the files do not lead to the signed root"]


def test_broken_log_is_told_up_to_a_hundred_findings(entries: list[bytes], tmp_path: Path) -> None:
    write(tmp_path, [entries[0]] * 300, SIGNER)

    report = run(tmp_path)

    assert (len(report.findings), report.complete) == (100, False)


def test_directory_without_a_checkpoint_or_with_another_logs_is_refused(copy: Path) -> None:
    other = Signer(LOG, 9)
    (copy / "checkpoint").write_bytes(checkpoint(LOG, [], other))
    with pytest.raises(SignatureInvalid):
        run(copy)
    (copy / "checkpoint").unlink()
    with pytest.raises(Unreadable, match="checkpoint: is not there"):
        run(copy)


def test_empty_logs_root_is_that_of_nothing() -> None:
    assert root_of_levels([[]]) == EMPTY_ROOT == root_of([])


def test_rule_broken_in_a_signed_log_has_its_exit_code(tmp_path: Path) -> None:
    lying = Log()
    lying.add_partner()
    lying.append(asked())
    lying.append(asked())
    write(tmp_path, [*lying.entries[:4], changed(lying.entries[4], partner_seq=9)], SIGNER)

    assert run(tmp_path).exit is Exit.CHAIN
