"""A log as a directory of files (C2SP tlog-tiles): what any web server could serve."""

from __future__ import annotations

import os
from pathlib import Path

from padan_client.verify.errors import Unreadable
from padan_client.verify.notes import NOTE_BYTES_MAX
from padan_client.verify.tiles import BUNDLE_BYTES_MAX, ENTRIES, TILE_BYTES, WIDTH, Tile

CHECKPOINT = "checkpoint"


class LogDirectory:
    """Reads a log's files. What cannot be read is Unreadable, with the file's path."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)

    def checkpoint(self) -> bytes:
        """Read the signed checkpoint. Raises Unreadable."""
        data = self._read(CHECKPOINT, NOTE_BYTES_MAX)
        if data is None:
            raise Unreadable(CHECKPOINT, "is not there")
        return data

    def tile(self, tile: Tile) -> tuple[bytes, str, bool]:
        """Read a tile or bundle: its bytes, the path, and whether it is as wide as asked for.

        Where a partial one was removed, the full one is read in its place. Raises Unreadable.
        """
        longest = _longest(tile)
        data = self._read(tile.path, longest)
        if data is not None:
            return data, tile.path, True
        data = None if tile.width == WIDTH else self._read(tile.full_path, longest)
        if data is None:
            raise Unreadable(tile.path, "is not there")
        return data, tile.full_path, False

    def partial(self, tile: Tile) -> list[Tile]:
        """Give the partial versions of a tile that are there, however old."""
        try:
            names = os.listdir(f"{self._root}/{tile.full_path}.p")
        except OSError:
            return []
        widths = {f"{width}" for width in range(1, WIDTH)}
        return [Tile(tile.level, tile.number, int(name)) for name in sorted(widths & set(names))]

    def _read(self, path: str, longest: int) -> bytes | None:
        try:
            with open(f"{self._root}/{path}", "rb", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                data = b"" if size > longest else file.read(size)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unreadable(path, f"cannot be read: {error.strerror}") from None
        if size > longest:
            raise Unreadable(path, f"is longer than {longest} bytes")
        return data


def _longest(tile: Tile) -> int:
    return BUNDLE_BYTES_MAX if tile.level == ENTRIES else TILE_BYTES
