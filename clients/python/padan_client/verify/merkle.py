"""The Merkle tree of RFC 6962: hashes, roots of tiles, and the check of proofs.

Proofs are folded from the leaf up, by the bits of its index (RFC 9162, 2.1.3.2 and 2.1.4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from padan_client.verify.errors import AnotherHistory, NotInTree, Unreadable
from padan_client.verify.text import NUMBER_MAX

HASH_BYTES = 32
PROOF_HASHES_MAX = 63
"""Longest inclusion proof: the height of a tree of 2^63 entries."""

CONSISTENCY_HASHES_MAX = PROOF_HASHES_MAX + 1
"""Longest consistency proof: it may begin with a node of the smaller tree."""

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash an entry."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Give the root above hashes whose number is a power of two."""
    level = hashes
    while len(level) > 1:
        pairs = iter(level)
        level = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(pairs, pairs, strict=True)
        ]
    return level[0]


def peaks(hashes: Sequence[bytes]) -> list[bytes]:
    """Give the roots of the perfect subtrees above hashes, from the largest to the smallest."""
    found, at, left = [], 0, len(hashes)
    while left:
        width = 1 << left.bit_length() - 1
        found.append(perfect_root(hashes[at : at + width]))
        at, left = at + width, left - width
    return found


def root_of_levels(levels: Sequence[Sequence[bytes]]) -> bytes:
    """Give the root of a tree by its unfinished tiles: level 0 first, below all others."""
    above = [peak for level in reversed(levels) for peak in peaks(level)]
    if not above:
        return EMPTY_ROOT
    root = above.pop()
    while above:
        root = node_hash(above.pop(), root)
    return root


def verify_inclusion(
    *, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes, where: str
) -> None:
    """Check that a leaf, by its hash, stands at an index of the tree with this root.

    Raises Unreadable for hashes of another length, NotInTree for all else.
    """
    if not 0 <= index < size <= NUMBER_MAX:
        raise NotInTree(where, f"has the index {index}, in a tree of {size} entries")
    _check_hashes([leaf, root, *proof[: PROOF_HASHES_MAX + 1]], where)
    left_over = list(proof)
    found, node, last = leaf, index, size - 1
    while last:
        if node & 1 or node < last:
            if not left_over:
                raise NotInTree(where, "is too short")
            sibling = left_over.pop(0)
            found = node_hash(sibling, found) if node & 1 else node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if left_over:
        raise NotInTree(where, "is too long")
    if found != root:
        raise NotInTree(where, "leads to another root than the one that was signed")


def verify_consistency(
    *,
    size: int,
    root: bytes,
    larger_size: int,
    larger_root: bytes,
    proof: Sequence[bytes],
    where: str,
) -> None:
    """Check that the larger tree holds the smaller one unchanged at its beginning.

    An empty tree proves nothing and is refused. Raises Unreadable for hashes of another length,
    AnotherHistory for all else.
    """
    if not 0 < size <= larger_size <= NUMBER_MAX:
        raise AnotherHistory(where, f"leads from {size} to {larger_size} entries")
    if size == larger_size:
        if proof or root != larger_root:
            raise AnotherHistory(where, "leads to another root of a tree of the same size")
        return
    _check_hashes([root, larger_root, *proof[: CONSISTENCY_HASHES_MAX + 1]], where)
    if len(proof) > CONSISTENCY_HASHES_MAX:
        raise AnotherHistory(where, "is too long")
    left_over = list(proof)
    node, last = size - 1, larger_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    # Where the smaller tree is one perfect subtree, its root begins the proof unsaid.
    if node and not left_over:
        raise AnotherHistory(where, "is too short")
    small = large = left_over.pop(0) if node else root
    while last:
        if node & 1 or node < last:
            if not left_over:
                raise AnotherHistory(where, "is too short")
            sibling = left_over.pop(0)
            if node & 1:
                small, large = node_hash(sibling, small), node_hash(sibling, large)
            else:
                large = node_hash(large, sibling)
        node, last = node >> 1, last >> 1
    if left_over:
        raise AnotherHistory(where, "is too long")
    if small != root or large != larger_root:
        raise AnotherHistory(where, "leads to another root than the one that was signed")


def _check_hashes(hashes: Sequence[bytes], where: str) -> None:
    for value in hashes:
        if len(value) != HASH_BYTES:
            raise Unreadable(where, f"holds a hash of {len(value)} bytes, not {HASH_BYTES}")
