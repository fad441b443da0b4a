"""A log's files, written as plainly as RFC 6962 and C2SP tlog-tiles define them, and its receipts.

Independent of the code under test: hashes, tiles, paths and signatures are made here anew.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

WIDTH = 256


def leaf(data: bytes) -> bytes:
    """Hash an entry."""
    return sha256(b"\0" + data).digest()


@lru_cache(maxsize=200_000)
def node(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees; remembered, since tests ask for the same trees over and over."""
    return sha256(b"\1" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:split]), root_of(leaves[split:]))


def inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*inclusion(index, leaves[:split]), root_of(leaves[split:])]
    return [*inclusion(index - split, leaves[split:]), root_of(leaves[:split])]


def consistency(size: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2."""
    if size == len(leaves):
        return [] if whole else [root_of(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if size <= split:
        return [*consistency(size, leaves[:split], whole), root_of(leaves[split:])]
    return [*consistency(size - split, leaves[split:], False), root_of(leaves[:split])]


class Signer:
    """A key that signs checkpoints: of a log (kind 1), or of a witness (kind 4)."""

    def __init__(self, name: str, seed: int, kind: int = 1) -> None:
        self.name = name
        self._kind = kind
        self.key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public_key = self.key.public_key().public_bytes_raw()
        named = name.encode() + b"\n" + bytes([kind]) + self.public_key
        self._key_id = sha256(named).digest()[:4]

    @property
    def vkey(self) -> str:
        """The key as verifiers are given it."""
        return f"{self.name}+{self._key_id.hex()}+{base64(bytes([self._kind]) + self.public_key)}"

    def line(self, text: str, *, time: int = 1_795_000_000) -> str:
        """Sign a note's text, as its kind does; `time` is a witness's."""
        if self._kind == 1:
            signature = self.key.sign(text.encode())
        else:
            signed = self.key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
            signature = time.to_bytes(8, "big") + signed
        return f"\N{EM DASH} {self.name} {base64(self._key_id + signature)}\n"


def base64(data: bytes) -> str:
    """Write bytes as notes do."""
    return b64encode(data).decode()


def checkpoint(origin: str, leaves: Sequence[bytes], *signers: Signer) -> bytes:
    """Sign the head of a tree."""
    return note(f"{origin}\n{len(leaves)}\n{base64(root_of(leaves))}\n", *signers)


def note(text: str, *signers: Signer) -> bytes:
    """Sign a text."""
    return f"{text}\n{''.join(signer.line(text) for signer in signers)}".encode()


def path_of(level: str, number: int, width: int) -> str:
    """Give a tile's path."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
    return f"tile/{level}/{path}" + ("" if width == WIDTH else f".p/{width}")


def bundle_of(entries: Sequence[bytes]) -> bytes:
    """Write entries one after the other, each with its length."""
    return b"".join(len(data).to_bytes(2, "big") + data for data in entries)


def files_of(entries: Sequence[bytes]) -> dict[str, bytes]:
    """Give a log's tiles and bundles by their paths."""
    files = {}
    for number, at in enumerate(range(0, len(entries), WIDTH)):
        part = entries[at : at + WIDTH]
        files[path_of("entries", number, len(part))] = bundle_of(part)
    hashes = [leaf(data) for data in entries]
    level = 0
    while hashes:
        tiles = [hashes[at : at + WIDTH] for at in range(0, len(hashes), WIDTH)]
        for number, tile in enumerate(tiles):
            files[path_of(str(level), number, len(tile))] = b"".join(tile)
        hashes = [root_of(tile) for tile in tiles if len(tile) == WIDTH]
        level += 1
    return files


def write(directory: Path, entries: Sequence[bytes], *signers: Signer) -> Path:
    """Write a log's files; the first signer's name is the log's."""
    files = files_of(entries)
    files["checkpoint"] = checkpoint(signers[0].name, [leaf(data) for data in entries], *signers)
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    return directory


def proof_of(index: int, entries: Sequence[bytes], *signers: Signer) -> str:
    """Write a proof that the log holds an entry (C2SP tlog-proof)."""
    leaves = [leaf(data) for data in entries]
    hashes = "".join(f"{base64(value)}\n" for value in inclusion(index, leaves))
    signed = checkpoint(signers[0].name, leaves, *signers).decode()
    return f"c2sp.org/tlog-proof@v1\nindex {index}\n{hashes}\n{signed}"


def receipt_of(
    index: int,
    entries: Sequence[bytes],
    *signers: Signer,
    statement: bytes = b"",
    salt: bytes = b"",
) -> bytes:
    """Write a receipt."""
    value = {"entry": entries[index].decode(), "proof": proof_of(index, entries, *signers)}
    if statement:
        value |= {"statement": statement.decode(), "statement_salt": base64(salt)}
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
