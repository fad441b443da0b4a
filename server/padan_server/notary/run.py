"""The notary's life: take the log over, serve, commit what comes, finish, end."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from padan_server.domain.draft import Verdict
from padan_server.notary.committer import Committer
from padan_server.notary.intake import Item, Sender
from padan_server.notary.ports import Anchor, Entropy, Monotonic, NotaryKeys, Store
from padan_server.notary.queue import ControlItem, Queue
from padan_server.notary.service import Service, listen_on

HOUSEKEEPING_SECONDS = 3600.0

BUSY_FROM = 4
"""From a batch of this size on, the next one gathers: a commit costs as much as many entries."""

GATHER_SECONDS = 0.002
"""How long: about as long as a commit takes."""


async def run(
    *,
    log: str,
    socket_path: Path,
    store: Store,
    anchor: Anchor,
    keys: NotaryKeys,
    entropy: Entropy,
    monotonic: Monotonic,
    stop: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Be the notary of a log until `stop` is set; then commit what waits, answer and return.

    Raises LedgerError if the log cannot be taken over, and whatever ends a notary: the process is
    then to exit, and a new one to start. Nothing was answered that is not committed and signed.
    """
    listener, lock = listen_on(socket_path)
    try:
        committer = await Committer.take_over(
            log=log, store=store, anchor=anchor, keys=keys, entropy=entropy, monotonic=monotonic
        )
        queue = Queue()
        service = Service(socket_path, queue, committer.policy)
        await service.start(listener)
        ready()
        try:
            await _commit_until(stop, queue, store, committer)
        except BaseException:
            service.abort()
            raise
        await service.stop()
    finally:
        listener.close()
        os.close(lock)


async def _commit_until(
    stop: asyncio.Event, queue: Queue, store: Store, committer: Committer
) -> None:
    watching = asyncio.create_task(_watch(stop, queue, store))
    try:
        while (waiting := await queue.take()) is not None:
            if isinstance(waiting, ControlItem):
                waiting.outcome.set_result(await committer.control(waiting.action))
            elif waiting:
                _deliver(waiting, await committer.commit(waiting))
                if len(waiting) >= BUSY_FROM:
                    await queue.gather(GATHER_SECONDS)
            else:
                await committer.keep_house()
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def _watch(stop: asyncio.Event, queue: Queue, store: Store) -> None:
    """Close the queue when it is time to stop; see to housekeeping until then.

    A lost connection is told by the housekeeping that it brings forward: so an idle notary does
    not wait for the next call to find out.
    """
    stopping = asyncio.create_task(stop.wait())
    losing = asyncio.create_task(store.lost())
    try:
        while not stopping.done():
            await asyncio.wait(
                (stopping, losing) if not losing.done() else (stopping,),
                timeout=HOUSEKEEPING_SECONDS,
                return_when=asyncio.FIRST_COMPLETED,
            )
            queue.nudge()
        queue.close()
    finally:
        stopping.cancel()
        losing.cancel()


def _deliver(items: list[Item], verdicts: dict[bytes, Verdict]) -> None:
    """Send each sender its verdicts in one message."""
    by_sender: dict[Sender, list[Verdict]] = {}
    for item in items:
        by_sender.setdefault(item.sender, []).append(verdicts[item.draft.draft_id])
    for sender, own in by_sender.items():
        sender.deliver(own)
