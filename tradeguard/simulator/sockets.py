"""Sockets: WebSocket connections on loopback, from the handshake to the last frame. They know no protocol."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Protocol

from aiohttp import WSMsgType, web

__all__ = ["Answer", "Frame", "FrameKind", "Handshake", "Line", "SocketGate", "SocketSession", "serve_socket"]

_PING_SECONDS = 20.0  # as Binance does
_CLOSE_SECONDS = 2.0
# A frame of a reserved kind: every client calls it a protocol error and gives the connection up.
_GARBAGE = b"\xff\x7f" + bytes(range(64, 96))


class FrameKind(Enum):
    """What is done to a connection."""

    TEXT = auto()
    GARBAGE = auto()  # bytes that are no frame
    CLOSE = auto()  # a close frame with `code`
    END = auto()  # the connection ends without a close frame, which clients call 1006
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Frame:
    """One thing to do to a connection.

    Attributes:
        kind: what.
        text: of a TEXT; the reason of a CLOSE.
        code: of a CLOSE.
    """

    kind: FrameKind = FrameKind.TEXT
    text: str = ""
    code: int = 1000


@dataclass(frozen=True, slots=True)
class Handshake:
    """What becomes of a client that wants to connect.

    Attributes:
        status: 101 lets it in; another one refuses it.
        headers: of the refusal.
        hangs: it gets no answer at all.
    """

    status: int = 101
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What follows on a message of the client.

    Attributes:
        send: called once the delay is over; sends what there is to send.
        delay: seconds of exchange time to wait first.
        resume: where given, called after the delay for the answer to go on with.
    """

    send: Callable[[], None] | None = None
    delay: float = 0.0
    resume: Callable[[], Answer] | None = None


class Line:
    """The way out of one connection: frames in, in any thread and without waiting; they leave in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._frames: deque[Frame] = deque()
        self._wake = asyncio.Event()
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """How many frames have not left yet."""
        return len(self._frames)

    def post(self, frames: Iterable[Frame]) -> None:
        """Queue frames; on a closed line they are lost."""
        if self._is_closed:
            return
        self._frames.extend(frames)
        with suppress(RuntimeError):  # the loop has ended meanwhile, and the connection with it
            self._loop.call_soon_threadsafe(self._wake.set)

    def close(self) -> None:
        """Take no more frames."""
        self._is_closed = True
        self._frames.clear()

    async def drain(
        self, ws: web.WebSocketResponse, transport: asyncio.WriteTransport, reset: _Reset
    ) -> None:
        """Do to the connection what is queued, until it is closed."""
        while True:
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                await ws.ping()
                continue
            self._wake.clear()
            while self._frames:
                if not await _do(self._frames.popleft(), ws, transport, reset):
                    self.close()
                    return


class SocketSession(Protocol):
    """One open connection, as its protocol sees it."""

    def received(self, text: str) -> Answer:
        """Take a message of the client."""
        ...

    def closed(self) -> None:
        """Take note that the connection is gone."""
        ...


class SocketGate(Protocol):
    """A protocol that is spoken over sockets."""

    def admit(self, path: str, query: str, address: str) -> Handshake:
        """Decide on a client that wants to connect."""
        ...

    def open(self, path: str, query: str, address: str, line: Line) -> SocketSession:
        """Begin a session with a client that was let in."""
        ...


_Reset = Callable[[asyncio.BaseTransport | None], None]


async def serve_socket(
    request: web.BaseRequest,
    gate: SocketGate,
    sleep: Callable[[float], Awaitable[None]],
    hang: Callable[[web.BaseRequest], Awaitable[None]],
    reset: _Reset,
) -> web.StreamResponse:
    """Serve one client from its handshake to its end.

    Args:
        request: the client's wish to upgrade.
        gate: the protocol.
        sleep: waits for seconds of exchange time.
        hang: waits until the client has gone, or long enough.
        reset: resets a connection.
    """
    path, _, query = request.raw_path.partition("?")
    address = request.remote or ""
    handshake = gate.admit(path, query, address)
    if handshake.hangs:
        await hang(request)
        reset(request.transport)
        return web.Response(status=503)
    if handshake.status != HTTPStatus.SWITCHING_PROTOCOLS:
        return web.Response(status=handshake.status, headers=handshake.headers)
    line = Line(asyncio.get_running_loop())
    # Before the client knows that it is connected: what happens from then on, it will be told.
    session = gate.open(path, query, address, line)
    try:
        return await _converse(request, session, line, sleep, reset)
    finally:
        session.closed()
        line.close()


async def _converse(
    request: web.BaseRequest,
    session: SocketSession,
    line: Line,
    sleep: Callable[[float], Awaitable[None]],
    reset: _Reset,
) -> web.StreamResponse:
    """Complete the handshake, and go on until the client has gone."""
    ws = web.WebSocketResponse(compress=False, timeout=_CLOSE_SECONDS)
    await ws.prepare(request)
    tasks = {asyncio.create_task(_write(line, ws, request.transport, reset))}
    try:
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                _follow(session.received(message.data), sleep, tasks)
    finally:
        for task in tuple(tasks):
            task.cancel()
    return ws


async def _write(
    line: Line, ws: web.WebSocketResponse, transport: asyncio.Transport | None, reset: _Reset
) -> None:
    # The client has gone: the reader sees it as well, and ends the session.
    with suppress(ConnectionError):
        if transport is not None:
            await line.drain(ws, transport, reset)


def _follow(
    answer: Answer, sleep: Callable[[float], Awaitable[None]], tasks: set[asyncio.Task[None]]
) -> None:
    """Send an answer, at once where nothing is to be waited for, so that answers keep their order."""
    if answer.delay <= 0 and answer.resume is None:
        if answer.send is not None:
            answer.send()
        return
    task = asyncio.create_task(_send_late(answer, sleep))
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def _send_late(answer: Answer, sleep: Callable[[float], Awaitable[None]]) -> None:
    while True:
        if answer.delay > 0:
            await sleep(answer.delay)
        if answer.resume is None:
            break
        answer = answer.resume()
    if answer.send is not None:
        answer.send()


async def _do(
    frame: Frame, ws: web.WebSocketResponse, transport: asyncio.WriteTransport, reset: _Reset
) -> bool:
    """Carry out one frame; return whether the connection goes on."""
    match frame.kind:
        case FrameKind.TEXT:
            await ws.send_str(frame.text)
            return True
        case FrameKind.GARBAGE:
            transport.write(_GARBAGE)
            return True
        case FrameKind.CLOSE:
            await ws.close(code=frame.code, message=frame.text.encode())
        case FrameKind.END:
            transport.close()
        case FrameKind.RESET:
            reset(transport)
    return False
