"""The tree of a log, built again from its entries and compared with every tile on the way.

Where two disagree, the level above, which the signature is over in the end, tells which is wrong;
building goes on with the other one, so that one damage is one finding.
"""

from __future__ import annotations

from hashlib import sha256

from padan_client.verify.directory import LogDirectory
from padan_client.verify.errors import Unreadable
from padan_client.verify.findings import Findings, What
from padan_client.verify.merkle import HASH_BYTES, perfect_root, root_of_levels
from padan_client.verify.tiles import (
    ENTRIES,
    HEIGHT,
    WIDTH,
    Tile,
    split_bundle,
    split_tile,
    width_of,
)

Hashes = list[bytes]


class Tree:
    """Takes the bundles of a tree of `size` entries, whose `root` was signed, in order.

    `levels` holds, for each level, the hashes of its unfinished tile.
    """

    def __init__(
        self, directory: LogDirectory, *, size: int, root: bytes, findings: Findings
    ) -> None:
        self.levels: list[Hashes] = [[]]
        self._directory = directory
        self._size = size
        self._root = root
        self._findings = findings
        self._above: dict[int, tuple[Tile, Hashes | None]] = {}
        # Nothing above a partial tile tells which is wrong: both wait for the root.
        self._doubted: list[tuple[Tile, Hashes, Hashes]] = []

    def take(self, number: int) -> tuple[list[bytes | None], Hashes | None]:
        """Read a bundle and take its entries; give them, and the leaf hashes that the tree holds.

        An entry is None where it cannot be read, or is not what the tree holds; the hashes are None
        where the tile cannot be read either. Both are told by then. The last bundle ends the tree.
        """
        width = width_of(self._size, 0, number)
        tile, bundle = Tile(0, number, width), Tile(ENTRIES, number, width)
        entries = self._entries(bundle)
        hashes = None if entries is None else _hashed(entries)
        found = self._compare(tile, hashes)
        if number * WIDTH + width == self._size:
            self._finish()
            found = self.levels[0] or None if width < WIDTH else found
        if found is not None:
            self._older_bundles(bundle, found)
        if entries is None or hashes is None:
            return [None] * width, found
        if found is None or found == hashes:
            return [*entries], hashes
        return [
            data if mine == held else None
            for data, mine, held in zip(entries, hashes, found, strict=True)
        ], found

    def _finish(self) -> None:
        """Compare the last tiles, and the root with the one that was signed."""
        last = [
            (Tile(level, self._size >> HEIGHT * (level + 1), len(hashes)), hashes)
            for level, hashes in enumerate(self.levels)
            if hashes
        ]
        for tile, hashes in last:
            if tile.level > 0:
                self._compare(tile, hashes)
        if root_of_levels(self.levels) == self._root:
            for tile, _, _ in self._doubted:
                self._differs(tile, "differs from what is below it, which was signed")
        else:
            for tile, _, stored in self._doubted:
                self.levels[tile.level] = stored
            right = root_of_levels(self.levels) == self._root
            for tile, hashes, stored in self._doubted:
                self._blame(tile, hashes, stored, surely=right)
            if not right:
                text = "the files do not lead to the signed root"
                self._findings.add(What.TREE, "checkpoint", text)
        for tile, _ in last:
            self._older_tiles(tile, self.levels[tile.level])

    def _compare(self, tile: Tile, hashes: Hashes | None) -> Hashes | None:
        """Compare what stands below a tile with it, and pass its root on; give what is right."""
        found = self._read(tile, told=True) if hashes is None else self._judge(tile, hashes)
        level = tile.level
        if tile.width < WIDTH:
            self.levels[level] = found or []
            return found
        if found is not None:
            self._older_tiles(tile, found)
            root = perfect_root(found)
        else:
            above = self._upper(tile)
            if above is None:
                self._findings.add(What.TREE, tile.path, "nothing tells what it held")
                above = bytes(HASH_BYTES)
            root = above
        self.levels[level] = []
        if len(self.levels) == level + 1:
            self.levels.append([])
        self.levels[level + 1].append(root)
        if len(self.levels[level + 1]) == WIDTH:
            self._compare(Tile(level + 1, tile.number // WIDTH), self.levels[level + 1])
        return found

    def _judge(self, tile: Tile, hashes: Hashes) -> Hashes:
        stored = self._read(tile, told=True)
        if stored is None or stored == hashes:
            return hashes
        if tile.width < WIDTH:
            self._doubted.append((tile, hashes, stored))
            return hashes
        above = self._upper(tile)
        if above is not None and perfect_root(stored) == above:
            self._blame(tile, hashes, stored, surely=True)
            return stored
        if above is not None and perfect_root(hashes) == above:
            self._differs(tile, "differs from what is below it, which the tile above holds")
        else:
            self._blame(tile, hashes, stored, surely=False)
        return hashes

    def _differs(self, tile: Tile, text: str) -> None:
        self._findings.add(What.TREE, tile.path, text)

    def _blame(self, tile: Tile, hashes: Hashes, stored: Hashes, *, surely: bool) -> None:
        """Name each entry or lower tile that a tile's hash is not of."""
        for at, (found, held) in enumerate(zip(hashes, stored, strict=True)):
            if found == held:
                continue
            number = tile.number * WIDTH + at
            if tile.level == 0:
                where = f"entry {number} in {Tile(ENTRIES, tile.number, tile.width).path}"
            else:
                where = Tile(tile.level - 1, number).path
            certain = ", which was signed" if surely else ""
            self._findings.add(What.TREE, where, f"is not what {tile.path} holds{certain}")

    def _upper(self, tile: Tile) -> bytes | None:
        """Give the hash that the level above holds of a full tile, if it can be read."""
        level, number = tile.level + 1, tile.number // WIDTH
        above = Tile(level, number, width_of(self._size, level, number))
        kept = self._above.get(level)
        if kept is None or kept[0] != above:
            kept = self._above[level] = (above, self._read(above, told=False))
        hashes = kept[1]
        return None if hashes is None else hashes[tile.number % WIDTH]

    def _older_tiles(self, tile: Tile, hashes: Hashes) -> None:
        """Compare the partial versions that earlier checkpoints needed with what is right."""
        for older in self._directory.partial(tile):
            if older.width < tile.width:
                held = self._read(older, told=True)
                if held is not None and held != hashes[: older.width]:
                    self._differs(older, "differs from the later version")

    def _older_bundles(self, bundle: Tile, hashes: Hashes) -> None:
        for older in self._directory.partial(bundle):
            if older.width < bundle.width:
                entries = self._entries(older)
                if entries is not None and _hashed(entries) != hashes[: older.width]:
                    self._differs(older, "differs from the later version")

    def _read(self, tile: Tile, *, told: bool) -> Hashes | None:
        try:
            data, path, exact = self._directory.tile(tile)
            width = tile.width if exact else WIDTH
            return split_tile(data, width=width, where=path)[: tile.width]
        except Unreadable as error:
            if told:
                self._findings.add(What.TREE, error.where, error.text)
            return None

    def _entries(self, bundle: Tile) -> list[bytes] | None:
        try:
            data, path, exact = self._directory.tile(bundle)
            width = bundle.width if exact else WIDTH
            return split_bundle(data, width=width, where=path)[: bundle.width]
        except Unreadable as error:
            self._findings.add(What.TREE, error.where, error.text)
            return None


def _hashed(entries: list[bytes]) -> Hashes:
    """Give the leaf hashes; one call less for each entry than `leaf_hash`."""
    return [sha256(b"\x00" + data).digest() for data in entries]
