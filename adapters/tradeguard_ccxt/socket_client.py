"""ccxt's WebSocket client with what it lacks: it can be given up, it says what it hears, and it dies of no message.

An instance is ccxt's own client whose class was changed after it was made: ccxt has no other way in.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import ccxt

from tradeguard_ccxt.operations import CURRENT, Circuit, Entered, Kind, Operation
from tradeguard_ccxt.request import REQUEST, Request

__all__ = ["Listener", "SocketMixin", "guard_client"]

_RECEIVING = Operation("stream", Kind.READ, Circuit.MARKET_DATA)
_REFUSED = 400


class Listener(Protocol):
    """What wants to know what the sockets hear."""

    def heard(self, client: Any, message_hash: str) -> None:
        """Take note of a message of a subscription."""
        ...

    def resolved(self, message: Any, result: Any) -> None:
        """Take note of what ccxt made of a message."""
        ...


def guard_client(client: Any, exchange: Any, listener: Listener) -> Any:
    """Return ccxt's client as a guarded one."""
    if not isinstance(client, SocketMixin):
        base: Any = type(client)
        client.__class__ = _guarded_class(base)
        client.exchange = exchange
        client.listener = listener
        client.requests = {}
    return client


class SocketMixin:
    """One WebSocket connection, for as long as it lasts.

    Attributes:
        exchange: the guarded instance.
        listener: is told what is heard.
        requests: those that wait for an answer, by message hash.
        is_dropped: it was given up: nothing is sent and nothing heard any more.
        is_counted: its end was taken note of.
    """

    exchange: Any
    listener: Listener
    requests: dict[str, Request]
    is_dropped = False
    is_counted = False
    _dialling: asyncio.Task[None] | None = None
    _is_for_all = False
    _message: Any = None

    # What ccxt's client behind it gives.
    if TYPE_CHECKING:
        connected: Any
        connecting: bool
        connection: Any
        futures: dict[str, Any]
        on_error: Callable[[Any], None]
        open: Callable[[Any, float], Coroutine[Any, Any, None]]
        ping_looper: Any
        url: str

    def connect(self, session: Any, backoff_delay: float = 0) -> Any:
        """Dial, once; what is heard later runs in a context of its own and not in that of the first caller."""
        if not self.connection and not self.connecting:
            self.connecting = True
            context = contextvars.Context()
            context.run(CURRENT.set, Entered(self.exchange, _RECEIVING, _RECEIVING, None, is_nested=True))
            self._dialling = asyncio.get_running_loop().create_task(
                self.open(session, backoff_delay), context=context
            )
        return self.connected

    async def send(self, message: Any) -> Any:
        """Hand a message to the socket; that of a request which was given up meanwhile stays here."""
        request = REQUEST.get()
        if self.is_dropped or (request is not None and request.wire.is_closed):
            return None
        if request is not None:
            request.wire.sent = True
        return await super().send(message)  # type: ignore[misc]

    def resolve(self, result: Any, message_hash: str) -> Any:
        """Hand a message to whoever waits for it."""
        self.listener.heard(self, message_hash)
        self.listener.resolved(self._message, result)
        return super().resolve(result, message_hash)  # type: ignore[misc]

    def reject(self, result: Any, message_hash: str | None = None) -> Any:
        """Hand an error to whoever waits for one message, or for any."""
        if message_hash is None:
            self._is_for_all = True
            try:
                return super().reject(result)  # type: ignore[misc]
            finally:
                self._is_for_all = False
        request = self.requests.get(message_hash)
        if request is not None and self._message is not None and not self._is_for_all:
            request.wire.answered(_status(self._message), {})
        future = self.futures.get(message_hash)
        rejected = super().reject(result, message_hash)  # type: ignore[misc]
        if future is not None and future.done() and not future.cancelled():
            future.exception()  # nobody may be waiting for it, and asyncio would make a noise
        return rejected

    def handle_message(self, message: Any) -> None:
        """Take a frame; one that cannot be read ends the connection, where ccxt would fall silent for good."""
        if self.is_dropped:
            return
        try:
            super().handle_message(message)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the receiving must not just stop
            self.drop(
                ccxt.NetworkError(f"{self.url} sent what cannot be read: {type(error).__name__}: {error}")
            )

    def drop(self, error: ccxt.BaseError) -> None:
        """Give the connection up: whoever waits for it gets `error`, and the next call dials again."""
        if self.is_dropped:
            return
        self.is_dropped = True
        if self._dialling is not None and not self._dialling.done():
            self._dialling.cancel()
        if self.ping_looper:
            self.ping_looper.cancel()
        self.on_error(error)

    async def close(self, code: int = 1000) -> None:
        """Close the connection, one that is still being dialled too."""
        self.is_dropped = True
        if self._dialling is not None and not self._dialling.done():
            self._dialling.cancel()
        await super().close(code)  # type: ignore[misc]

    @contextmanager
    def receiving(self, message: Any) -> Iterator[None]:
        """Take note of the message that is being handled."""
        self._message = message
        try:
            yield
        finally:
            self._message = None


@functools.cache
def _guarded_class(base: type) -> type:
    return type(base.__name__, (SocketMixin, base), {"__module__": __name__, "__doc__": base.__doc__})


def _status(message: Any) -> int:
    """Return the status that an answer names, as Binance's do; another error is one that the exchange answered."""
    status = message.get("status") if isinstance(message, Mapping) else None
    return status if isinstance(status, int) and status >= _REFUSED else _REFUSED
