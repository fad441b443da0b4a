"""The Merkle tree of RFC 6962: hashes, a frontier that grows, and the check of proofs.

Storage and signing do not live here. Proofs are checked as RFC 9162 does it (sections 2.1.3.2 and
2.1.4.2); its tree is RFC 6962's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

HASH_BYTES = 32
SIZE_MAX = 2**63 - 1
"""Sizes and indexes are signed 64-bit numbers in the ledger's database."""

PROOF_HASHES_MAX = 64
"""Longest proof in the largest tree: a path of 63 hashes, and the start of a consistency proof."""

TILE_HEIGHT = 8
"""Heights of the tree that one tile spans (C2SP tlog-tiles)."""

EMPTY_ROOT = sha256(b"").digest()


class ProofInvalid(Exception):
    """A proof does not prove what it is given for."""


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf's data."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree that only grows, reduced to the roots of its perfect subtrees.

    `peaks` holds them from the largest to the smallest: one for each 1 in the binary `size`.
    """

    size: int
    peaks: tuple[bytes, ...]

    def extended(self, leaves: Sequence[bytes]) -> Self:
        """Give the tree with more leaves, by their hashes."""
        return self.grown(leaves)[0]

    def grown(self, leaves: Sequence[bytes]) -> tuple[Self, list[list[bytes]]]:
        """Give the tree with more leaves, and the new hashes that tiles hold, by tile level.

        They are the roots of the subtrees that became perfect, at the heights 0, 8, 16 and so on:
        the tree needs them anyway.
        """
        peaks = list(self.peaks)
        grown: list[bytes] = []
        perfect: list[list[bytes]] = []
        nodes, odd, height = list(leaves), self.size, 0
        while nodes or odd:
            if height % TILE_HEIGHT == 0:
                perfect.append(nodes.copy())
            if odd & 1:
                nodes.insert(0, peaks.pop())
            if len(nodes) & 1:
                grown.append(nodes.pop())
            pairs = iter(nodes)
            nodes = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(pairs, pairs, strict=True)
            ]
            odd >>= 1
            height += 1
        grown.reverse()
        return type(self)(self.size + len(leaves), tuple(grown)), perfect

    def root(self) -> bytes:
        """Give the root hash."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            root = node_hash(peak, root)
        return root

    def dump(self) -> bytes:
        """Write the peaks, one after the other; the size says how many there are."""
        return b"".join(self.peaks)

    @classmethod
    def load(cls, size: int, dumped: bytes) -> Self:
        """Read what `dump` wrote. Raises ValueError if it does not fit the size."""
        if not 0 <= size <= SIZE_MAX or len(dumped) != size.bit_count() * HASH_BYTES:
            raise ValueError("a frontier does not fit its size")
        peaks = (dumped[at : at + HASH_BYTES] for at in range(0, len(dumped), HASH_BYTES))
        return cls(size, tuple(peaks))


EMPTY = Frontier(0, ())


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf, by its hash, stands at an index of the tree with this root.

    Raises ProofInvalid.
    """
    if not 0 <= index < size <= SIZE_MAX:
        raise ProofInvalid("the index is not in the tree")
    _check_hashes(leaf, root, proof)
    # The path has inner nodes, where both subtrees lie in the tree, then a border of left siblings.
    inner = (index ^ (size - 1)).bit_length()
    border = (index >> inner).bit_count()
    if len(proof) != inner + border:
        raise ProofInvalid("the proof has another length")
    found = leaf
    for level, sibling in enumerate(proof[:inner]):
        left = index >> level & 1
        found = node_hash(sibling, found) if left else node_hash(found, sibling)
    for sibling in proof[inner:]:
        found = node_hash(sibling, found)
    if found != root:
        raise ProofInvalid("the proof leads to another root")


def verify_consistency(
    *, size: int, root: bytes, larger_size: int, larger_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the larger tree holds the smaller one unchanged at its beginning.

    An empty tree proves nothing and is refused. Raises ProofInvalid.
    """
    if not 0 < size <= larger_size <= SIZE_MAX:
        raise ProofInvalid("the sizes do not follow each other")
    if size == larger_size:
        if proof:
            raise ProofInvalid("the proof has another length")
        if root != larger_root:
            raise ProofInvalid("trees of one size have two roots")
        return
    _check_hashes(root, larger_root, proof)
    # The proof starts at the smaller tree's last perfect subtree, whose own root it leaves out
    # where that subtree is the whole smaller tree.
    shift = (size & -size).bit_length() - 1
    inner = ((size - 1) ^ (larger_size - 1)).bit_length() - shift
    border = ((size - 1) >> (inner + shift)).bit_count()
    path = list(proof) if size != 1 << shift else [root, *proof]
    if len(path) != 1 + inner + border:
        raise ProofInvalid("the proof has another length")
    start, *path = path
    mask = (size - 1) >> shift
    small = large = start
    for level, sibling in enumerate(path[:inner]):
        if mask >> level & 1:
            small, large = node_hash(sibling, small), node_hash(sibling, large)
        else:
            large = node_hash(large, sibling)
    for sibling in path[inner:]:
        small, large = node_hash(sibling, small), node_hash(sibling, large)
    if small != root or large != larger_root:
        raise ProofInvalid("the proof leads to another root")


def _check_hashes(first: bytes, second: bytes, proof: Sequence[bytes]) -> None:
    if len(proof) > PROOF_HASHES_MAX:
        raise ProofInvalid("the proof is too long")
    if any(len(value) != HASH_BYTES for value in (first, second, *proof)):
        raise ProofInvalid("a hash does not have 32 bytes")
