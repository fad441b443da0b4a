"""A session at the registry's primary for feeds and loads, and how its errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from padan_server.domain.feed import FeedError
from padan_server.domain.region import Region, RegionTable

_CONNECT_SECONDS_MAX = 5
_STATEMENT_SECONDS_MAX = 60
"""A batch takes less than a second; what waits longer waits for a lock."""


_OPTIONS = f"-c statement_timeout={_STATEMENT_SECONDS_MAX * 1000} -c jit=off"
"""Compiling the plans of a batch takes longer than running them."""


class RegistryAway(FeedError):
    """The registry cannot be reached just now; the same may be tried again."""


def connect(url: str, application: str) -> psycopg.Connection[Any]:
    """Connect, in autocommit. Raises RegistryAway; FeedError if the URL is none."""
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=_CONNECT_SECONDS_MAX,
            application_name=application,
            prepare_threshold=None,
            options=_OPTIONS,
        )
    except psycopg.OperationalError as error:
        raise RegistryAway("the registry cannot be reached") from error
    except psycopg.ProgrammingError as error:
        raise FeedError("the registry's URL cannot be read: postgresql://...") from error


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn the driver's errors into ours: its text may quote what it carried."""
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        # Not away: the same batch would take as long again.
        raise FeedError(f"the registry took over {_STATEMENT_SECONDS_MAX} s for a batch") from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise RegistryAway("the registry went away") from error
    except psycopg.errors.UndefinedTable as error:
        raise FeedError(
            "the registry's schema is older than this release: padan-server registry init"
        ) from error
    except psycopg.Error as error:
        raise FeedError(f"the registry refused: {type(error).__name__}") from error


def regions(connection: psycopg.Connection[Any]) -> RegionTable:
    """Give the regions that this release or this registry knows."""
    with our_errors():
        rows = connection.execute(
            "SELECT code, level, name, first_edition, last_edition, successors FROM region"
        ).fetchall()
    table = RegionTable.published()
    return RegionTable(
        [
            *(
                Region(code, level, name, first, last, tuple(successors or ()), (), "")
                for code, level, name, first, last, successors in rows
            ),
            *(
                region
                for level in ("province", "regency", "district")
                for region in (*table.current(level), *table.retired(level))
            ),
        ]
    )
