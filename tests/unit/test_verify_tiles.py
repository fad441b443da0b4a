"""The client's tiles: paths there and back, widths, and how they are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_client.verify.errors import Unreadable
from padan_client.verify.proofs import parse_proof
from padan_client.verify.tiles import (
    ENTRIES,
    Tile,
    parse_path,
    split_bundle,
    split_tile,
    width_of,
)
from tests.support.log_directory import Signer, bundle_of, checkpoint, files_of, leaf, path_of


@given(st.integers(-1, 63), st.integers(0, 2**63 - 1), st.integers(1, 256))
def test_path_is_read_as_it_was_written(level: int, number: int, width: int) -> None:
    tile = Tile(level, number, width)

    assert parse_path(tile.path) == tile
    assert tile.path == path_of("entries" if level == ENTRIES else str(level), number, width)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "/tile/0/000",
        "tile/entries/000\n",
        "tile/0/" + "x999/" * 20 + "999",
    ],
)
def test_path_of_another_form_is_refused(path: str) -> None:
    with pytest.raises(Unreadable):
        parse_path(path)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 70_000])
def test_tree_has_the_tiles_of_the_definition(size: int) -> None:
    expected = {parse_path(path) for path in files_of([b"%d" % n for n in range(size)])}
    found = {
        Tile(level, number, width)
        for level in range(ENTRIES, 4)
        for number in range(size // 256 + 1)
        if (width := width_of(size, level, number))
    }

    assert found == expected


def test_tile_of_another_length_is_refused() -> None:
    for data in (b"", bytes(31), bytes(33), bytes(64)):
        with pytest.raises(Unreadable, match="hashes of 32"):
            split_tile(data, width=1, where="it")
    assert split_tile(bytes(64), width=2, where="it") == [bytes(32)] * 2


def test_bundle_holds_exactly_its_entries() -> None:
    entries = [b"", b"a", b"b" * 65535]
    whole = bundle_of(entries)

    assert split_bundle(whole, width=3, where="it") == entries
    for data, width in ((whole, 2), (whole, 4), (whole[:-1], 3), (whole + b"\0", 3), (b"\0", 1)):
        with pytest.raises(Unreadable, match="whole entries"):
            split_bundle(data, width=width, where="it")


LOG = Signer("padan.test/log", 1)
NOTE = checkpoint(LOG.name, [leaf(b"a")], LOG).decode()
HASH = "A" * 43 + "="


def test_proof_is_read() -> None:
    proof = parse_proof(f"c2sp.org/tlog-proof@v1\nindex 3\n{HASH}\n\n{NOTE}", "it")

    assert (proof.index, proof.hashes, proof.checkpoint) == (3, (bytes(32),), NOTE.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"c2sp.org/tlog-proof@v2\nindex 3\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 3\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex 03\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex 9223372036854775808\n\n{NOTE}",
        f"c2sp.org/tlog-proof@v1\nindex 3\nAAAA\n\n{NOTE}",
        "c2sp.org/tlog-proof@v1\nindex 3\n" + "A" * 42 + f"B=\n\n{NOTE}",
        "c2sp.org/tlog-proof@v1\nindex 3\n" + f"{HASH}\n" * 64 + f"\n{NOTE}",
        "a" * 100_000,
    ],
)
def test_proof_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_proof(text, "it")
