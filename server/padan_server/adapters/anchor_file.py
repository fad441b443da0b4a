"""The anchor in a file: the last signed checkpoint, outside the database.

Two slots of fixed size are written in turn, each with a number and a checksum: a torn write leaves
the other slot. A short lock tells a notary that was fenced off from the one that writes now.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import zlib
from pathlib import Path

from padan_server.domain.ledger import AnchorMissing, AnchorMoved, LedgerError

_SLOT_BYTES = 4096
_SLOTS = 2
_MAGIC = b"PADANCHR"
_HEAD = struct.Struct(">8sQII")
"""Magic, sequence, length, and the CRC-32 of sequence, length and note."""

_NOTE_BYTES_MAX = _SLOT_BYTES - _HEAD.size


class AnchorFile:
    """A `notary.ports.Anchor`. `read` first: what is written then follows what was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._sequence = 0

    def create(self, note: bytes) -> None:
        """Make the file, durably. Raises FileExistsError if there is one."""
        draft = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            # Number 0 stands in the first slot, as `write` numbers them.
            os.pwrite(descriptor, _slot(0, note).ljust(_SLOTS * _SLOT_BYTES, b"\0"), 0)
            os.fsync(descriptor)
            os.link(draft, self._path)
        finally:
            os.close(descriptor)
            draft.unlink()
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def read(self) -> bytes:
        """Give the last note. Raises AnchorMissing; LedgerError if no slot is whole."""
        if self._descriptor < 0:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise AnchorMissing(
                    f"there is no anchor at {self._path}: without it nobody can tell whether the "
                    "database was set back. Only `padan-server ledger init` makes one, for an "
                    "empty log"
                ) from error
            except OSError as error:
                raise LedgerError(f"cannot open the anchor {self._path}") from error
        self._sequence, note = self._newest()
        return note

    def write(self, note: bytes) -> None:
        """Replace the note, durably. Raises AnchorMoved if another process did, or took it away."""
        if self._descriptor < 0:
            raise LedgerError("the anchor is written only after it was read")
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._check_in_place()
            if self._newest()[0] != self._sequence:
                raise AnchorMoved("another notary wrote the anchor since")
            sequence = self._sequence + 1
            slot = _slot(sequence, note).ljust(_SLOT_BYTES, b"\0")
            written = os.pwrite(self._descriptor, slot, sequence % _SLOTS * _SLOT_BYTES)
            if written != _SLOT_BYTES:
                raise LedgerError("the anchor could not be written")
            os.fdatasync(self._descriptor)
            self._sequence = sequence
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _check_in_place(self) -> None:
        """Make sure that what we hold open is what a start would read."""
        held = os.fstat(self._descriptor)
        try:
            there = os.stat(self._path)
        except OSError as error:
            raise AnchorMoved(f"the anchor {self._path} was taken away") from error
        if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
            raise AnchorMoved(f"the anchor {self._path} was replaced")

    def _newest(self) -> tuple[int, bytes]:
        data = os.pread(self._descriptor, _SLOTS * _SLOT_BYTES, 0)
        slots = [_open(data[at : at + _SLOT_BYTES]) for at in range(0, len(data), _SLOT_BYTES)]
        whole = [slot for slot in slots if slot is not None]
        if not whole:
            raise LedgerError(f"the anchor {self._path} is damaged")
        return max(whole)


def _slot(sequence: int, note: bytes) -> bytes:
    if len(note) > _NOTE_BYTES_MAX:
        raise LedgerError("the note does not fit the anchor")
    return _HEAD.pack(_MAGIC, sequence, len(note), _checksum(sequence, note)) + note


def _open(slot: bytes) -> tuple[int, bytes] | None:
    if len(slot) < _HEAD.size:
        return None
    magic, sequence, length, checksum = _HEAD.unpack_from(slot)
    note = slot[_HEAD.size : _HEAD.size + length]
    if magic != _MAGIC or len(note) != length or checksum != _checksum(sequence, note):
        return None
    return sequence, note


def _checksum(sequence: int, note: bytes) -> int:
    return zlib.crc32(struct.pack(">QI", sequence, len(note)) + note)
