"""Who the embedded servers run as.

PostgreSQL refuses to run as root. Where we are root (a container, a CI machine) the servers run as
`nobody`, who owns their files and nothing else.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_UNPRIVILEGED = "nobody"
_OUTPUT_CHARACTERS_MAX = 2_000


class EmbeddedServersError(Exception):
    """A server could not be set up, started or stopped. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """A system account; `uid` is None where we keep our own."""

    uid: int | None
    gid: int | None
    prefix: tuple[str, ...] = ()

    @classmethod
    def for_servers(cls, paths: Iterable[Path]) -> Self:
        """Choose the account that can reach these directories.

        As root, below a directory that only root may enter (a clone in /root), the servers get the
        one capability that lets them pass: no permission on disk is widened.
        """
        if os.geteuid() != 0:
            return cls(uid=None, gid=None)
        entry = pwd.getpwnam(_UNPRIVILEGED)
        closed = [path for path in paths if not _may_enter(path, entry.pw_uid, entry.pw_gid)]
        if not closed:
            return cls(uid=entry.pw_uid, gid=entry.pw_gid)
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise EmbeddedServersError(
                f"PostgreSQL does not run as root, and the account {_UNPRIVILEGED} cannot enter "
                f"{closed[0]}: choose a directory that others may enter (chmod o+x), install "
                "setpriv (util-linux), or run as an ordinary user"
            )
        prefix = (
            setpriv,
            f"--reuid={entry.pw_uid}",
            f"--regid={entry.pw_gid}",
            "--clear-groups",
            "--inh-caps=+dac_read_search",
            "--ambient-caps=+dac_read_search",
        )
        return cls(uid=entry.pw_uid, gid=entry.pw_gid, prefix=prefix)

    def own(self, path: Path) -> None:
        """Give a file or directory to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def directory(self, path: Path) -> Path:
        """Make a directory that only the account may enter; one of another owner is refused."""
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        owners = {os.geteuid(), os.geteuid() if self.uid is None else self.uid}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            raise EmbeddedServersError(f"{path} belongs to someone else: remove it")
        self.own(path)
        path.chmod(0o700)
        return path

    def write(self, path: Path, content: str) -> None:
        """Write a file of the account (mode 0600), whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        self.own(partial)
        partial.replace(path)

    def run(self, *command: str | Path, timeout_seconds: float) -> str:
        """Run a program to its end and give its output.

        Raises EmbeddedServersError, with the end of what it printed, if it fails.
        """
        words = [*self.prefix, *map(str, command)]
        switches = self.uid is not None and not self.prefix
        try:
            done = subprocess.run(  # noqa: S603 - programs of our own wheels
                words,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=timeout_seconds,
                user=self.uid if switches else None,
                group=self.gid if switches else None,
                extra_groups=[] if switches else None,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedServersError(f"{Path(command[0]).name} could not be run") from error
        if done.returncode != 0:
            said = done.stdout[-_OUTPUT_CHARACTERS_MAX:].strip()
            raise EmbeddedServersError(f"{Path(command[0]).name} failed: {said}")
        return done.stdout


def _may_enter(path: Path, uid: int, gid: int) -> bool:
    """Tell whether an account may pass every directory down to this one."""
    for directory in (path, *path.parents):
        if not directory.exists():
            continue
        found = directory.stat()
        if found.st_uid == uid:
            allowed = found.st_mode & stat.S_IXUSR
        elif found.st_gid == gid:
            allowed = found.st_mode & stat.S_IXGRP
        else:
            allowed = found.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True
