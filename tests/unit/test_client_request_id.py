"""Request ids of the SDK: UUIDv7 in text form."""

from __future__ import annotations

import re
import time
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from padan_client.request_id import new_request_id, uuid7

FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")

milliseconds = st.integers(min_value=0, max_value=(1 << 48) - 1)
randomness = st.binary(min_size=10, max_size=10)


def test_the_example_of_rfc_9562_is_composed_alike() -> None:
    randomness = bytes.fromhex("0cc3 98c4 dc0c 0c07 398f")
    assert (
        uuid7(unix_milliseconds=0x017F22E279B0, randomness=randomness)
        == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
    )


@given(milliseconds, randomness)
def test_every_id_has_the_contracts_form_and_tells_its_time(time_: int, random: bytes) -> None:
    text = uuid7(unix_milliseconds=time_, randomness=random)
    assert FORM.fullmatch(text)
    assert UUID(text).int >> 80 == time_


@given(milliseconds, randomness, randomness)
def test_a_later_id_sorts_after_an_earlier_one(time_: int, one: bytes, other: bytes) -> None:
    later = min(time_ + 1, (1 << 48) - 1)
    first = uuid7(unix_milliseconds=time_, randomness=one)
    second = uuid7(unix_milliseconds=later, randomness=other)
    assert first < second or later == time_


def test_minted_ids_differ_and_carry_the_current_time() -> None:
    before = time.time_ns() // 1_000_000
    ids = [new_request_id() for _ in range(1_000)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == len(ids)
    assert all(before <= UUID(each).int >> 80 <= after for each in ids)
