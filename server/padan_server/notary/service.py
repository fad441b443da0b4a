"""The notary's end of the link: a unix socket that workers and the command line connect to."""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import assert_never, cast

import msgspec
import structlog

from padan_server.domain.draft import Draft, Verdict
from padan_server.domain.ledger import LedgerError
from padan_server.link import (
    Append,
    Control,
    Controlled,
    Frames,
    FromNotary,
    LinkBroken,
    Overloaded,
    Policy,
    Poll,
    Recorded,
    decode_to_notary,
    frame,
)
from padan_server.notary.intake import DraftMalformed, take
from padan_server.notary.queue import ControlItem, Queue

CONNECTIONS_MAX = 256
"""Workers, and a few commands: more is a mistake."""

UNREAD_BYTES_MAX = 64 * 1024 * 1024
"""What a peer may leave unread: four of the longest frames. It resends after reconnecting."""

_CLOSE_SECONDS_MAX = 5.0

_log = structlog.get_logger(__name__)


class SocketTaken(LedgerError):
    """Another notary listens on this socket."""


class Service:
    """Listens, puts what comes into the queue, and sends out what is decided."""

    def __init__(self, path: Path, queue: Queue, policy: Callable[[int], Policy]) -> None:
        self._path = path
        self._queue = queue
        self._policy = policy
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Serve on a socket from `listen_on`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Link(self), sock=listener)

    async def stop(self) -> None:
        """Listen no more; close the links once what was sent is read."""
        self._close()
        for link in tuple(self._links):
            link.close()
        give_up = asyncio.get_running_loop().time() + _CLOSE_SECONDS_MAX
        while self._links and asyncio.get_running_loop().time() < give_up:
            await asyncio.sleep(0.01)
        self.abort()

    def abort(self) -> None:
        """Listen no more; cut the links off."""
        self._close()
        for link in tuple(self._links):
            link.abort()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            self._path.unlink(missing_ok=True)

    def join(self, link: _Link) -> bool:
        """Count a link; False if there are too many."""
        if len(self._links) >= CONNECTIONS_MAX:
            return False
        self._links.add(link)
        return True

    def leave(self, link: _Link) -> None:
        """Forget a link."""
        self._links.discard(link)

    def policy(self, known: int) -> Policy:
        """Answer a poll."""
        return self._policy(known)

    def append(self, link: _Link, message: Append) -> list[Draft]:
        """Queue drafts; give back those for which there is no room. Raises DraftMalformed."""
        items = [take(draft, resent=message.resent, sender=link) for draft in message.drafts]
        return [item.draft for item in self._queue.put(items)]

    def control(self, link: _Link, message: Control) -> None:
        """Queue a control action; its outcome goes to the link."""
        outcome: asyncio.Future[Controlled] = asyncio.get_running_loop().create_future()
        outcome.add_done_callback(link.controlled)
        if not self._queue.put_control(ControlItem(message.action, outcome)):
            outcome.set_result(Controlled(-1, None, "the notary is overloaded or stops"))


class _Link(asyncio.Protocol):
    """One connection. Frames are read as they come; a peer that does not read is cut off."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._frames = Frames()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        own = self._transport = cast("asyncio.Transport", transport)
        if not self._service.join(self):
            _log.warning("too_many_links")
            own.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._service.leave(self)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._serve(body)
        except (LinkBroken, DraftMalformed, msgspec.MsgspecError) as error:
            # The kind of fault alone: a decoder's text may quote what it read.
            fault = str(error) if isinstance(error, DraftMalformed) else type(error).__name__
            _log.error("link_broken", fault=fault)
            self.abort()

    def deliver(self, verdicts: list[Verdict]) -> None:
        """Send verdicts."""
        self._send(Recorded(verdicts))

    def controlled(self, outcome: asyncio.Future[Controlled]) -> None:
        """Send the outcome of a control action."""
        if not outcome.cancelled():
            self._send(outcome.result())

    def close(self) -> None:
        """Close once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Cut off."""
        if self._transport is not None:
            self._transport.abort()

    def _serve(self, body: bytes) -> None:
        message = decode_to_notary(body)
        match message:
            case Append():
                declined = self._service.append(self, message)
                if declined:
                    self._send(Overloaded([draft.draft_id for draft in declined]))
            case Poll():
                self._send(self._service.policy(message.known))
            case Control():
                self._service.control(self, message)
            case _:
                assert_never(message)

    def _send(self, message: FromNotary) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(frame(message))
        if transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            _log.error("link_broken", fault="unread")
            transport.abort()


def listen_on(path: Path) -> tuple[socket.socket, int]:
    """Make the socket (mode 0600), in place of one on which nobody listens any more.

    The second value is a lock that is held until it is closed. Raises SocketTaken.
    """
    lock = os.open(
        path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise SocketTaken(f"another notary serves {path}") from error
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except OSError:
        listener.close()
        os.close(lock)
        raise
    finally:
        os.umask(mask)
    listener.listen(CONNECTIONS_MAX)
    listener.setblocking(False)
    return listener, lock
