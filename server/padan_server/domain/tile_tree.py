"""A growing tree that gives its tiles: the frontier, and the tiles that are not yet full.

Hashes nothing that the frontier would not hash anyway. Where tiles are kept is another matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from padan_server.domain.merkle import EMPTY, HASH_BYTES, SIZE_MAX, TILE_HEIGHT, Frontier
from padan_server.domain.tiles import TILE_BYTES, TILE_WIDTH, Tile, TileInvalid, root_of_full


class TileData(NamedTuple):
    """A tile and its hashes, one after the other."""

    tile: Tile
    hashes: bytes


class TileTree(msgspec.Struct, frozen=True):
    """The right edge of a tree in tiles. `edges` holds, by level, the hashes of the unfinished one.

    A value: a batch that is not committed leaves the tree before it as it was.
    """

    frontier: Frontier
    edges: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Leaves of the tree."""
        return self.frontier.size

    def root(self) -> bytes:
        """Give the root hash."""
        return self.frontier.root()

    def extended(self, leaves: Sequence[bytes]) -> tuple[TileTree, list[TileData]]:
        """Give the tree with more leaves, by their hashes, and the tiles that became full."""
        frontier, perfect = self.frontier.grown(leaves)
        edges: list[bytes] = []
        full: list[TileData] = []
        for level, new in enumerate(perfect):
            held = self.edges[level] if level < len(self.edges) else b""
            hashes = b"".join((held, *new))
            first = self.size >> (level + 1) * TILE_HEIGHT
            filled = len(hashes) // TILE_BYTES
            full.extend(
                TileData(
                    Tile(level, first + nth), hashes[nth * TILE_BYTES : (nth + 1) * TILE_BYTES]
                )
                for nth in range(filled)
            )
            edges.append(hashes[filled * TILE_BYTES :])
        edges.extend(self.edges[len(perfect) :])
        return TileTree(frontier, tuple(edges)), full

    def partial(self) -> Iterator[TileData]:
        """Give the tiles that are not full, from the leaves up."""
        for level, hashes in enumerate(self.edges):
            if hashes:
                index = self.size >> (level + 1) * TILE_HEIGHT
                yield TileData(Tile(level, index, len(hashes) // HASH_BYTES), hashes)

    @classmethod
    def load(cls, size: int, full: Mapping[Tile, bytes]) -> TileTree:
        """Make the tree again from full tiles, those of `tiles_to_load`.

        `size` is a whole number of tiles of leaves: `extended` takes the leaves since, and gives
        the tiles that became full with them once more. The caller compares the root with what it
        trusts. Raises TileInvalid if a tile lacks or has another length.
        """
        rows: list[list[bytes]] = [[] for _ in range(_levels(size))]
        for tile in tiles_to_load(size):
            rows[tile.level + 1].append(_root(tile, full))
        peaks: list[bytes] = []
        for row in reversed(rows):
            peaks.extend(EMPTY.extended(row).peaks)
        return cls(Frontier(size, tuple(peaks)), tuple(b"".join(row) for row in rows))


EMPTY_TILES = TileTree(EMPTY, ())


def tiles_to_load(size: int) -> Iterator[Tile]:
    """Give the full tiles whose roots are in unfinished ones, at most 255 of each level.

    `size` is a whole number of tiles of leaves.
    """
    assert size % TILE_WIDTH == 0, "leaves of an unfinished tile are given to `extended`"
    assert 0 <= size <= SIZE_MAX, "sizes are checked where they are read"
    for level in range(1, _levels(size)):
        hashes = size >> level * TILE_HEIGHT
        for index in range(hashes - hashes % TILE_WIDTH, hashes):
            yield Tile(level - 1, index)


def _levels(size: int) -> int:
    return -(-size.bit_length() // TILE_HEIGHT)


def _root(tile: Tile, full: Mapping[Tile, bytes]) -> bytes:
    hashes = full.get(tile)
    if hashes is None:
        raise TileInvalid(f"{tile.path()} is missing")
    return root_of_full(hashes, tile)
