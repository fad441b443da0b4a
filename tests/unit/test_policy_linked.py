"""The worker's copy of the partners' state: how old it may be."""

from __future__ import annotations

import pytest

from padan_server.adapters.policy_linked import AGE_SECONDS_MAX, LinkedPolicy
from padan_server.domain.refusal import Reason, Refusal
from padan_server.link import Policy
from tests.support.builders import LOG, Clock, partner

BANK_A, BANK_B = partner(partner="bank-a"), partner(partner="bank-b")


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def copy(clock: Clock) -> LinkedPolicy:
    copy = LinkedPolicy(monotonic=clock)
    copy.take(Policy(5, [BANK_A, BANK_B], LOG))
    return copy


def test_a_copy_that_was_never_told_allows_nothing(clock: Clock) -> None:
    untold = LinkedPolicy(monotonic=clock)
    assert not untold.fresh
    assert untold.known() == 0
    with pytest.raises(Refusal) as refused:
        untold.partner("bank-a")
    assert refused.value.reason is Reason.POLICY_UNAVAILABLE


def test_it_tells_each_partner_and_none_that_is_not_there(copy: LinkedPolicy) -> None:
    assert copy.partner("bank-a") == BANK_A
    assert copy.partner("bank-b") == BANK_B
    assert copy.partner("bank-c") is None
    assert (copy.known(), copy.log, copy.fresh) == (5, LOG, True)


def test_a_copy_of_exactly_a_second_is_good(copy: LinkedPolicy, clock: Clock) -> None:
    clock.now += AGE_SECONDS_MAX
    assert copy.partner("bank-a") == BANK_A
    assert copy.fresh


@pytest.mark.parametrize("asked", ["bank-a", "bank-c"])
def test_a_copy_over_a_second_old_refuses_everything_as_a_fault_of_ours(
    copy: LinkedPolicy, clock: Clock, asked: str
) -> None:
    clock.now += AGE_SECONDS_MAX + 0.01
    assert not copy.fresh
    with pytest.raises(Refusal) as refused:
        copy.partner(asked)
    assert refused.value.reason is Reason.POLICY_UNAVAILABLE
    assert refused.value.retry_after_seconds


def test_an_answer_without_changes_makes_the_copy_young_again(
    copy: LinkedPolicy, clock: Clock
) -> None:
    clock.now += 10
    copy.take(Policy(5, [], LOG))
    assert copy.partner("bank-a") == BANK_A


def test_an_answer_changes_the_partners_that_it_names_and_leaves_the_others(
    copy: LinkedPolicy,
) -> None:
    suspended = partner(partner="bank-a", suspended=True)
    copy.take(Policy(6, [suspended], LOG))
    assert copy.partner("bank-a") == suspended
    assert copy.partner("bank-b") == BANK_B
    assert copy.known() == 6
