"""The server: real HTTP on loopback, in a thread with an event loop of its own. It knows no protocol."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from aiohttp import web

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.sockets import SocketGate, serve_socket
from tradeguard.simulator.wire import Delivery, HttpReply, HttpRequest, Manner

__all__ = ["LocalServer"]

_T = TypeVar("_T")
_TICK_SECONDS = 0.01
_HANG_CHECK_SECONDS = 0.05
_RESET = struct.pack("ii", 1, 0)


class LocalServer:
    """Serves `respond` until it is stopped.

    Args:
        respond: what to do with a request; called in the server's thread.
        sleep: waits for seconds of exchange time.
        is_outage_over: asked every 10 ms of real time in the server's thread; it is plugged in once it says so.
        host: loopback address.
        port: 0 chooses a free one, once and for all.
        hang_seconds: real seconds after which even a hung connection is closed.
        gate: what is spoken over WebSockets.
        tick: called every 10 ms of real time in the server's thread.
    """

    def __init__(
        self,
        respond: Callable[[HttpRequest], Delivery],
        sleep: Callable[[float], Awaitable[None]],
        is_outage_over: Callable[[], bool],
        host: str,
        port: int,
        hang_seconds: float,
        gate: SocketGate,
        tick: Callable[[], None],
    ) -> None:
        self._gate = gate
        self._tick = tick
        self._respond = respond
        self._sleep = sleep
        self._is_outage_over = is_outage_over
        self._host = host
        self._port = port
        self._hang_seconds = hang_seconds
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._web: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._placeholder: socket.socket | None = None
        self._ending: asyncio.Event | None = None

    @property
    def port(self) -> int:
        """The port, or 0 before the first start."""
        return self._port

    @property
    def is_running(self) -> bool:
        """Whether the thread runs, plugged in or not."""
        return self._thread is not None

    def start(self) -> None:
        """Bind the port and serve.

        Raises:
            ConfigurationException: the port cannot be bound.
        """
        if self._thread is not None:
            return
        bound = self._bind()
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(bound, started), name=f"simulated-exchange-{self._port}", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            bound.close()
            raise

    def stop(self) -> None:
        """Close every connection, free the port and end the thread."""
        thread, loop, ending = self._thread, self._loop, self._ending
        if thread is None or loop is None or ending is None:
            return
        loop.call_soon_threadsafe(ending.set)
        thread.join()
        self._thread = self._loop = self._ending = None

    def unplug(self) -> None:
        """Stop listening and reset all connections, so that clients are refused; the port stays ours."""
        self._call(self._unplug())

    def plug_in(self) -> None:
        """Listen again."""
        self._call(self._plug_in())

    def _call(self, work: Coroutine[Any, Any, _T]) -> _T:
        loop = self._loop
        if loop is None:
            work.close()
            raise ConfigurationException("the simulated exchange is not running", component="simulator")
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((self._host, self._port))
        except OSError as error:
            bound.close()
            message = f"port: {self._port} on {self._host} cannot be bound: {error.strerror or error}"
            raise ConfigurationException(message, component="simulator") from error
        self._port = bound.getsockname()[1]
        bound.setblocking(False)
        return bound

    def _run(self, bound: socket.socket, started: Future[None]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve(bound, started))
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    async def _serve(self, bound: socket.socket, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        self._web = web.Server(self._handle, access_log=None, keepalive_timeout=75)
        self._listener = await self._loop.create_server(self._web, sock=bound, backlog=512)
        ticking = asyncio.create_task(self._keep_ticking())
        started.set_result(None)
        try:
            await self._ending.wait()
        finally:
            ticking.cancel()
            await self._close_listener()
            self._reset_all()
            await self._web.shutdown(0)
            if self._placeholder is not None:
                self._placeholder.close()
                self._placeholder = None

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self._is_outage_over():
                await self._plug_in()
            self._tick()

    async def _unplug(self) -> None:
        if self._listener is None:
            return
        await self._close_listener()
        self._reset_all()
        # Bound but not listening: connections are refused, and nobody else can take the port meanwhile.
        self._placeholder = self._bind()

    async def _plug_in(self) -> None:
        if self._placeholder is None or self._web is None:
            return
        bound, self._placeholder = self._placeholder, None
        self._listener = await asyncio.get_running_loop().create_server(self._web, sock=bound, backlog=512)

    async def _close_listener(self) -> None:
        if self._listener is not None:
            listener, self._listener = self._listener, None
            listener.close()

    def _reset_all(self) -> None:
        if self._web is not None:
            for connection in self._web.connections:
                _reset(connection.transport)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await serve_socket(request, self._gate, self._sleep, self._hang, _reset)
        delivery = self._respond(await _received(request))
        if delivery.delay > 0:
            await self._sleep(delivery.delay)
        if delivery.resume is not None:
            delivery = delivery.resume()
        if delivery.manner is Manner.HANG:
            await self._hang(request)
        if delivery.manner is not Manner.ANSWER or delivery.reply is None:
            _reset(request.transport)
            return web.Response(status=500)
        return _response(delivery.reply)

    async def _hang(self, request: web.BaseRequest) -> None:
        """Wait until the client has gone, or the bound is reached."""
        checks = int(self._hang_seconds / _HANG_CHECK_SECONDS)
        for _ in range(max(1, checks)):
            if request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(_HANG_CHECK_SECONDS)


async def _received(request: web.BaseRequest) -> HttpRequest:
    path, _, query = request.raw_path.partition("?")
    body = await request.read() if request.body_exists else b""
    return HttpRequest(
        method=request.method,
        path=path,
        query=query,
        body=body.decode("utf-8", "replace"),
        headers={name.lower(): value for name, value in request.headers.items()},
        address=request.remote or "",
    )


def _response(reply: HttpReply) -> web.Response:
    return web.Response(
        status=reply.status,
        body=reply.body,
        headers={"Content-Type": reply.content_type, **reply.headers},
    )


def _reset(transport: asyncio.BaseTransport | None) -> None:
    """Close a connection so that the other side sees a reset rather than an orderly end."""
    if not isinstance(transport, asyncio.WriteTransport) or transport.is_closing():
        return
    connected = transport.get_extra_info("socket")
    if connected is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
