"""Tiles: their paths, which a tree has, the bytes, and the tree that makes them as it grows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.merkle import EMPTY, EMPTY_ROOT, HASH_BYTES, SIZE_MAX
from padan_server.domain.tile_tree import EMPTY_TILES, TileData, TileTree, tiles_to_load
from padan_server.domain.tiles import (
    BUNDLE_BYTES_MAX,
    ENTRY_BYTES_MAX,
    LEVEL_MAX,
    TILE_BYTES,
    TILE_WIDTH,
    Bundle,
    Tile,
    TileInvalid,
    bundles_of,
    cut_bundle,
    cut_hashes,
    filled_tiles,
    grown_bundles,
    grown_tiles,
    pack_entries,
    parse_path,
    root_of_full,
    tiles_of,
    width_in,
)
from tests.unit.test_merkle import leaves_of, root_of

EDGES = [0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537]
"""Sizes at which tiles begin and end."""


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    return leaves_of(EDGES[-1])


def defined(tile: Tile, leaves: list[bytes]) -> bytes:
    """The tile as tlog-tiles defines it, by MTH of spans of 256**level leaves."""
    span = 256**tile.level
    starts = [(tile.index * 256 + at) * span for at in range(tile.width)]
    return b"".join(root_of(leaves[start : start + span]) for start in starts)


def grown(leaves: list[bytes], step: int) -> tuple[TileTree, list[TileData]]:
    tree, stored = EMPTY_TILES, []
    for at in range(0, len(leaves), step):
        tree, full = tree.extended(leaves[at : at + step])
        stored.extend(full)
    return tree, stored


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("tile/0/000", Tile(0, 0)),
        ("tile/0/000.p/1", Tile(0, 0, 1)),
        ("tile/1/x001/234.p/255", Tile(1, 1234, 255)),
        ("tile/3/x001/x234/067", Tile(3, 1_234_067)),
        ("tile/7/000.p/127", Tile(7, 0, 127)),
        ("tile/entries/x001/x234/067", Bundle(1_234_067)),
        ("tile/entries/000.p/112", Bundle(0, 112)),
        # The end of the largest log, of 2^63 - 1 entries.
        ("tile/entries/x036/x028/x797/x018/x963/967.p/255", Bundle(2**55 - 1, 255)),
    ],
)
def test_path_has_the_published_form(path: str, place: Tile | Bundle) -> None:
    assert place.path() == path
    assert parse_path(path) == place


@given(st.integers(min_value=1, max_value=SIZE_MAX), st.data())
def test_path_is_read_as_it_was_written(size: int, data: st.DataObject) -> None:
    level = data.draw(st.integers(min_value=0, max_value=(size.bit_length() - 1) // 8))
    index = data.draw(st.integers(min_value=0, max_value=((size >> 8 * level) - 1) // TILE_WIDTH))
    width = width_in(size, level=level, index=index)

    for place in (Tile(level, index, width), Bundle(index, width)):
        assert parse_path(place.path()) == place


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/002",
        "tile/0/x001",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile/8/000",
        "tile/63/000",
        "tile/64/000",
        "tile/7/000",
        "tile/7/001",
        "tile/7/000.p/128",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/",
        "tile/0/000\n",
        "/tile/0/000",
        "tile/0/../000",
        "tile/0/\u0660\u0660\u0660",
        "tile/entries/0",
        "tile/entries/x036/x028/x797/x018/x963/967",
        "tile/entries/x036/x028/x797/x018/x963/968.p/1",
        f"tile/0/{'x001/' * 40}000",
    ],
)
def test_path_that_no_log_serves_is_refused(path: str) -> None:
    with pytest.raises(TileInvalid):
        parse_path(path)


def test_published_example_of_70000_entries_has_its_tiles() -> None:
    tiles = list(tiles_of(70_000))

    assert [tile.width for tile in tiles if tile.level == 0] == [256] * 273 + [112]
    assert tiles[274:] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(bundles_of(70_000))[-1] == Bundle(273, 112)
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert not list(tiles_of(0))
    assert not list(bundles_of(0))
    assert LEVEL_MAX == 7


@given(st.integers(min_value=0, max_value=140_000), st.integers(min_value=0, max_value=70_000))
def test_grown_tree_has_what_it_had_and_what_grew(size: int, more: int) -> None:
    before, after = set(tiles_of(size)), set(tiles_of(size + more))
    new = set(grown_tiles(size, size + more))

    assert new == after - before
    assert set(filled_tiles(size, size + more)) == {t for t in new if t.width == TILE_WIDTH}
    assert {tile for tile in before if tile.width == TILE_WIDTH} <= after
    assert set(grown_bundles(size, size + more)) == set(bundles_of(size + more)) - set(
        bundles_of(size)
    )


@pytest.mark.parametrize("size", EDGES)
def test_tree_of_a_size_has_the_tiles_of_their_definition(size: int, leaves: list[bytes]) -> None:
    tree, full = grown(leaves[:size], 1_000)
    made = {data.tile: data.hashes for data in (*full, *tree.partial())}

    assert set(made) == set(tiles_of(size))
    assert all(made[tile] == defined(tile, leaves) for tile in made)
    assert tree.frontier == EMPTY.extended(leaves[:size])
    assert tree.root() == root_of(leaves[:size])


@given(st.lists(st.integers(min_value=0, max_value=600), max_size=6))
def test_tree_grown_in_any_steps_gives_the_same_tiles_each_once(steps: list[int]) -> None:
    leaves = leaves_of(sum(steps))
    tree, stored, at = EMPTY_TILES, [], 0
    for step in steps:
        before = tree
        tree, full = tree.extended(leaves[at : at + step])
        assert [data.tile for data in full] == list(filled_tiles(before.size, tree.size))
        stored.extend(full)
        at += step
    whole, at_once = EMPTY_TILES.extended(leaves)

    assert tree == whole
    assert sorted(stored, key=lambda data: data.tile.path()) == sorted(
        at_once, key=lambda data: data.tile.path()
    )


def test_tree_that_was_not_committed_leaves_the_one_before_as_it_was() -> None:
    leaves = leaves_of(600)
    tree, _ = EMPTY_TILES.extended(leaves[:300])
    edges, root = tree.edges, tree.root()

    tree.extended(leaves[300:])

    assert (tree.edges, tree.root()) == (edges, root)
    assert tree.extended(leaves[300:])[0].root() == root_of(leaves)


@pytest.mark.parametrize("size", EDGES)
@pytest.mark.parametrize("behind", [0, 3])
def test_tree_is_loaded_from_full_tiles_and_the_leaves_since(
    size: int, behind: int, leaves: list[bytes]
) -> None:
    tree, full = grown(leaves[:size], 1_000)
    stored = {data.tile: data.hashes for data in full}
    loaded = max(0, size // TILE_WIDTH - behind) * TILE_WIDTH

    again = TileTree.load(loaded, {tile: stored[tile] for tile in tiles_to_load(loaded)})
    again, filled = again.extended(leaves[loaded:size])

    assert again == tree
    assert {data.tile: data.hashes for data in filled} == {
        tile: stored[tile] for tile in filled_tiles(loaded, size)
    }


def test_missing_or_short_tile_is_named(leaves: list[bytes]) -> None:
    _, full = grown(leaves[:65_536], 1_000)
    stored = {data.tile: data.hashes for data in full}
    size = 65_536 - TILE_WIDTH

    with pytest.raises(TileInvalid, match="tile/0/003 is missing"):
        TileTree.load(size, {t: stored[t] for t in stored if t != Tile(0, 3)})
    with pytest.raises(TileInvalid, match="tile/0/003 has 8191 bytes"):
        TileTree.load(size, {**stored, Tile(0, 3): stored[Tile(0, 3)][:-1]})


@given(st.data())
def test_any_changed_bit_of_any_tile_is_seen_above_it(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([1, 255, 256, 257, 1_000, 4_096]))
    tree, full = grown(leaves_of(size), 100)
    tiles = {one.tile: one.hashes for one in (*full, *tree.partial())}
    chosen = data.draw(st.sampled_from(sorted(tiles, key=lambda tile: tile.path())))
    changed = bytearray(tiles[chosen])
    bit = data.draw(st.integers(min_value=0, max_value=len(changed) * 8 - 1))
    changed[bit // 8] ^= 1 << bit % 8
    tiles[chosen] = bytes(changed)

    assert not agrees(tiles, size, tree.root())


def agrees(tiles: dict[Tile, bytes], size: int, root: bytes) -> bool:
    """Whether each full tile's root stands above it, and the unfinished ones lead to the root."""
    peaks: list[bytes] = []
    for tile, hashes in tiles.items():
        if tile.width == TILE_WIDTH:
            above = next(
                found
                for found in tiles
                if (found.level, found.index) == (tile.level + 1, tile.index // TILE_WIDTH)
            )
            at = tile.index % TILE_WIDTH * HASH_BYTES
            if tiles[above][at : at + HASH_BYTES] != root_of_full(hashes, tile):
                return False
        else:
            peaks[:0] = EMPTY.extended(cut_hashes(hashes, tile)).peaks
    return type(EMPTY)(size, tuple(peaks)).root() == root


def test_empty_tree_has_the_empty_root_and_no_tiles() -> None:
    tree, full = EMPTY_TILES.extended([])

    assert (tree, full, list(tree.partial())) == (EMPTY_TILES, [], [])
    assert tree.root() == EMPTY_ROOT
    assert TileTree.load(0, {}) == EMPTY_TILES


def test_tile_of_another_width_is_refused() -> None:
    assert cut_hashes(bytes(64), Tile(0, 5, 2)) == [bytes(32), bytes(32)]
    for hashes in (b"", bytes(63), bytes(65), bytes(96), bytes(TILE_BYTES)):
        with pytest.raises(TileInvalid, match=r"tile/0/005\.p/2 does not have 2 hashes"):
            cut_hashes(hashes, Tile(0, 5, 2))


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=TILE_WIDTH))
def test_bundle_is_cut_as_it_was_packed(entries: list[bytes]) -> None:
    assert cut_bundle(pack_entries(entries), Bundle(0, len(entries))) == entries


def test_bundle_of_the_longest_entries_is_cut() -> None:
    entries = [bytes((n,)) * ENTRY_BYTES_MAX for n in range(TILE_WIDTH)]
    packed = pack_entries(entries)

    assert len(packed) == BUNDLE_BYTES_MAX
    assert cut_bundle(packed, Bundle(9)) == entries
    with pytest.raises(TileInvalid, match="tile/entries/009 is too long"):
        cut_bundle(packed + b"\0", Bundle(9))


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=8), st.data())
def test_bundle_cut_anywhere_or_with_more_is_refused(
    entries: list[bytes], data: st.DataObject
) -> None:
    packed, bundle = pack_entries(entries), Bundle(7, len(entries))
    cut = data.draw(st.integers(min_value=0, max_value=len(packed) - 1))
    more = data.draw(st.binary(min_size=1, max_size=5))

    for broken in (packed[:cut], packed + more):
        with pytest.raises(TileInvalid, match=r"tile/entries/007\.p/"):
            cut_bundle(broken, bundle)
