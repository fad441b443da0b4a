"""The driver's errors become ours: what may be tried again, and what may not."""

from __future__ import annotations

import psycopg
import pytest

from padan_server.adapters.feed_session import RegistryAway, our_errors
from padan_server.domain.feed import FeedError


def test_a_registry_that_went_away_may_be_tried_again() -> None:
    with pytest.raises(RegistryAway), our_errors():
        raise psycopg.OperationalError


def test_a_batch_that_takes_too_long_is_not_tried_for_ever() -> None:
    with pytest.raises(FeedError) as refused, our_errors():
        raise psycopg.errors.QueryCanceled
    assert not isinstance(refused.value, RegistryAway)
