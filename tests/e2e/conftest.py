"""One Padan for all tests that do not break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from padan_client import Client
from tests.support.padan import Padan, padan


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Padan]:
    """Give a Padan with a thousand people; partners are each test's own."""
    with padan(tmp_path_factory.mktemp("padan")) as started:
        yield started


@pytest.fixture(scope="session")
def bank(running: Padan) -> Iterator[Client]:
    """Give the client of a bank that may verify everything."""
    with running.client(running.partner("bank-e2e")) as client:
        yield client
