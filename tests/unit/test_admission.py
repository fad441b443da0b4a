"""Admission: a bound on the calls under way."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from padan_server.domain.refusal import Reason, Refusal
from padan_server.operations.admission import Admission


def test_calls_beyond_the_bound_are_refused_at_once_and_told_when_to_retry() -> None:
    admission = Admission(calls_max=2)
    with ExitStack() as under_way:
        for _ in range(2):
            under_way.enter_context(admission)
        with pytest.raises(Refusal) as refused, admission:
            pytest.fail("a third call was admitted")
    assert refused.value.reason is Reason.OVERLOADED
    assert refused.value.retry_after_seconds


def test_a_place_is_free_again_when_its_call_ends_however_it_ends() -> None:
    admission = Admission(calls_max=1)
    for error in (None, RuntimeError(), KeyboardInterrupt()):
        try:
            with admission:
                if error is not None:
                    raise error
        except (RuntimeError, KeyboardInterrupt):
            pass
    with admission:
        pass


def test_a_refused_call_takes_no_place() -> None:
    admission = Admission(calls_max=1)
    with admission:
        for _ in range(3):
            with pytest.raises(Refusal), admission:
                pass
    with admission:
        pass
