"""What the benchmarks' commands share: a directory to work in, and how they end."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from rich.console import Console

from benchmarks.children import MeasurementError
from benchmarks.cores import CoresError
from benchmarks.http2 import ProtocolError
from benchmarks.ledger import LedgerError
from padan_client import PadanError
from padan_server.demo.installation import InstallationError
from padan_server.embedded.account import EmbeddedServersError

WIDTH_MIN = 120

out = Console(highlight=False)
out.width = max(out.width, WIDTH_MIN)
progress = Console(stderr=True, highlight=False)

_KNOWN = (
    *(CoresError, EmbeddedServersError, InstallationError, LedgerError, MeasurementError),
    *(OSError, PadanError, ProtocolError, psycopg.Error),
)


@contextmanager
def ending() -> Iterator[None]:
    """End on SIGTERM as on Ctrl-C; an error of a known kind is one line and exit code 1."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    try:
        yield
    except _KNOWN as error:
        progress.print(f"[red]error[/red] {type(error).__name__}: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit("stopped")


@contextmanager
def working_directory(part: str = "") -> Iterator[Path]:
    """Give a directory on a disk: below PADAN_BENCH_DIR, which is kept, or one that is removed."""
    kept = os.environ.get("PADAN_BENCH_DIR")
    if kept:
        directory = Path(kept) / part
        directory.mkdir(parents=True, exist_ok=True)
        yield directory
        return
    # /tmp is often memory, where a flush costs nothing.
    made = tempfile.mkdtemp(
        prefix="padan-bench-", dir="/var/tmp" if os.access("/var/tmp", os.W_OK) else None
    )
    try:
        yield Path(made)
    finally:
        shutil.rmtree(made, ignore_errors=True)
