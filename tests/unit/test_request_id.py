"""Request ids: the time in a UUIDv7 bounds how long it can be used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_server.domain.refusal import Reason, Refusal
from padan_server.domain.request_id import FUTURE_SECONDS, LIFETIME_SECONDS, check_time, time_of
from tests.support.builders import NOW, request_id


@given(st.integers(0, 2**48 - 1))
def test_the_time_of_an_id_is_its_first_48_bits_in_milliseconds(milliseconds: int) -> None:
    time = f"{milliseconds:012x}"
    assert time_of(f"{time[:8]}-{time[8:]}-7abc-8def-0123456789ab") == milliseconds / 1000


@pytest.mark.parametrize("age", [0, 1, LIFETIME_SECONDS, -1, -FUTURE_SECONDS])
def test_an_id_is_good_for_72_hours_and_from_a_clock_five_minutes_ahead(age: float) -> None:
    check_time(request_id(NOW - age), NOW)


@pytest.mark.parametrize(
    "age", [LIFETIME_SECONDS + 0.001, 2 * LIFETIME_SECONDS, NOW, -FUTURE_SECONDS - 0.001, -1e9]
)
def test_an_id_is_refused_as_expired_before_and_after(age: float) -> None:
    with pytest.raises(Refusal) as refused:
        check_time(request_id(NOW - age), NOW)
    assert refused.value.reason is Reason.REQUEST_ID_EXPIRED
    assert request_id(NOW - age) not in refused.value.text
