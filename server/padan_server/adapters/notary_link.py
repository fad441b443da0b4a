"""The worker's end of the link to the notary: drafts out, verdicts in, the policy polled.

A draft stays here until its verdict came. After a broken link every such draft is sent again,
marked as resent: the notary finds it by its draft_id, or records it once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import structlog

from padan_server.domain.draft import Draft, Verdict
from padan_server.domain.refusal import Reason, Refusal
from padan_server.link import (
    Append,
    Frames,
    FromNotary,
    LinkBroken,
    Overloaded,
    Policy,
    Poll,
    Recorded,
    ToNotary,
    decode_from_notary,
    frame,
)

WAITING_MAX = 10_000
"""Answers that wait for a verdict; more than the calls a worker admits."""

NOTES_MAX = 2_000
"""Refusals and faults that wait for a verdict; beyond it they are summed up."""

RECONNECT_SECONDS = (0.02, 0.05, 0.1, 0.2)
"""Pauses between attempts to connect; the last one repeats."""

NOTE_AGAIN_SECONDS = 1.0

SWEEP_SECONDS = 0.1

log = structlog.get_logger()


class _Waiting(msgspec.Struct):
    draft: Draft
    verdict: asyncio.Future[Verdict]
    since: float


class NotaryLink:
    """Sends drafts in order, in batches: what one turn of the event loop brings leaves together.

    `timeout_seconds` is how long an answer waits for its verdict before the caller is told
    LEDGER_UNAVAILABLE; `on_policy` gets each answer to a poll.
    """

    def __init__(
        self,
        *,
        path: str,
        timeout_seconds: float,
        poll_seconds: float,
        known_policy: Callable[[], int],
        on_policy: Callable[[Policy], None],
    ) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds
        self._poll_seconds = poll_seconds
        self._known_policy = known_policy
        self._on_policy = on_policy
        self._waiting: dict[bytes, _Waiting] = {}
        self._notes: dict[bytes, Draft] = {}
        self._outgoing: list[Draft] = []
        self._writer: asyncio.StreamWriter | None = None

    async def append(self, draft: Draft) -> Verdict:
        """Record an answer; see ports.Ledger."""
        if len(self._waiting) >= WAITING_MAX:
            raise _unavailable()
        loop = asyncio.get_running_loop()
        verdict: asyncio.Future[Verdict] = loop.create_future()
        self._waiting[draft.draft_id] = _Waiting(draft, verdict, loop.time())
        self._send(draft, loop)
        return await verdict

    def note(self, draft: Draft) -> bool:
        """Record a refusal or fault; see ports.Ledger."""
        if len(self._notes) >= NOTES_MAX:
            return False
        self._notes[draft.draft_id] = draft
        self._send(draft, asyncio.get_running_loop())
        return True

    async def run(self) -> None:
        """Keep the link up, until cancelled."""
        attempt = 0
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep())
            while True:
                try:
                    reader, writer = await asyncio.open_unix_connection(self._path)
                except OSError:
                    pass
                else:
                    if await self._serve(reader, writer):
                        attempt = 0
                await asyncio.sleep(RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)])
                attempt += 1

    async def drain(self, *, seconds: float) -> bool:
        """Wait until nothing waits for a verdict; False if that took too long."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while self._waiting or self._notes:
            if loop.time() >= ends:
                return False
            await asyncio.sleep(0.01)
        return True

    def _send(self, draft: Draft, loop: asyncio.AbstractEventLoop) -> None:
        if not self._outgoing:
            loop.call_soon(self._flush)
        self._outgoing.append(draft)

    def _flush(self) -> None:
        drafts, self._outgoing = self._outgoing, []
        if drafts and self._writer is not None:  # else the next connection sends all that waits
            self._write(Append(drafts, resent=False))

    def _write(self, message: ToNotary) -> None:
        if self._writer is not None:
            self._writer.write(frame(message))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Use a connection until it ends; tells whether the notary ever answered on it."""
        answered = False
        log.info("linked to the notary")
        self._writer = writer
        self._outgoing = []
        unsettled = [w.draft for w in self._waiting.values()] + list(self._notes.values())
        for at in range(0, len(unsettled), 500):
            self._write(Append(unsettled[at : at + 500], resent=True))
        polling = asyncio.create_task(self._poll())
        frames = Frames()
        try:
            while data := await reader.read(262_144):
                for body in frames.feed(data):
                    self._take(decode_from_notary(body))
                    answered = True
        except (OSError, LinkBroken, msgspec.MsgspecError) as error:
            log.warning("the link to the notary broke", error=type(error).__name__)
        finally:
            self._writer = None
            polling.cancel()
            writer.close()
        log.warning("unlinked from the notary", waiting=len(self._waiting))
        return answered

    async def _poll(self) -> None:
        while True:
            self._write(Poll(self._known_policy()))
            await asyncio.sleep(self._poll_seconds)

    def _take(self, message: FromNotary) -> None:
        match message:
            case Recorded():
                for verdict in message.verdicts:
                    self._settle(verdict)
            case Policy():
                self._on_policy(message)
            case Overloaded():
                for draft_id in message.draft_ids:
                    self._fail(draft_id)
                    self._send_later(draft_id)
            case _:
                raise LinkBroken("an answer to nothing that was asked here")

    def _settle(self, verdict: Verdict) -> None:
        waiting = self._waiting.pop(verdict.draft_id, None)
        if waiting is None:
            self._notes.pop(verdict.draft_id, None)
        elif not waiting.verdict.done():
            waiting.verdict.set_result(verdict)

    def _fail(self, draft_id: bytes) -> None:
        waiting = self._waiting.pop(draft_id, None)
        if waiting is not None and not waiting.verdict.done():
            waiting.verdict.set_exception(_unavailable())

    def _send_later(self, draft_id: bytes) -> None:
        """Offer a note again that the notary had no place for."""
        loop = asyncio.get_running_loop()
        note = self._notes.get(draft_id)
        if note is not None:
            loop.call_later(NOTE_AGAIN_SECONDS, self._send, note, loop)

    async def _sweep(self) -> None:
        """Give up on answers that waited too long; a note waits for as long as it takes."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            oldest = loop.time() - self._timeout_seconds
            for draft_id, waiting in list(self._waiting.items()):
                if waiting.since > oldest:
                    break  # they stand in the order in which they came
                if not waiting.verdict.done():  # else the caller has gone: the draft stays
                    self._fail(draft_id)


def _unavailable() -> Refusal:
    return Refusal(
        Reason.LEDGER_UNAVAILABLE, "the ledger cannot record the call", retry_after_seconds=0.5
    )
