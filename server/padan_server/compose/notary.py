"""The notary."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from padan_server.adapters.anchor_file import AnchorFile
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.keyring_file import NotaryKeys
from padan_server.adapters.ledger_postgres import LedgerPostgres
from padan_server.compose.process import settle, stopping
from padan_server.config import Settings
from padan_server.notary.run import run


async def run_notary(settings: Settings) -> None:
    """Be the log's notary until SIGTERM or SIGINT, which end the wait for the database too."""
    stop = stopping()
    store = await _connect(settings, stop)
    if store is None:
        return
    anchor = AnchorFile(settings.anchor)
    try:
        await run(
            log=settings.log_origin,
            socket_path=Path(settings.socket),
            store=store,
            anchor=anchor,
            keys=NotaryKeys(settings.notary_keys),
            entropy=SystemEntropy(),
            monotonic=time.monotonic,
            stop=stop,
            ready=settle,
        )
    finally:
        anchor.close()
        await store.close()


async def _connect(settings: Settings, stop: asyncio.Event) -> LedgerPostgres | None:
    """Connect to the ledger's database, waiting for it; None if told to stop meanwhile."""
    connecting = asyncio.create_task(LedgerPostgres.connect(settings.ledger_url))
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait((connecting, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if connecting.done():
        return connecting.result()
    connecting.cancel()
    return None
