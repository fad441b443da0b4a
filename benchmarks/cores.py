"""Processes and cores: who runs where, and what processor time they used. Linux only (/proc)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_NAME_END = b") "
# Fields of /proc/PID/stat after the name, counted from 0 (proc_pid_stat(5)).
_PARENT, _FIRST_TIME, _TIMES = 1, 11, 4


class CoresError(Exception):
    """This machine, or the state of its processes, does not allow a fair measurement."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core is whose. On two cores everything but the worker shares the second."""

    worker: int
    load: int
    rest: frozenset[int]

    @classmethod
    def of_machine(cls) -> Cores:
        """Divide the cores that this process may use. Raises CoresError below two."""
        found = sorted(os.sched_getaffinity(0))
        if len(found) < 2:
            raise CoresError("two cores are needed: one for the worker, one for all else")
        return cls(found[0], found[1], frozenset(found[2:] or found[1:]))

    def told(self) -> str:
        """Say who runs where."""
        if self.load in self.rest:
            return (
                f"worker or echo alone on core {self.worker}; load generator, notary, PostgreSQL "
                f"(primary and standby), Valkey and supervisor on core {self.load}"
            )
        rest = ", ".join(map(str, sorted(self.rest)))
        return (
            f"worker or echo alone on core {self.worker}; load generator alone on core "
            f"{self.load}; notary, PostgreSQL (primary and standby), Valkey and supervisor on "
            f"core(s) {rest}"
        )


def pin(pid: int, core: int) -> None:
    """Put all threads of a process on a core; threads they start later stay there too."""
    before: set[int] = set()
    while (threads := _threads(pid)) != before:
        for thread in threads - before:
            os.sched_setaffinity(thread, {core})
        before = threads


def require_pinned(pid: int, core: int) -> None:
    """Raise CoresError unless all threads of a process are on this core alone."""
    for thread in _threads(pid):
        if os.sched_getaffinity(thread) != {core}:
            raise CoresError(f"a thread of process {pid} is not on core {core} alone")


def children(pid: int) -> dict[int, str]:
    """Give the children of a process, each with its command line."""
    found = {}
    for child, fields in _processes().items():
        if fields[_PARENT] == pid:
            words = (_PROC / str(child) / "cmdline").read_bytes()
            found[child] = words.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """Give the processor time of these processes and all below them, ended children included."""
    processes = _processes()
    below: dict[int, list[int]] = {}
    for pid, fields in processes.items():
        below.setdefault(fields[_PARENT], []).append(pid)
    ticks = 0
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in processes:
            raise CoresError(f"process {pid} ended while it was measured")
        # Its own time in user and kernel mode, and that of ended children it has waited for.
        ticks += sum(processes[pid][_FIRST_TIME : _FIRST_TIME + _TIMES])
        waiting += below.get(pid, [])
    return ticks / _TICKS_PER_SECOND


def _threads(pid: int) -> set[int]:
    return {int(thread.name) for thread in (_PROC / str(pid) / "task").iterdir()}


def _processes() -> dict[int, list[int]]:
    """Read the numbers of every process's stat; its state, a letter, is left as 0."""
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            state, *numbers = stat.rpartition(_NAME_END)[2].split()
            assert len(state) == 1
            found[int(entry.name)] = [0, *map(int, numbers)]
    return found
