"""The opening of a log, and its check."""

from __future__ import annotations

import time
from collections.abc import Callable

from padan_server.adapters.anchor_file import AnchorFile
from padan_server.adapters.entropy_system import SystemEntropy
from padan_server.adapters.keyring_file import NotaryKeys, WorkerKeys
from padan_server.adapters.ledger_postgres import LedgerPostgres
from padan_server.adapters.ledger_reading import LedgerReading
from padan_server.config import Settings
from padan_server.domain import ledger_check
from padan_server.notary.genesis import open_log
from padan_server.operations.drafts import personal_context
from padan_server.ports import Keys


async def open_ledger(settings: Settings) -> None:
    """Open a new log. Raises LedgerError, ValueError or OSError."""
    store = await LedgerPostgres.connect(settings.ledger_url)
    try:
        await open_log(
            settings.log_origin,
            store=store,
            anchor=AnchorFile(settings.anchor),
            keys=NotaryKeys(settings.notary_keys),
        )
    finally:
        await store.close()


async def check(
    settings: Settings, *, with_keys: bool, progress: Callable[[int, int], None]
) -> ledger_check.Report:
    """Check the ledger. Raises LedgerError or KeyringError if it cannot be read."""
    anchor = AnchorFile(settings.anchor).read()  # before the database: the head may move meanwhile
    secrets = None
    if with_keys:
        keys = WorkerKeys(settings.worker_keys, clock=time.time, entropy=SystemEntropy())
        secrets = _Secrets(keys)
    reader = await LedgerReading.connect(settings.ledger_url)
    try:
        return await ledger_check.check(
            reader,
            anchor=anchor,
            public_key=NotaryKeys(settings.notary_keys).public_key(),
            secrets=secrets,
            progress=progress,
        )
    finally:
        await reader.close()


class _Secrets:
    """Opens personal parts for the check."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def unseal(self, sealed: bytes, draft_id: bytes) -> bytes:
        return self._keys.unseal(sealed, personal_context(draft_id))
