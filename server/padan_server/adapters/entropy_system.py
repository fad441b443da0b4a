"""Randomness from the operating system, drawn in blocks."""

from __future__ import annotations

import os

BLOCK_BYTES = 4096


class SystemEntropy:
    """Serves random bytes from a block of `os.urandom`; each byte is given once.

    Not shared between processes: workers are started by exec, never by fork.
    """

    def __init__(self) -> None:
        self._block = b""
        self._at = 0

    def __call__(self, size: int) -> bytes:
        """Give `size` random bytes."""
        if size > BLOCK_BYTES:
            return os.urandom(size)
        at, end = self._at, self._at + size
        if end > len(self._block):
            self._block = os.urandom(BLOCK_BYTES)
            at, end = 0, size
        self._at = end
        return self._block[at:end]
