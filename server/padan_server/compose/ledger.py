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
from padan_server.domain.entry import SALT_BYTES
from padan_server.domain.ledger import BoundRow
from padan_server.notary.genesis import open_log
from padan_server.operations.drafts import answer_context, personal_context
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
    notary_keys = NotaryKeys(settings.notary_keys)
    secrets = None
    if with_keys:
        keys = WorkerKeys(settings.worker_keys, clock=time.time, entropy=SystemEntropy())
        secrets = _Secrets(keys, notary_keys)
    reader = await LedgerReading.connect(settings.ledger_url)
    try:
        return await ledger_check.check(
            reader,
            anchor=lambda: read_anchor(settings),
            public_key=notary_keys.public_key(),
            secrets=secrets,
            progress=progress,
        )
    finally:
        await reader.close()


def read_anchor(settings: Settings) -> bytes:
    """Read the anchor as it stands."""
    anchor = AnchorFile(settings.anchor)
    try:
        return anchor.read()
    finally:
        anchor.close()


class _Secrets:
    """Opens what is sealed, for the check."""

    def __init__(self, keys: Keys, notary_keys: NotaryKeys) -> None:
        self._keys = keys
        self._notary_keys = notary_keys

    def unseal(self, sealed: bytes, draft_id: bytes) -> bytes:
        return self._keys.unseal(sealed, personal_context(draft_id))

    def unseal_answer(self, row: BoundRow) -> bytes:
        context = answer_context(row.partner, row.request_id)
        return self._keys.unseal(row.sealed_answer, context)[SALT_BYTES:]

    def subject_mac(self, nik: str, epoch: int) -> bytes | None:
        keys = self._notary_keys
        return keys.subject_mac(nik) if epoch == keys.subject_epoch else None
