"""The anchor file: it survives torn writes, and tells who wrote last."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from padan_server.adapters.anchor_file import AnchorFile
from padan_server.domain.ledger import AnchorMissing, AnchorMoved, LedgerError

SLOT = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give an anchor that holds `first`."""
    AnchorFile(tmp_path / "anchor").create(b"first")
    return tmp_path / "anchor"


def written(path: Path, *notes: bytes) -> None:
    anchor = AnchorFile(path)
    anchor.read()
    for note in notes:
        anchor.write(note)
    anchor.close()


def read(path: Path) -> bytes:
    anchor = AnchorFile(path)
    try:
        return anchor.read()
    finally:
        anchor.close()


def test_last_note_is_read(path: Path) -> None:
    assert read(path) == b"first"
    for count in range(1, 5):
        written(path, *[b"%d" % number for number in range(count)])
        assert read(path) == b"%d" % (count - 1)


def test_only_the_owner_may_read_it(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_anchor_is_never_made_over_another(path: Path) -> None:
    with pytest.raises(FileExistsError):
        AnchorFile(path).create(b"other")

    assert read(path) == b"first"
    assert [one.name for one in path.parent.iterdir()] == ["anchor"]


def test_missing_anchor_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnchorMissing, match="no anchor"):
        AnchorFile(tmp_path / "anchor").read()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("torn", [0, 1, 20, 25])
def test_torn_write_leaves_the_note_before_it(path: Path, count: int, torn: int) -> None:
    written(path, *[b"note %d" % number for number in range(count - 1)])
    before, known = path.read_bytes(), read(path)
    written(path, b"the last one")
    after = bytearray(path.read_bytes())
    slot = 0 if before[:SLOT] != after[:SLOT] else SLOT
    # The beginning of the new slot reached the disk, the rest is still the old one.
    after[slot + torn : slot + SLOT] = before[slot + torn : slot + SLOT]
    path.write_bytes(after)

    assert read(path) == known


def test_anchor_with_both_slots_damaged_is_refused(path: Path) -> None:
    path.write_bytes(bytes(2 * SLOT))

    with pytest.raises(LedgerError, match="damaged"):
        AnchorFile(path).read()


def test_writer_that_was_overtaken_is_told(path: Path) -> None:
    slow, quick = AnchorFile(path), AnchorFile(path)
    slow.read()
    quick.read()
    quick.write(b"quick")

    with pytest.raises(AnchorMoved):
        slow.write(b"slow")
    assert quick.read() == b"quick"
    slow.close()
    quick.close()


def test_note_that_does_not_fit_is_refused(path: Path) -> None:
    anchor = AnchorFile(path)
    anchor.read()

    with pytest.raises(LedgerError, match="does not fit"):
        anchor.write(bytes(SLOT))
    anchor.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_anchor_that_was_taken_away_or_replaced_is_written_no_more(
    tmp_path: Path, replaced: bool
) -> None:
    path = tmp_path / "anchor"
    anchor = AnchorFile(path)
    anchor.create(b"first")
    anchor.read()
    kept = path.read_bytes()
    path.unlink()
    if replaced:
        path.write_bytes(kept)
    with pytest.raises(AnchorMoved):
        anchor.write(b"second")
    anchor.close()
