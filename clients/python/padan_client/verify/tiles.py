"""The files of a log (C2SP tlog-tiles, tiles of height 8): their paths, their widths, their parts.

A tile at level 0 holds leaf hashes; one above it the roots of full tiles below; a bundle entries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from padan_client.verify.errors import Unreadable
from padan_client.verify.merkle import HASH_BYTES
from padan_client.verify.text import NUMBER_MAX

HEIGHT = 8
WIDTH = 1 << HEIGHT
"""Hashes of a full tile, entries of a full bundle."""

TILE_BYTES = WIDTH * HASH_BYTES
ENTRY_BYTES_MAX = 2**16 - 1
_LENGTH_BYTES = 2
BUNDLE_BYTES_MAX = WIDTH * (_LENGTH_BYTES + ENTRY_BYTES_MAX)
LEVEL_MAX = 63
ENTRIES = -1
"""The level of bundles, which stand beside the tiles of level 0."""

_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Where a tile or bundle stands: its level, its number there, and how much it holds."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def full_path(self) -> str:
        """The path of the full tile."""
        if not 0 <= self.number <= NUMBER_MAX:
            raise ValueError("a tile's number is not negative")
        groups = [f"{self.number % 1000:03d}"]
        rest = self.number // 1000
        while rest:
            groups.append(f"x{rest % 1000:03d}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{'/'.join(reversed(groups))}"

    @property
    def path(self) -> str:
        """The path of this tile, below the log's directory or address."""
        return self.full_path if self.width == WIDTH else f"{self.full_path}.p/{self.width}"


def parse_path(path: str) -> Tile:
    """Read a path. Raises Unreadable for one that `Tile.path` never gives."""
    found = _PATH.fullmatch(path)
    if found is None or len(path) > 64:
        raise Unreadable("the path", "is not a tile's")
    level, groups, width = found.groups()
    number = int(groups.replace("/", "").replace("x", ""))
    tile = Tile(ENTRIES if level == "entries" else int(level), number, int(width or WIDTH))
    if tile.level > LEVEL_MAX or number > NUMBER_MAX or tile.path != path:
        raise Unreadable("the path", "is not a tile's")
    return tile


def width_of(size: int, level: int, number: int) -> int:
    """Give how wide a tile is in a tree of this size; 0 where it has none."""
    in_level = size >> HEIGHT * max(level, 0)
    return max(0, min(WIDTH, in_level - number * WIDTH))


def split_tile(data: bytes, *, width: int, where: str) -> list[bytes]:
    """Cut a tile into its hashes. Raises Unreadable."""
    if len(data) != width * HASH_BYTES:
        raise Unreadable(where, f"has {len(data)} bytes, not {width} hashes of {HASH_BYTES}")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def split_bundle(data: bytes, *, width: int, where: str) -> list[bytes]:
    """Cut a bundle into its entries. Raises Unreadable."""
    entries: list[bytes] = []
    at, end = 0, len(data)
    while at < end and len(entries) < width:
        begin = at + _LENGTH_BYTES
        at = begin + int.from_bytes(data[at:begin], "big")
        entries.append(data[begin:at])
    if at != end or len(entries) != width:
        raise Unreadable(where, f"does not hold {width} whole entries")
    return entries
