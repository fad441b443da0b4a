"""Proofs out of tiles: those of RFC 6962's definition, out of as few tiles as hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.merkle import (
    EMPTY_ROOT,
    SIZE_MAX,
    ProofInvalid,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from padan_server.domain.proving import (
    INDEXES_MAX,
    Held,
    OutsideTree,
    consistency_proof,
    inclusion_proofs,
    root,
    tiles_for_consistency,
    tiles_for_inclusion,
    tiles_for_root,
)
from padan_server.domain.tile_tree import EMPTY_TILES
from padan_server.domain.tiles import Tile, TileInvalid, tiles_of
from tests.unit.test_merkle import consistency, inclusion, leaves_of, root_of

SIZE = 66_000
EDGES = [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, SIZE]
LEAVES = leaves_of(SIZE)


def stored(leaves: list[bytes]) -> dict[tuple[int, int], bytes]:
    tree, full = EMPTY_TILES.extended(leaves)
    return {(d.tile.level, d.tile.index): d.hashes for d in (*full, *tree.partial())}


TILES = stored(LEAVES)
"""Of the largest tree: those of smaller ones are their beginnings."""

ROOTS = {size: root_of(LEAVES[:size]) for size in EDGES}


class Counting(Held):
    """A reader that notes what is read."""

    def __init__(self, tiles: dict[tuple[int, int], bytes]) -> None:
        super().__init__(tiles)
        self.read: list[tuple[int, int]] = []

    def hashes(self, level: int, index: int) -> bytes:
        self.read.append((level, index))
        return super().hashes(level, index)


@pytest.mark.parametrize("size", EDGES)
def test_entries_of_a_tree_are_proved_in_it_and_each_tile_is_read_once(size: int) -> None:
    indexes = sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)))
    reader = Counting(TILES)

    proofs = inclusion_proofs(indexes, size=size, reader=reader)

    for index, proof in zip(indexes, proofs, strict=True):
        verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=proof, root=ROOTS[size])
    planned = tiles_for_inclusion(indexes, size=size)
    assert len(reader.read) == len(set(reader.read)) == len(planned)
    assert set(reader.read) == {(tile.level, tile.index) for tile in planned}


@pytest.mark.parametrize("larger", EDGES)
def test_smaller_trees_are_proved_to_begin_a_larger_one(larger: int) -> None:
    for size in (size for size in EDGES if size <= larger):
        reader = Counting(TILES)

        proof = consistency_proof(size, larger=larger, reader=reader)

        verify_consistency(
            size=size,
            root=ROOTS[size],
            larger_size=larger,
            larger_root=ROOTS[larger],
            proof=proof,
        )
        planned = tiles_for_consistency(size, larger=larger)
        assert sorted(reader.read) == sorted((tile.level, tile.index) for tile in planned)


@pytest.mark.parametrize("size", EDGES)
def test_root_is_that_of_the_definition(size: int) -> None:
    reader = Counting(TILES)

    assert root(size, reader=reader) == ROOTS[size]
    assert set(reader.read) == {(tile.level, tile.index) for tile in tiles_for_root(size)}


def test_empty_tree_has_its_root_and_proves_nothing() -> None:
    reader = Counting({})

    assert root(0, reader=reader) == EMPTY_ROOT
    assert consistency_proof(0, larger=SIZE, reader=reader) == []
    assert inclusion_proofs([], size=0, reader=reader) == []
    assert tiles_for_root(0) == tiles_for_consistency(0, larger=SIZE) == set()
    assert not reader.read


@given(st.data())
def test_proofs_are_those_of_the_definition(data: st.DataObject) -> None:
    size = data.draw(st.integers(min_value=1, max_value=800))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    smaller = data.draw(st.integers(min_value=1, max_value=size))
    leaves = LEAVES[:size]
    reader = Held(stored(leaves))

    assert inclusion_proofs([index], size=size, reader=reader) == [inclusion(index, leaves)]
    assert consistency_proof(smaller, larger=size, reader=reader) == consistency(smaller, leaves)


@given(st.data())
def test_planned_tiles_are_of_the_tree_and_all_that_is_needed(data: st.DataObject) -> None:
    size = data.draw(st.integers(min_value=1, max_value=SIZE))
    indexes = data.draw(st.lists(st.integers(min_value=0, max_value=size - 1), max_size=5))
    smaller = data.draw(st.integers(min_value=0, max_value=size))
    plans = [tiles_for_inclusion(indexes, size=size), tiles_for_consistency(smaller, larger=size)]
    of_tree = set(tiles_of(size))
    only = [
        Held({(t.level, t.index): TILES[t.level, t.index][: t.width * 32] for t in plan})
        for plan in plans
    ]

    assert all(plan <= of_tree for plan in plans)
    inclusion_proofs(indexes, size=size, reader=only[0])
    consistency_proof(smaller, larger=size, reader=only[1])


def test_one_receipt_of_ten_million_entries_reads_six_tiles_at_most() -> None:
    size = 10_000_000
    for index in (0, 1, 9_999_999, 5_000_000, 9_990_000):
        assert len(tiles_for_inclusion([index], size=size)) <= 6


@given(st.data())
def test_any_changed_bit_of_a_planned_tile_either_breaks_the_proof_or_was_not_used(
    data: st.DataObject,
) -> None:
    size = data.draw(st.sampled_from([2, 256, 257, 1_000]))
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    tiles = stored(LEAVES[:size])
    whole = inclusion_proofs([index], size=size, reader=Held(tiles))[0]
    plan = sorted(tiles_for_inclusion([index], size=size), key=Tile.path)
    tile = data.draw(st.sampled_from(plan))
    changed = bytearray(tiles[tile.level, tile.index])
    bit = data.draw(st.integers(min_value=0, max_value=len(changed) * 8 - 1))
    changed[bit // 8] ^= 1 << bit % 8
    tiles[tile.level, tile.index] = bytes(changed)

    proof = inclusion_proofs([index], size=size, reader=Held(tiles))[0]

    own = bit // 256 == index % 256 and (tile.level, tile.index) == (0, index // 256)
    above = tile.level == 1 and bit // 256 == index // 256
    if own or above:  # On the way from the entry up the verifier hashes by itself.
        assert proof == whole
    else:
        with pytest.raises(ProofInvalid):
            verify_inclusion(
                index=index,
                size=size,
                leaf=LEAVES[index],
                proof=proof,
                root=root_of(LEAVES[:size]),
            )


@given(st.binary(min_size=1, max_size=60), st.integers(min_value=0), st.integers(min_value=0))
def test_any_changed_bit_of_an_entry_breaks_its_proof(entry: bytes, bit: int, at: int) -> None:
    size = 300
    index = at % size
    leaves = [*LEAVES[:index], leaf_hash(entry), *LEAVES[index + 1 : size]]
    proof = inclusion_proofs([index], size=size, reader=Held(stored(leaves)))[0]
    changed = bytearray(entry)
    changed[bit // 8 % len(entry)] ^= 1 << bit % 8
    head = root_of(leaves)

    verify_inclusion(index=index, size=size, leaf=leaf_hash(entry), proof=proof, root=head)
    with pytest.raises(ProofInvalid):
        verify_inclusion(
            index=index, size=size, leaf=leaf_hash(bytes(changed)), proof=proof, root=head
        )


@pytest.mark.parametrize("indexes", [[257], [-1], [0, 300], [2**70], [0] * (INDEXES_MAX + 1)])
def test_index_outside_the_tree_or_too_many_are_refused_before_any_tile_is_read(
    indexes: list[int],
) -> None:
    reader = Counting(TILES)

    with pytest.raises(OutsideTree):
        inclusion_proofs(indexes, size=257, reader=reader)
    with pytest.raises(OutsideTree):
        tiles_for_inclusion(indexes, size=257)
    assert not reader.read


@pytest.mark.parametrize(
    ("size", "larger"), [(258, 257), (-1, 257), (1, -1), (1, SIZE_MAX + 1), (2**70, 2**71)]
)
def test_size_that_no_tree_has_is_refused(size: int, larger: int) -> None:
    reader = Counting(TILES)

    with pytest.raises(OutsideTree):
        consistency_proof(size, larger=larger, reader=reader)
    with pytest.raises(OutsideTree):
        tiles_for_consistency(size, larger=larger)
    assert not reader.read


@pytest.mark.parametrize("size", [-1, SIZE_MAX + 1])
def test_root_of_a_size_that_no_tree_has_is_refused(size: int) -> None:
    with pytest.raises(OutsideTree):
        root(size, reader=Held(TILES))
    with pytest.raises(OutsideTree):
        tiles_for_root(size)


def test_missing_short_or_torn_tile_is_named() -> None:
    whole = TILES[0, 0]

    for hashes in (b"", whole[:-1], whole[:-32], whole + bytes(32)):
        with pytest.raises(TileInvalid, match="tile/0/000 has"):
            inclusion_proofs([3], size=300, reader=Held({**TILES, (0, 0): hashes}))
    with pytest.raises(TileInvalid, match="tile/0/000 is missing"):
        inclusion_proofs([3], size=300, reader=Held({}))
