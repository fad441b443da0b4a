"""The client's Merkle tree: the published vectors, a plain definition, broken proofs."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_client.verify.errors import AnotherHistory, NotInTree, Unreadable, VerificationError
from padan_client.verify.merkle import (
    EMPTY_ROOT,
    PROOF_HASHES_MAX,
    leaf_hash,
    peaks,
    root_of_levels,
    verify_consistency,
    verify_inclusion,
)
from tests.support import log_directory as plain

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "merkle"
INCLUSION = sorted(VECTORS.glob("inclusion/**/*.json"))
CONSISTENCY = sorted(VECTORS.glob("consistency/**/*.json"))
needs_vectors = pytest.mark.skipif(not INCLUSION, reason="../shared/vectors is not here")


def name(path: Path) -> str:
    return str(path.relative_to(VECTORS))


def hashes(values: Sequence[str] | None) -> list[bytes]:
    return [b64decode(value) for value in values or ()]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


@needs_vectors
@pytest.mark.parametrize("path", INCLUSION, ids=name)
def test_inclusion_proof_is_judged_as_published(path: Path) -> None:
    case = json.loads(path.read_text())
    verify = partial(
        verify_inclusion,
        index=case["leafIdx"],
        size=case["treeSize"],
        leaf=b64decode(case["leafHash"]),
        proof=hashes(case["proof"]),
        root=b64decode(case["root"] or ""),
        where="it",
    )
    if case["wantErr"]:
        with pytest.raises(VerificationError):
            verify()
    else:
        verify()


@needs_vectors
@pytest.mark.parametrize("path", CONSISTENCY, ids=name)
def test_consistency_proof_is_judged_as_published(path: Path) -> None:
    case = json.loads(path.read_text())
    verify = partial(
        verify_consistency,
        size=case["size1"],
        root=b64decode(case["root1"] or ""),
        larger_size=case["size2"],
        larger_root=b64decode(case["root2"] or ""),
        proof=hashes(case["proof"]),
        where="it",
    )
    if case["wantErr"]:
        with pytest.raises(VerificationError):
            verify()
    else:
        verify()


@given(st.data())
def test_proof_holds_and_any_changed_bit_breaks_it(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 70))
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    smaller = data.draw(st.integers(1, size - 1))
    root, small = plain.root_of(leaves), plain.root_of(leaves[:smaller])
    included = plain.inclusion(index, leaves)
    consistent = plain.consistency(smaller, leaves)
    inclusion = partial(
        verify_inclusion, index=index, size=size, leaf=leaves[index], root=root, where="it"
    )
    consistency = partial(
        verify_consistency,
        size=smaller,
        root=small,
        larger_size=size,
        larger_root=root,
        where="it",
    )
    inclusion(proof=included)
    consistency(proof=consistent)

    with pytest.raises(NotInTree):
        inclusion(proof=_flipped(data, included))
    if consistent:
        with pytest.raises(AnotherHistory):
            consistency(proof=_flipped(data, consistent))
    with pytest.raises(NotInTree):
        inclusion(proof=[*included, root])
    with pytest.raises(NotInTree):
        inclusion(proof=included[:-1])
    with pytest.raises(AnotherHistory):
        consistency(proof=[*consistent, root])
    with pytest.raises(AnotherHistory):
        consistency(proof=consistent[:-1] if consistent else [root])


def _flipped(data: st.DataObject, proof: list[bytes]) -> list[bytes]:
    at = data.draw(st.integers(0, len(proof) * 256 - 1))
    changed = bytearray(b"".join(proof))
    changed[at // 8] ^= 1 << at % 8
    return [bytes(changed[begin : begin + 32]) for begin in range(0, len(changed), 32)]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 511, 513])
def test_root_by_tiles_is_the_root_of_the_definition(size: int) -> None:
    leaves = leaves_of(size)
    full, rest = size // 256, size % 256
    above = [plain.root_of(leaves[at * 256 : (at + 1) * 256]) for at in range(full)]

    assert root_of_levels([leaves[size - rest :], above]) == plain.root_of(leaves)
    assert len(peaks(leaves)) == size.bit_count()


def test_empty_tree_proves_nothing() -> None:
    with pytest.raises(NotInTree):
        verify_inclusion(index=0, size=0, leaf=bytes(32), proof=[], root=EMPTY_ROOT, where="it")
    with pytest.raises(AnotherHistory):
        verify_consistency(
            size=0, root=EMPTY_ROOT, larger_size=1, larger_root=bytes(32), proof=[], where="it"
        )


@pytest.mark.parametrize(("index", "size"), [(1, 1), (2, 1), (-1, 1), (0, 2**63), (2**63, 2**64)])
def test_index_outside_the_tree_is_refused_first(index: int, size: int) -> None:
    with pytest.raises(NotInTree, match="in a tree of"):
        verify_inclusion(
            index=index, size=size, leaf=bytes(31), proof=[], root=bytes(32), where="it"
        )


@pytest.mark.parametrize("length", [0, 31, 33])
def test_hash_of_another_length_is_refused(length: int) -> None:
    short = bytes(length)
    with pytest.raises(Unreadable, match=f"{length} bytes"):
        verify_inclusion(index=0, size=2, leaf=bytes(32), proof=[short], root=short, where="it")
    with pytest.raises(Unreadable, match=f"{length} bytes"):
        verify_consistency(
            size=1, root=bytes(32), larger_size=2, larger_root=short, proof=[], where="it"
        )


def test_endless_proof_is_refused() -> None:
    proof = [bytes(32)] * (PROOF_HASHES_MAX + 2)

    with pytest.raises(NotInTree, match="too long"):
        verify_inclusion(index=0, size=2, leaf=bytes(32), proof=proof, root=bytes(32), where="it")
    with pytest.raises(AnotherHistory, match="too long"):
        verify_consistency(
            size=1, root=bytes(32), larger_size=2, larger_root=bytes(32), proof=proof, where="it"
        )
