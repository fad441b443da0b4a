"""Looking at processes by pid: a pid file may outlive its process, and its pid be reused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from padan_server.embedded.account import EmbeddedServersError


def command_line(pid: int) -> str:
    """Give a process's words, joined by spaces; empty if there is no such process."""
    proc = Path("/proc/self/cmdline")
    if proc.exists():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return words.replace(b"\0", b" ").decode(errors="replace").strip()
    ps = shutil.which("ps")
    if ps is None:
        raise EmbeddedServersError("neither /proc nor ps is here: running servers are not found")
    listed = subprocess.run(  # noqa: S603 - a pid, not text from outside
        [ps, "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()


def pid_in(path: Path) -> int | None:
    """Read the pid on a pid file's first line; None without the file or a number."""
    try:
        return int(path.read_text("utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        return None
