"""A tree in tiles, and its entries in bundles (C2SP tlog-tiles): paths, widths, bytes.

Which files a tree of a size has, and which a tree gets when it grows. The tree that makes them
lives in tile_tree.py, proofs out of them in proving.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256

import msgspec

from padan_server.domain.merkle import HASH_BYTES, SIZE_MAX, TILE_HEIGHT

TILE_WIDTH = 1 << TILE_HEIGHT
"""Hashes of a full tile, and entries of a full bundle."""

TILE_BYTES = TILE_WIDTH * HASH_BYTES

LEVEL_MAX = (SIZE_MAX.bit_length() - 1) // TILE_HEIGHT
"""Topmost level of the largest tree. C2SP's paths go on to 63, where no tree reaches."""

LENGTH_BYTES = 2
"""A bundle gives each entry's length before it, big-endian."""

ENTRY_BYTES_MAX = 2 ** (8 * LENGTH_BYTES) - 1

BUNDLE_BYTES_MAX = TILE_WIDTH * (LENGTH_BYTES + ENTRY_BYTES_MAX)
"""Longest full bundle: what is longer is refused before it is cut."""

PATH_CHARS_MAX = 64
"""Longest path that is read: the largest tree's last bundle has 45 characters."""

_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]{1,2})/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[0-9]{1,3}))?"
)


class TileInvalid(Exception):
    """A path, tile or bundle is not what it must be. The message says what and where."""


class Tile(msgspec.Struct, frozen=True, gc=False):
    """Where a tile stands. With less than the full `width` it is partial: its tree ends in it."""

    level: int
    index: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """Give the path below a log's prefix."""
        return f"tile/{self.level}/{_index_path(self.index)}{_width_path(self.width)}"


class Bundle(msgspec.Struct, frozen=True, gc=False):
    """Where a bundle of entries stands: `index` and `width` as the tile's with their hashes."""

    index: int
    width: int = TILE_WIDTH

    def path(self) -> str:
        """Give the path below a log's prefix."""
        return f"tile/entries/{_index_path(self.index)}{_width_path(self.width)}"


def parse_path(path: str) -> Tile | Bundle:
    """Read a path below a log's prefix.

    Raises TileInvalid where it has another form, or no tree has such a tile.
    """
    found = _PATH.fullmatch(path) if len(path) <= PATH_CHARS_MAX else None
    if found is None:
        raise TileInvalid("a path is neither a tile's nor a bundle's")
    index = int("".join(found["index"].replace("x", "").split("/")))
    width = int(found["width"] or TILE_WIDTH)
    of_entries = found["level"] == "entries"
    level = 0 if of_entries else int(found["level"])
    if not 0 < width <= TILE_WIDTH or level > LEVEL_MAX:
        raise TileInvalid(f"no tree has a tile of level {level} and width {width}")
    if index * TILE_WIDTH + width > SIZE_MAX >> level * TILE_HEIGHT:
        raise TileInvalid(f"no tree has a tile of level {level} with index {index}")
    parsed: Tile | Bundle = Bundle(index, width) if of_entries else Tile(level, index, width)
    if parsed.path() != path:
        raise TileInvalid("a path has a second spelling, which is not its own")
    return parsed


def width_in(size: int, *, level: int, index: int) -> int:
    """Give how many hashes a tile has in a tree of a size: 0 where the tree does not reach it."""
    assert 0 <= size <= SIZE_MAX, "sizes are checked where they are read"
    hashes = size >> level * TILE_HEIGHT
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def tiles_of(size: int) -> Iterator[Tile]:
    """Give all tiles of a tree, from the leaves up, each at its width."""
    return grown_tiles(0, size)


def grown_tiles(size: int, larger: int) -> Iterator[Tile]:
    """Give the tiles that are new or wider when a tree grows: of them, full ones never change."""
    assert 0 <= size <= larger <= SIZE_MAX, "a tree only grows"
    for level in range(LEVEL_MAX + 1):
        before, after = size >> level * TILE_HEIGHT, larger >> level * TILE_HEIGHT
        if after == before:
            return
        for index in range(before // TILE_WIDTH, (after - 1) // TILE_WIDTH + 1):
            yield Tile(level, index, width_in(larger, level=level, index=index))


def filled_tiles(size: int, larger: int) -> Iterator[Tile]:
    """Give the tiles that become full when a tree grows, in the order of `TileTree.extended`."""
    return (tile for tile in grown_tiles(size, larger) if tile.width == TILE_WIDTH)


def bundles_of(size: int) -> Iterator[Bundle]:
    """Give all bundles of a log, each at its width."""
    return grown_bundles(0, size)


def grown_bundles(size: int, larger: int) -> Iterator[Bundle]:
    """Give the bundles that are new or wider when a log grows."""
    assert 0 <= size <= larger <= SIZE_MAX, "a log only grows"
    if size < larger:
        for index in range(size // TILE_WIDTH, (larger - 1) // TILE_WIDTH + 1):
            yield Bundle(index, width_in(larger, level=0, index=index))


def row_above(hashes: bytes) -> bytes:
    """Hash a row of nodes in pairs; a last one without its pair has nothing above it."""
    pair = 2 * HASH_BYTES
    ends = range(0, len(hashes) // pair * pair, pair)
    return b"".join([sha256(b"\x01" + hashes[at : at + pair]).digest() for at in ends])


def root_of_full(hashes: bytes, tile: Tile) -> bytes:
    """Give the root of a full tile: its hash in the tile above. Raises TileInvalid."""
    if len(hashes) != TILE_BYTES:
        raise TileInvalid(f"{tile.path()} has {len(hashes)} bytes, where {TILE_BYTES} must be")
    row = hashes
    while len(row) > HASH_BYTES:
        row = row_above(row)
    return row


def cut_hashes(hashes: bytes, tile: Tile) -> list[bytes]:
    """Cut a tile into its hashes. Raises TileInvalid if it does not have its width."""
    if len(hashes) != tile.width * HASH_BYTES:
        raise TileInvalid(f"{tile.path()} does not have {tile.width} hashes")
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Write entries one after the other, each with its length before it."""
    parts = []
    for data in entries:
        assert len(data) <= ENTRY_BYTES_MAX, "entries are bounded where they enter"
        parts.append(len(data).to_bytes(LENGTH_BYTES, "big"))
        parts.append(data)
    return b"".join(parts)


def cut_bundle(data: bytes, bundle: Bundle) -> list[bytes]:
    """Cut a bundle into its entries. Raises TileInvalid if it does not hold just its width."""
    if len(data) > BUNDLE_BYTES_MAX:
        raise TileInvalid(f"{bundle.path()} is too long")
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end and len(entries) < bundle.width:
        begin = at + LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "big")
        if max(begin, at) > end:
            raise TileInvalid(f"{bundle.path()} is cut short in entry {len(entries)} of it")
        entries.append(data[begin:at])
    if at != end or len(entries) != bundle.width:
        raise TileInvalid(f"{bundle.path()} does not hold {bundle.width} entries")
    return entries


def _index_path(index: int) -> str:
    """Give an index in groups of three digits, all but the last with an x."""
    path = f"{index % 1000:03d}"
    while index := index // 1000:
        path = f"x{index % 1000:03d}/{path}"
    return path


def _width_path(width: int) -> str:
    return "" if width == TILE_WIDTH else f".p/{width}"
