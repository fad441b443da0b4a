"""What a reader needs to know of the machine: processor, versions, and what a flush costs."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

FLUSHES = 200
BLOCK = bytes(8192)


def describe(directory: Path) -> dict[str, str]:
    """Tell about the machine, and the file system that holds this directory."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
        "protobuf": version("protobuf"),
        "uvloop": version("uvloop"),
        "file_system": _file_system(directory),
        "flush_us": f"{1e6 * flush_seconds(directory):.0f}",
    }


def flush_seconds(directory: Path) -> float:
    """Measure the median time of writing 8 KiB and flushing it (fdatasync), as commits do."""
    taken = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(FLUSHES):
            started = time.perf_counter()
            os.pwrite(file.fileno(), BLOCK, 0)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _file_system(directory: Path) -> str:
    """Give the type of the file system whose mount point is the longest above a directory."""
    path = directory.resolve()
    best, kind = Path("/"), "unknown"
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, point, found, *_ = line.split()
        mounted = Path(point)
        if path.is_relative_to(mounted) and len(mounted.parts) >= len(best.parts):
            best, kind = mounted, found
    return kind
