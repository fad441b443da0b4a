"""The Merkle tree: the published vectors, a plain definition to compare with, broken proofs."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.merkle import (
    EMPTY,
    EMPTY_ROOT,
    PROOF_HASHES_MAX,
    TILE_HEIGHT,
    Frontier,
    ProofInvalid,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "merkle"
INCLUSION = sorted(VECTORS.glob("inclusion/**/*.json"))
CONSISTENCY = sorted(VECTORS.glob("consistency/**/*.json"))
needs_vectors = pytest.mark.skipif(not INCLUSION, reason="../shared/vectors is not here")


def name(path: Path) -> str:
    return str(path.relative_to(VECTORS))


def hashes(values: Sequence[str] | None) -> list[bytes]:
    return [b64decode(value) for value in values or ()]


@needs_vectors
@pytest.mark.parametrize("path", INCLUSION, ids=name)
def test_inclusion_proof_is_judged_as_published(path: Path) -> None:
    case = json.loads(path.read_text())
    arguments = {
        "index": case["leafIdx"],
        "size": case["treeSize"],
        "leaf": b64decode(case["leafHash"]),
        "proof": hashes(case["proof"]),
        "root": b64decode(case["root"] or ""),
    }
    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            verify_inclusion(**arguments)
    else:
        verify_inclusion(**arguments)


@needs_vectors
@pytest.mark.parametrize("path", CONSISTENCY, ids=name)
def test_consistency_proof_is_judged_as_published(path: Path) -> None:
    case = json.loads(path.read_text())
    arguments = {
        "size": case["size1"],
        "root": b64decode(case["root1"] or ""),
        "larger_size": case["size2"],
        "larger_root": b64decode(case["root2"] or ""),
        "proof": hashes(case["proof"]),
    }
    if case["wantErr"]:
        with pytest.raises(ProofInvalid):
            verify_consistency(**arguments)
    else:
        verify_consistency(**arguments)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


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


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


@given(st.lists(st.integers(min_value=0, max_value=40), max_size=8))
def test_tree_grown_in_any_steps_has_the_root_of_its_definition(steps: list[int]) -> None:
    leaves = leaves_of(sum(steps))
    frontier, at = EMPTY, 0
    for step in steps:
        frontier = frontier.extended(leaves[at : at + step])
        at += step

    assert frontier.size == len(leaves)
    assert frontier.root() == root_of(leaves)
    assert Frontier.load(frontier.size, frontier.dump()) == frontier


@given(st.integers(min_value=0, max_value=700), st.integers(min_value=0, max_value=700))
def test_grown_tree_gives_each_perfect_subtree_of_a_tile_height_once(old: int, new: int) -> None:
    leaves = leaves_of(old + new)
    frontier, before = EMPTY.grown(leaves[:old])
    whole, after = frontier.grown(leaves[old:])

    assert whole == EMPTY.extended(leaves)
    for level in range(2):
        width = 1 << level * TILE_HEIGHT
        given_roots = [
            root for step in (before, after) if len(step) > level for root in step[level]
        ]
        assert given_roots == [
            root_of(leaves[at : at + width]) for at in range(0, len(leaves) - width + 1, width)
        ]


def test_proof_longer_than_any_trees_is_refused_before_it_is_followed() -> None:
    proof = [bytes(32)] * (PROOF_HASHES_MAX + 1)

    with pytest.raises(ProofInvalid, match="too long"):
        verify_inclusion(index=0, size=2**63 - 1, leaf=bytes(32), proof=proof, root=bytes(32))
    with pytest.raises(ProofInvalid, match="too long"):
        verify_consistency(
            size=1, root=bytes(32), larger_size=2**63 - 1, larger_root=bytes(32), proof=proof
        )


def test_hash_of_31_bytes_and_an_index_outside_are_refused() -> None:
    leaves = leaves_of(3)
    root = root_of(leaves)
    proof = inclusion(1, leaves)

    for index, size in ((3, 3), (-1, 3), (0, 0), (1, 2**63)):
        with pytest.raises(ProofInvalid, match="not in the tree"):
            verify_inclusion(index=index, size=size, leaf=leaves[1], proof=proof, root=root)
    for leaf, path, head in (
        (leaves[1][:31], proof, root),
        (leaves[1], [proof[0], proof[1][:31]], root),
        (leaves[1], proof, root[:31]),
    ):
        with pytest.raises(ProofInvalid, match="32 bytes"):
            verify_inclusion(index=1, size=3, leaf=leaf, proof=path, root=head)


def test_frontier_of_another_size_is_refused() -> None:
    dumped = EMPTY.extended(leaves_of(5)).dump()

    for size in (0, 4, 7, -1):
        with pytest.raises(ValueError, match="does not fit"):
            Frontier.load(size, dumped)


@given(st.data())
def test_proof_holds_and_any_changed_bit_breaks_it(data: st.DataObject) -> None:
    size = data.draw(st.integers(min_value=2, max_value=70))
    leaves = leaves_of(size)
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    smaller = data.draw(st.integers(min_value=1, max_value=size - 1))
    root = root_of(leaves)
    included = inclusion(index, leaves)
    consistent = consistency(smaller, leaves)

    checks = (
        (
            included,
            partial(verify_inclusion, index=index, size=size, leaf=leaves[index], root=root),
        ),
        (
            consistent,
            partial(
                verify_consistency,
                size=smaller,
                root=root_of(leaves[:smaller]),
                larger_size=size,
                larger_root=root,
            ),
        ),
    )

    for proof, verify in checks:
        verify(proof=proof)
        at = data.draw(st.integers(min_value=0, max_value=len(proof) * 256 - 1))
        broken = list(proof)
        changed = bytearray(broken[at // 256])
        changed[at % 256 // 8] ^= 1 << at % 8
        broken[at // 256] = bytes(changed)
        with pytest.raises(ProofInvalid):
            verify(proof=broken)
