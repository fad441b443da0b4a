"""The HTTP/2 (RFC 9113) that a client needs for unary gRPC calls, and no more.

A general client costs more processor time per call than the server under test. Here one call is
two frames out, from parts made ahead, and three frames in, whose header blocks are looked up.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from struct import Struct
from time import perf_counter
from typing import cast

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
PUSH_PROMISE, CONTINUATION = 5, 9
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
PRIORITY = 0x20

HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 1, 3, 4

WINDOW_DEFAULT = 65_535
WINDOW_MAX = 2**31 - 1
"""What we let the server send in all: 600 s of answers, so that it never waits for a credit."""

FRAME_BYTES_MAX = 16_384
HEADER_TABLE_BYTES = 4_096

HEAD_BYTES = 9
_HEAD = Struct(">HBBBI")
_PREFIX = Struct(">BI")
_SETTING = Struct(">HI")
_NUMBER = Struct(">I")


class ProtocolError(Exception):
    """The server spoke HTTP/2 in a way that this client does not, or ended the connection."""


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Write a frame (RFC 9113 section 4.1)."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def grpc_message(message: bytes) -> bytes:
    """Put gRPC's length prefix before an uncompressed message."""
    return _PREFIX.pack(0, len(message)) + message


def message_of(data: bytes) -> bytes | None:
    """Take the message out of a call's data; None unless it is exactly one, uncompressed."""
    if len(data) < _PREFIX.size:
        return None
    compressed, size = _PREFIX.unpack_from(data)
    if compressed or size != len(data) - _PREFIX.size:
        return None
    return data[_PREFIX.size :]


def leaves_table(block: bytes) -> bool:
    """Tell whether a header block leaves the table of headers as it is (RFC 7541 section 6)."""
    at = 0
    while at < len(block):
        first = block[at]
        if first & 0x80:  # an entry of the table
            _, at = _integer(block, at, 7)
            continue
        if first & 0x60:  # a header to add to the table, or the table's new size
            return False
        index, at = _integer(block, at, 4)
        for _ in range(1 if index else 2):  # the value; before it the name, if it has no index
            size, at = _integer(block, at, 7)
            at += size
    return True


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Read an integer with a prefix of so many bits (section 5.1); give it and what follows."""
    limit = (1 << bits) - 1
    value = block[at] & limit
    at += 1
    if value < limit:
        return value, at
    for shift in range(0, 28, 7):
        if at == len(block):
            break
        value += (block[at] & 0x7F) << shift
        at += 1
        if not block[at - 1] & 0x80:
            return value, at
    raise ProtocolError("a header block cannot be read")


class ResponseHeaders:
    """Reads a server's header blocks, in the order in which they come.

    A block means the same until one changes the table, so the few that recur are decoded once.
    """

    _KNOWN_MAX = 1_000

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=64 * 1024)
        self._known: dict[bytes, dict[str, str]] = {}

    def read(self, block: bytes) -> dict[str, str]:
        """Give the block's headers. Raises ProtocolError."""
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            headers = {str(name): str(value) for name, value in self._decoder.decode(block)}
        except hpack.HPACKError as error:
            raise ProtocolError("a header block cannot be read") from error
        if not leaves_table(block) or len(self._known) == self._KNOWN_MAX:
            self._known.clear()
        else:
            self._known[block] = headers
        return headers


class Exchange:
    """Calls to make, in order, by any number of connections, and what came of each.

    `calls` are messages with gRPC's prefix, at most FRAME_BYTES_MAX each. No call begins at or
    after `deadline` (perf_counter). Lists are by call number; `ended` is 0 for a call that was not
    answered.
    """

    def __init__(self, calls: list[bytes], *, deadline: float) -> None:
        assert max(map(len, calls), default=0) <= FRAME_BYTES_MAX
        self.calls = calls
        self.deadline = deadline
        self.begun = 0
        self.started = [0.0] * len(calls)
        self.ended = [0.0] * len(calls)
        self.answers = [b""] * len(calls)
        self.failures: Counter[str] = Counter()
        self.failed: set[int] = set()

    @property
    def exhausted(self) -> bool:
        """Tell whether every call was begun."""
        return self.begun == len(self.calls)

    def fail(self, call: int, why: str) -> None:
        """Note that a call ended without an answer."""
        self.failed.add(call)
        self.failures[why] += 1


class Connection(asyncio.Protocol):
    """One connection, which keeps a number of calls of an exchange in flight.

    `headers` go with every call. Any trouble with the connection ends the exchange.
    """

    def __init__(self, headers: list[tuple[str, str]]) -> None:
        encoder = hpack.Encoder()
        # The first block puts all headers into the server's table; the later ones name them, as
        # an ordinary client's do.
        self._block = encoder.encode(headers)
        self._later = encoder.encode(headers)
        if not leaves_table(self._later):
            raise ProtocolError("the headers do not fit the server's table")
        self._received = ResponseHeaders()
        self._rest = b""
        self._window = WINDOW_DEFAULT
        self._stream = 1
        self._open: dict[int, int] = {}
        self._owed = 0
        self._exchange = Exchange([], deadline=0.0)
        self._done: asyncio.Future[None] | None = None
        self._error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the server."""
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(
            PREFACE
            + frame(SETTINGS, 0, 0, _SETTING.pack(INITIAL_WINDOW_SIZE, WINDOW_MAX))
            + frame(WINDOW_UPDATE, 0, 0, _NUMBER.pack(WINDOW_MAX - WINDOW_DEFAULT))
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """End the exchange."""
        self._fail(ProtocolError("the server closed the connection"))

    def run(self, exchange: Exchange, *, in_flight: int) -> asyncio.Future[None]:
        """Make calls of an exchange; the future ends when none is left or time is up."""
        assert not self._open
        self._done = asyncio.get_running_loop().create_future()
        if self._error is not None:
            self._done.set_exception(self._error)
            return self._done
        self._exchange = exchange
        self._owed = in_flight
        out: list[bytes] = []
        self._begin(out)
        self._transport.write(b"".join(out))
        self._end_if_done()
        return self._done

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Read whole frames; begin a call for each that ended."""
        out: list[bytes] = []
        try:
            self._read(self._rest + data if self._rest else data, out)
        except ProtocolError as error:
            self._fail(error)
            self._transport.abort()
            return
        if self._owed:
            self._begin(out)
        if out:
            self._transport.write(b"".join(out))
        if not self._open:
            self._end_if_done()

    def _read(self, data: bytes, out: list[bytes]) -> None:
        now = perf_counter()
        answers = self._exchange.answers
        at, size = 0, len(data)
        while size - at >= HEAD_BYTES:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            end = at + HEAD_BYTES + (high << 8 | low)
            if end > size:
                break
            payload = data[at + HEAD_BYTES : end]
            at = end
            if kind == DATA:
                call = self._open.get(stream)
                if call is None or flags & PADDED:
                    raise ProtocolError("data came that was not asked for, or padded")
                answers[call] += payload
                if flags & END_STREAM:
                    self._ended(stream, "no status", now)
            elif kind == HEADERS:
                if not flags & END_HEADERS or flags & (PADDED | PRIORITY):
                    raise ProtocolError("a header block came in parts, padded or with a priority")
                headers = self._received.read(payload)
                if flags & END_STREAM:
                    status = headers.get("grpc-status", "no status")
                    if status != "0":
                        status = f"{status} {headers.get('grpc-message', '')}"
                    self._ended(stream, status, now)
            else:
                self._control(kind, flags, stream, payload, out)
        self._rest = data[at:]

    def _ended(self, stream: int, status: str, now: float) -> None:
        call = self._open.pop(stream, None)
        if call is None:
            raise ProtocolError("an answer came to no call")
        self._owed += 1
        if status == "0":
            self._exchange.ended[call] = now
        else:
            self._exchange.fail(call, status)

    def _control(
        self, kind: int, flags: int, stream: int, payload: bytes, out: list[bytes]
    ) -> None:
        """Act on the frames that are not part of an answer; there are few of them."""
        if kind == SETTINGS and not flags & ACK:
            self._settings(payload)
            out.append(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            out.append(frame(PING, ACK, 0, payload))
        elif kind == WINDOW_UPDATE and stream == 0:
            self._window += _NUMBER.unpack(payload)[0]
        elif kind == RST_STREAM:
            self._ended(stream, f"reset {_NUMBER.unpack(payload)[0]}", perf_counter())
        elif kind == GOAWAY:
            raise ProtocolError(f"the server went away: {payload[8:].decode(errors='replace')}")
        elif kind in (PUSH_PROMISE, CONTINUATION):
            raise ProtocolError(f"a frame of kind {kind} came")

    def _settings(self, payload: bytes) -> None:
        for name, value in _SETTING.iter_unpack(payload):
            if (
                (name == HEADER_TABLE_SIZE and value < HEADER_TABLE_BYTES)
                or (name == MAX_CONCURRENT_STREAMS and value < self._owed + len(self._open))
                or (name == INITIAL_WINDOW_SIZE and value < FRAME_BYTES_MAX)
            ):
                raise ProtocolError(f"the server allows too little: setting {name} is {value}")

    def _begin(self, out: list[bytes]) -> None:
        """Begin as many calls as are owed, while there are calls, time and window."""
        exchange = self._exchange
        now = perf_counter()
        if now >= exchange.deadline:
            return
        calls, started, number = exchange.calls, exchange.started, exchange.begun
        while self._owed and number < len(calls):
            message = calls[number]
            size = len(message)
            if size > self._window:
                break
            self._window -= size
            stream, self._stream = self._stream, self._stream + 2
            self._open[stream] = number
            started[number] = now
            number += 1
            out.append(frame(HEADERS, END_HEADERS, stream, self._block))
            out.append(frame(DATA, END_STREAM, stream, message))
            self._block = self._later
            self._owed -= 1
        exchange.begun = number

    def _end_if_done(self) -> None:
        exchange = self._exchange
        if self._open or self._done is None or self._done.done():
            return
        if exchange.exhausted or perf_counter() >= exchange.deadline:
            self._done.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)
