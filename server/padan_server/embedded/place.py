"""Where the embedded servers of a data directory stand, as the directory itself remembers it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

STANDBYS_MAX = 4
"""Each is a whole copy, and holds two of the primary's ten senders while it is made."""

# The kernel takes 108 bytes (104 on macOS); the longest name here is ".s.PGSQL.5433.lock".
_SOCKET_PATH_BYTES_MAX = 100
_SOCKET_NAME_BYTES_MAX = 20


@dataclass(frozen=True, slots=True)
class Place:
    """The directories of servers, and how many standbys they have."""

    data_dir: Path
    sockets: Path
    standbys: int

    @classmethod
    def of(cls, data_dir: Path, *, standbys: int) -> Self:
        """Give the place of a data directory; it has at least so many standbys.

        Sockets stand where they stood before. Too long a path gets a short one elsewhere.
        """
        data_dir = data_dir.expanduser().resolve()
        remembered = _remembered(data_dir)
        sockets = (
            Path(remembered["sockets"])
            if remembered.get("data_dir") == str(data_dir)
            else _socket_directory(data_dir)
        )
        return cls(data_dir, sockets, max(standbys, remembered.get("standbys", 1)))

    @property
    def logs(self) -> Path:
        """The directory of the servers' logs."""
        return self.data_dir / "logs"

    def remember(self) -> None:
        """Write this down in the data directory."""
        path = _state_file(self.data_dir)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(asdict(self), default=str) + "\n", "utf-8")
        partial.replace(path)


def _state_file(data_dir: Path) -> Path:
    return data_dir / "servers.json"


def _remembered(data_dir: Path) -> dict[str, Any]:
    try:
        found = json.loads(_state_file(data_dir).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _socket_directory(data_dir: Path) -> Path:
    beside = data_dir / "sockets"
    if len(os.fsencode(beside)) + _SOCKET_NAME_BYTES_MAX <= _SOCKET_PATH_BYTES_MAX:
        return beside
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"padan-{name}"
