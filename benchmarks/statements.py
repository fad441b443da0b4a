"""Statements about people, counted by the database itself (pg_stat_statements)."""

from __future__ import annotations

import psycopg

SETTINGS = {"shared_preload_libraries": "pg_stat_statements"}
"""What a server needs to count; ours count only where this is measured."""

# By parameter: this statement must not find itself.
_COUNT = """
    SELECT coalesce(sum(s.calls), 0)::bigint FROM pg_stat_statements AS s
    JOIN pg_database AS d ON d.oid = s.dbid AND d.datname = current_database()
    WHERE s.query ~ %s
"""
_ABOUT_PEOPLE = r"\mperson\M"


def install(registry_url: str) -> None:
    """Make the counts readable, on the primary and so on its standbys."""
    with psycopg.connect(registry_url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


class Statements:
    """The statements on the table of people that one server has run since its start."""

    def __init__(self, url: str) -> None:
        self._url = url

    def count(self) -> int:
        """Count them, whoever sent them."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            row = connection.execute(_COUNT, [_ABOUT_PEOPLE]).fetchone()
        assert row is not None
        return int(row[0])
