"""Files of whole records: CSV and NDJSON here, Parquet in feed_parquet; columns checked first.

Only columns that are kept leave a reader. A row that cannot be read is given as such, with its
place.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from padan_server.domain.feed import LINE_BYTES_MAX, FeedError, Format, Reason, Rejected
from padan_server.domain.feed import header as feed_header
from padan_server.domain.feed.columns import BIODATA_NAMES
from padan_server.domain.feed.envelope import UNDECODABLE, decode_row

_HEADER_ROWS = 100
"""NDJSON has no header: the names in so many rows together are taken for it."""


SUFFIXES = {
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".parquet": Format.PARQUET,
}


class Row(NamedTuple):
    """A row with its place, and how much of the file is read with it."""

    place: str
    content: Mapping[str, Any] | Rejected
    done: int


class RecordFile(Protocol):
    """An open file of records; `total` is what `done` comes to."""

    total: int

    def rows(self) -> Iterator[Row]:
        """Read the rows, in order."""
        ...


def open_file(path: Path, given: Format | None) -> RecordFile:
    """Open a file and check its columns. Raises FeedError, whose text holds no row."""
    form = given or SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise FeedError(
            f"{path.name} has none of the suffixes {', '.join(SUFFIXES)}: name its --format"
        )
    try:
        match form:
            case Format.CSV:
                return CsvFile(path)
            case Format.NDJSON:
                return NdjsonFile(path)
            case Format.PARQUET:
                # pyarrow comes with an extra, and takes long to import.
                from padan_server.adapters.feed_parquet import ParquetRecords

                return ParquetRecords(path)
    except OSError as error:
        raise FeedError(f"{path.name} cannot be read: {type(error).__name__}") from error


def check_header(path: Path, names: list[str]) -> None:
    """Raise FeedError unless these are the columns of records."""
    fault = feed_header.fault(names)
    if fault is not None:
        raise FeedError(f"{path.name} has the wrong columns. {fault}")


class CsvFile:
    """Comma-separated values in UTF-8, with a header."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.total = path.stat().st_size
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            try:
                header = next(csv.reader(file), [])
            except csv.Error:
                raise FeedError(f"{path.name} has no header that could be read") from None
        check_header(path, header)
        self._names = [name.strip().upper() for name in header]

    def rows(self) -> Iterator[Row]:
        """Read the rows; a place is the line on which a row begins."""
        names, width = self._names, len(self._names)
        with self._path.open("rb") as binary:
            lines = (line.decode("utf-8-sig", "surrogateescape") for line in binary)
            reader = csv.reader(_bounded(lines))
            next(reader)
            while True:
                place = f"line {reader.line_num + 1}"
                try:
                    values = next(reader)
                except StopIteration:
                    return
                except csv.Error:
                    content: Mapping[str, Any] | Rejected = _unfit("it is no row")
                else:
                    if not values:
                        continue
                    if len(values) != width:
                        content = _unfit(f"it has {len(values)} columns, the header {width}")
                    elif not all(map(_is_text, values)):
                        content = _unfit("it is not in UTF-8")
                    else:
                        content = _kept(dict(zip(names, values, strict=True)))
                yield Row(place, content, binary.tell())


class NdjsonFile:
    """A JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.total = path.stat().st_size
        names: dict[str, None] = {}
        for row in islice(self.rows(keep=lambda row: row), _HEADER_ROWS):
            if not isinstance(row.content, Rejected):
                names.update(dict.fromkeys(name.strip().upper() for name in row.content))
        check_header(path, list(names))

    def rows(
        self, keep: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    ) -> Iterator[Row]:
        """Read the rows; a place is a line."""
        kept = keep or _kept
        with self._path.open("rb") as file:
            number = 0
            while line := file.readline(LINE_BYTES_MAX + 1):
                number += 1
                place = f"line {number}"
                if len(line) > LINE_BYTES_MAX:
                    while not line.endswith(b"\n") and (line := file.readline(LINE_BYTES_MAX)):
                        pass
                    content: Mapping[str, Any] | Rejected = Rejected(
                        Reason.LINE_TOO_LONG, f"over {LINE_BYTES_MAX} bytes"
                    )
                elif line.isspace():
                    continue
                else:
                    try:
                        content = kept(decode_row(line))
                    except UNDECODABLE:
                        content = Rejected(Reason.NOT_JSON, f"{len(line)} bytes, no JSON object")
                yield Row(place, content, file.tell())


def _kept(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {upper: value for name, value in row.items() if (upper := name.upper()) in BIODATA_NAMES}


def _unfit(text: str) -> Rejected:
    return Rejected(Reason.VALUE_UNFIT, text)


def _is_text(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value)


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    """Give lines, none longer than a row may be: the rest of a longer one is no row either."""
    for line in lines:
        yield line if len(line) <= LINE_BYTES_MAX else line[:LINE_BYTES_MAX] + "\n"
