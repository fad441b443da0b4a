"""A notary as a process of its own: `python notary_process.py URL DIRECTORY SOCKET`."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

import structlog
import uvloop

from padan_server.adapters.anchor_file import AnchorFile
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.keyring_file import NotaryKeys
from padan_server.adapters.ledger_postgres import LedgerPostgres
from padan_server.domain.ledger import LedgerError
from padan_server.notary.run import run

LOG = "padan.test/log"


async def main(url: str, directory: Path, socket_path: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    store = await LedgerPostgres.connect(url)
    await run(
        log=LOG,
        socket_path=socket_path,
        store=store,
        anchor=AnchorFile(directory / "anchor"),
        keys=NotaryKeys(directory / "keys" / "notary"),
        entropy=SystemEntropy(),
        monotonic=time.monotonic,
        stop=stop,
        ready=lambda: print("ready", flush=True),
    )
    await store.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        uvloop.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
    except LedgerError as error:
        sys.exit(f"{type(error).__name__}: {error}")
