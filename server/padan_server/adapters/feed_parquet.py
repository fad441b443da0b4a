"""Parquet files of whole records, by pyarrow, which the extra `parquet` installs.

Only columns that are kept are read from the file at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

from padan_server.adapters.feed_files import Row, check_header
from padan_server.domain.feed import FeedError
from padan_server.domain.feed.columns import BIODATA_NAMES

_ROWS = 2_000
"""Rows made into Python values at once."""


class ParquetRecords:
    """A Parquet file with a column for each of SIAK's."""

    def __init__(self, path: Path) -> None:
        try:
            # By name: it publishes no types.
            parquet: Any = import_module("pyarrow.parquet")
            wrong: Any = import_module("pyarrow").ArrowException
        except ModuleNotFoundError:
            raise FeedError(
                "Parquet needs pyarrow, which the extra `parquet` installs: "
                "pip install 'padan-server[parquet]'"
            ) from None
        self._name = path.name
        self._wrong = wrong
        try:
            self._file = parquet.ParquetFile(path)
        except wrong as error:
            raise FeedError(f"{path.name} is no Parquet file") from error
        names: list[str] = list(self._file.schema_arrow.names)
        check_header(path, names)
        self._columns = [name for name in names if name.strip().upper() in BIODATA_NAMES]
        self.total: int = self._file.metadata.num_rows

    def rows(self) -> Iterator[Row]:
        """Read the rows; a place is a row's number, from 1. Raises FeedError."""
        number = 0
        try:
            for batch in self._file.iter_batches(batch_size=_ROWS, columns=self._columns):
                for row in batch.to_pylist():
                    number += 1
                    content = {name.strip().upper(): _plain(value) for name, value in row.items()}
                    yield Row(f"row {number}", content, number)
        except self._wrong as error:
            raise FeedError(f"{self._name} cannot be read after row {number}") from error


def _plain(value: Any) -> Any:
    """Give a value as a feed would have sent it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return value
