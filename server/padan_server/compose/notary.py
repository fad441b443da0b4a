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
from padan_server.domain.ledger import LedgerError
from padan_server.notary.run import run


async def run_notary(settings: Settings) -> None:
    """Be the log's notary until SIGTERM or SIGINT."""
    stop = stopping()
    store = await LedgerPostgres.connect(settings.ledger_url)
    anchor = AnchorFile(settings.anchor)
    serving = asyncio.create_task(
        run(
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
    )
    losing = asyncio.create_task(store.lost())
    try:
        await asyncio.wait([serving, losing], return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            raise LedgerError("the ledger's database ended the connection")
        serving.result()
    finally:
        losing.cancel()
        anchor.close()
        await store.close()
