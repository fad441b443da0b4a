"""Randomness in blocks: the system's bytes, each given once."""

from __future__ import annotations

import os
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.adapters.entropy_system import BLOCK_BYTES, SystemEntropy

SIZES = st.lists(st.sampled_from([0, 1, 10, 12, 16, 32, 100, BLOCK_BYTES]), max_size=60)


@given(SIZES)
def test_each_piece_has_its_size_and_no_byte_of_the_system_is_given_twice(
    sizes: list[int],
) -> None:
    drawn = count()
    with pytest.MonkeyPatch.context() as patch:
        # Four bytes tell where each stands in all that the system ever gave.
        patch.setattr(
            os,
            "urandom",
            lambda size: b"".join(next(drawn).to_bytes(4, "big") for _ in range(size // 4)),
        )
        entropy = SystemEntropy()
        pieces = [entropy(4 * (size // 4)) for size in sizes]
    assert [len(piece) for piece in pieces] == [4 * (size // 4) for size in sizes]
    words = [piece[at : at + 4] for piece in pieces for at in range(0, len(piece), 4)]
    assert len(set(words)) == len(words)


def test_more_than_a_block_comes_from_the_system_at_once() -> None:
    entropy = SystemEntropy()
    assert len(entropy(BLOCK_BYTES + 1)) == BLOCK_BYTES + 1
    assert len(entropy(16)) == 16


def test_two_sources_give_different_bytes() -> None:
    assert SystemEntropy()(16) != SystemEntropy()(16)
