"""Proofs out of tiles, and the root: inclusion and consistency (RFC 6962, 2.1.1 and 2.1.2).

Which tiles a proof needs is told before any is read, so that whoever stores them reads them at
once. Checking proofs lives in merkle.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from padan_server.domain.merkle import EMPTY_ROOT, HASH_BYTES, SIZE_MAX, TILE_HEIGHT, node_hash
from padan_server.domain.tiles import TILE_BYTES, Tile, TileInvalid, row_above, width_in

INDEXES_MAX = 1_000
"""Most entries proved at once: some 2,000 tiles of 8 KiB at the very most."""


class OutsideTree(Exception):
    """A proof is asked for an entry or a size that the tree does not have."""


class Reader(Protocol):
    """Where tiles are read."""

    def hashes(self, level: int, index: int) -> bytes:
        """Give a tile's hashes, one after the other: those of the tree proved in, or more.

        Raises TileInvalid if there is no such tile.
        """


class Held:
    """A reader of tiles that are in memory, by level and index."""

    def __init__(self, tiles: Mapping[tuple[int, int], bytes]) -> None:
        self._tiles = tiles

    def hashes(self, level: int, index: int) -> bytes:
        """Give a tile. Raises TileInvalid."""
        hashes = self._tiles.get((level, index))
        if hashes is None:
            raise TileInvalid(f"{Tile(level, index).path()} is missing")
        return hashes


def inclusion_proofs(indexes: Sequence[int], *, size: int, reader: Reader) -> list[list[bytes]]:
    """Prove that entries stand in the tree of a size: one proof for each index.

    Each tile is read once. Raises OutsideTree, and TileInvalid if a tile lacks hashes.
    """
    paths = _inclusion_paths(indexes, size)
    nodes = _Nodes(size, reader)
    return [[nodes.joined(parts) for parts in path] for path in paths]


def consistency_proof(size: int, *, larger: int, reader: Reader) -> list[bytes]:
    """Prove that the tree of the larger size begins with the one of `size`.

    Empty where nothing is to be proved: for an empty tree, and for one and the same. Raises
    OutsideTree, and TileInvalid if a tile lacks hashes.
    """
    path = _consistency_path(size, larger)
    nodes = _Nodes(larger, reader)
    return [nodes.joined(parts) for parts in path]


def root(size: int, *, reader: Reader) -> bytes:
    """Give the root of the tree of a size. Raises OutsideTree, and TileInvalid as above."""
    _check_size(size)
    return _Nodes(size, reader).joined(_edge(0, size)) if size else EMPTY_ROOT


def tiles_for_inclusion(indexes: Sequence[int], *, size: int) -> set[Tile]:
    """Give the tiles that `inclusion_proofs` reads, at their widths. Raises OutsideTree."""
    return _tiles((parts for path in _inclusion_paths(indexes, size) for parts in path), size)


def tiles_for_consistency(size: int, *, larger: int) -> set[Tile]:
    """Give the tiles that `consistency_proof` reads, at their widths. Raises OutsideTree."""
    return _tiles(_consistency_path(size, larger), larger)


def tiles_for_root(size: int) -> set[Tile]:
    """Give the tiles that `root` reads, at their widths. Raises OutsideTree."""
    _check_size(size)
    return _tiles([_edge(0, size)], size)


class _Place(NamedTuple):
    """A perfect subtree: its height, and its place among those of its height."""

    height: int
    position: int

    def tile(self) -> tuple[int, int]:
        """Give the lowest tile in which the subtree lies: level and index."""
        level, above = divmod(self.height, TILE_HEIGHT)
        return level, self.position >> TILE_HEIGHT - above


_Parts = list[_Place]
"""Perfect subtrees, from left to right, whose joined root is one hash of a proof."""


class _Nodes:
    """The nodes of a tree of a size. A tile's rows are hashed once, as far up as they are asked."""

    def __init__(self, size: int, reader: Reader) -> None:
        self._size = size
        self._reader = reader
        self._rows: dict[tuple[int, int], list[bytes]] = {}

    def joined(self, parts: _Parts) -> bytes:
        found = self._node(parts[-1])
        for place in parts[-2::-1]:
            found = node_hash(self._node(place), found)
        return found

    def _node(self, place: _Place) -> bytes:
        level, index = place.tile()
        rows = self._rows.get((level, index))
        if rows is None:
            rows = self._rows[level, index] = [self._read(level, index)]
        above = place.height % TILE_HEIGHT
        while len(rows) <= above:
            rows.append(row_above(rows[-1]))
        at = place.position % (1 << TILE_HEIGHT - above) * HASH_BYTES
        return rows[above][at : at + HASH_BYTES]

    def _read(self, level: int, index: int) -> bytes:
        """Read a tile; of one that has grown since, only what this tree has of it."""
        hashes = self._reader.hashes(level, index)
        tile = Tile(level, index, width_in(self._size, level=level, index=index))
        wanted = tile.width * HASH_BYTES
        if not wanted <= len(hashes) <= TILE_BYTES or len(hashes) % HASH_BYTES:
            raise TileInvalid(f"{tile.path()} has {len(hashes)} bytes, where {wanted} must be")
        return hashes[:wanted]


def _inclusion_paths(indexes: Sequence[int], size: int) -> list[list[_Parts]]:
    _check_size(size)
    if len(indexes) > INDEXES_MAX:
        raise OutsideTree(f"at most {INDEXES_MAX} entries are proved at once")
    if not all(0 <= index < size for index in indexes):
        raise OutsideTree(f"an index is not in the tree of {size} entries")
    return [list(_path(_Place(0, index), size)) for index in indexes]


def _consistency_path(size: int, larger: int) -> list[_Parts]:
    _check_size(larger)
    if not 0 <= size <= larger:
        raise OutsideTree(f"the tree of {larger} entries does not hold one of {size}")
    if size in (0, larger):
        return []
    # From the smaller tree's last perfect subtree up; where it is the whole of the smaller tree,
    # the verifier has its root.
    height = (size & -size).bit_length() - 1
    last = _Place(height, (size >> height) - 1)
    path = list(_path(last, larger))
    return path if last.position == 0 else [[last], *path]


def _path(place: _Place, size: int) -> Iterator[_Parts]:
    """Give the siblings on the way from a perfect subtree to the root of the tree of a size."""
    height, position = place
    while size > 1 << height:
        sibling = position ^ 1
        begin, end = sibling << height, (sibling + 1) << height
        if end <= size:
            yield [_Place(height, sibling)]
        elif begin < size:
            yield _edge(begin, size)
        height, position = height + 1, position >> 1


def _edge(begin: int, size: int) -> _Parts:
    """Cut the tree's end from `begin` on, where a subtree begins, into perfect subtrees."""
    parts = []
    rest = size - begin
    while rest:
        height = rest.bit_length() - 1
        parts.append(_Place(height, begin >> height))
        begin += 1 << height
        rest -= 1 << height
    return parts


def _tiles(path: Iterable[_Parts], size: int) -> set[Tile]:
    places = {place.tile() for parts in path for place in parts}
    return {Tile(*at, width_in(size, level=at[0], index=at[1])) for at in places}


def _check_size(size: int) -> None:
    if not 0 <= size <= SIZE_MAX:
        raise OutsideTree(f"no tree has {size} entries")
