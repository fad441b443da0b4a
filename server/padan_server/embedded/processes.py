"""Looking at processes by pid: a pid file may outlive its process, and its pid be reused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from padan_server.embedded.account import EmbeddedServersError

_GONE_SECONDS_MAX = 10


def command_line(pid: int) -> str:
    """Give a process's words, joined by spaces; empty if there is no such process."""
    proc = Path("/proc/self/cmdline")
    if proc.exists():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return words.replace(b"\0", b" ").decode(errors="replace").strip()
    return _ps("-o", "command=", "-p", str(pid)).strip()


def pid_in(path: Path) -> int | None:
    """Read the pid on a pid file's first line; None without the file or a number."""
    try:
        return int(path.read_text("utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None


def kill_with_children(pid: int) -> None:
    """Kill -9 a process and its children; returns when they are gone.

    Raises EmbeddedServersError if one stays, PermissionError if it is another account's.
    """
    # It can start no more children once it stands still.
    os.kill(pid, signal.SIGSTOP)
    doomed = [pid, *_children(pid)]
    for each in doomed:
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    give_up = time.monotonic() + _GONE_SECONDS_MAX
    while any(command_line(each) for each in doomed):
        if time.monotonic() > give_up:
            raise EmbeddedServersError("a killed server does not end")
        time.sleep(0.005)


def _children(parent: int) -> list[int]:
    stats = list(Path("/proc").glob("[0-9]*/stat"))
    if stats:
        return [int(path.parent.name) for path in stats if _parent_in(path) == parent]
    listed = _ps("-A", "-o", "pid=,ppid=")
    pairs = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, of in pairs if int(of) == parent]


def _parent_in(stat: Path) -> int | None:
    try:
        # After the name in brackets: the state, then the parent (proc_pid_stat(5)).
        return int(stat.read_bytes().rpartition(b") ")[2].split()[1])
    except OSError:
        return None


def _ps(*options: str) -> str:
    ps = shutil.which("ps")
    if ps is None:
        raise EmbeddedServersError("neither /proc nor ps is here: running servers are not found")
    listed = subprocess.run(  # noqa: S603 - a pid, not text from outside
        [ps, *options], capture_output=True, text=True, check=False
    )
    return listed.stdout
