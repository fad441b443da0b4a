"""The retry policy: pure arithmetic, so no clock and no server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from padan_client import BudgetSpent, PadanError, ServiceFault, Unauthenticated, Unavailable
from padan_client.retry import RetryPolicy, checked_timeout

POLICY = RetryPolicy(max_attempts=4, backoff_initial_seconds=0.1, backoff_max_seconds=0.3)


def pause(
    error: PadanError, *, attempt: int = 1, remaining: float = 60, random: float = 0
) -> float:
    found = POLICY.pause_after(
        error, attempt=attempt, remaining_seconds=remaining, random=lambda: random
    )
    return -1 if found is None else found


@pytest.mark.parametrize(
    "error", [BudgetSpent(), ServiceFault(), Unauthenticated(), PadanError()], ids=repr
)
def test_only_unavailable_is_tried_again(error: PadanError) -> None:
    assert pause(error) == -1


def test_the_backoff_doubles_up_to_its_bound() -> None:
    unavailable = Unavailable()
    shortest = [pause(unavailable, attempt=attempt) for attempt in (1, 2, 3)]
    longest = [pause(unavailable, attempt=attempt, random=1) for attempt in (1, 2, 3)]
    assert shortest == pytest.approx([0.05, 0.1, 0.15])
    assert longest == pytest.approx([0.1, 0.2, 0.3])


def test_the_last_attempt_is_the_last() -> None:
    assert pause(Unavailable(), attempt=3) > 0
    assert pause(Unavailable(), attempt=4) == -1


def test_there_is_no_attempt_that_the_deadline_leaves_no_time_for() -> None:
    assert pause(Unavailable(), remaining=0.05) == -1
    assert pause(Unavailable(retry_after=timedelta(seconds=2)), remaining=2) == -1


@given(
    asked=st.floats(min_value=0, max_value=30),
    attempt=st.integers(min_value=1, max_value=3),
    random=st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_the_wait_is_never_shorter_than_the_service_asked(
    asked: float, attempt: int, random: float
) -> None:
    error = Unavailable(retry_after=timedelta(seconds=asked))
    waited = pause(error, attempt=attempt, random=random)
    assert timedelta(seconds=asked).total_seconds() < waited <= asked + 0.4


def test_an_attempt_leaves_half_of_the_time_for_those_to_come() -> None:
    assert POLICY.attempt_timeout(1, remaining_seconds=5) == 2.5
    assert POLICY.attempt_timeout(4, remaining_seconds=5) == 5
    assert POLICY.attempt_timeout(4, remaining_seconds=-1) > 0


@pytest.mark.parametrize("attempts", [0, 11])
def test_the_number_of_attempts_has_limits(attempts: int) -> None:
    with pytest.raises(ValueError, match="max_attempts"):
        RetryPolicy(max_attempts=attempts)


@pytest.mark.parametrize("seconds", [0, -1, 121, float("nan"), float("inf")])
def test_the_deadline_has_limits(seconds: float) -> None:
    with pytest.raises(ValueError, match="timeout_seconds"):
        checked_timeout(seconds)
