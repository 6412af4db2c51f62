"""What a class of ccxt.pro does with its WebSockets, guarded: the choke point of sockets is `watch`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tradeguard_ccxt.async_mixin import AsyncMixin
from tradeguard_ccxt.parts import parts_of, streams_of
from tradeguard_ccxt.request import REQUEST
from tradeguard_ccxt.socket_client import SocketMixin, guard_client
from tradeguard_ccxt.stream import LISTENING
from tradeguard_ccxt.streams import StreamDesk

if TYPE_CHECKING:
    from tradeguard_ccxt.closed_candles import ClosedCandleListener
    from tradeguard_ccxt.config import GuardConfig
    from tradeguard_ccxt.stream import StreamGap

__all__ = ["ProMixin"]


class ProMixin(AsyncMixin):
    """Stands in front of a class of `ccxt.pro`."""

    # What the ccxt class behind it gives.
    if TYPE_CHECKING:
        clients: dict[str, Any]

    _guard_streams: StreamDesk

    def _guard_by(self, exchange_id: str, config: GuardConfig) -> None:
        super()._guard_by(exchange_id, config)  # type: ignore[misc]
        self._guard_streams = StreamDesk(self, parts_of(self).guard)

    def guard_statistics(self) -> dict[str, Any]:
        """Return calls, attempts, retries, fallbacks, failures, limits, circuits, orders and streams."""
        return {**super().guard_statistics(), "streams": streams_of(self).statistics()}  # type: ignore[misc]

    def stream_gaps(self) -> list[StreamGap]:
        """Return what streams lost and REST could not give, oldest first; the newest 1000."""
        return list(streams_of(self).gaps)

    def listen_for_closed_candles(self, listener: ClosedCandleListener) -> Callable[[], None]:
        """Have `listener` told each candle of `watch_ohlcv` that the exchange itself calls closed, as it comes in.

        ccxt tells a candle again and again while it grows and does not say which time is the last. Told are those of
        Binance, Bybit and OKX; of any other exchange nothing is, and a candle is final once the next one has begun.

        Args:
            listener: takes the symbol, the timeframe and the row; called on the event loop's thread, while somebody
                watches. It must not raise, and hands the row on and returns.

        Returns:
            What ends it.
        """
        return streams_of(self).closed_candles.listen(listener)

    # -- what ccxt calls on its way ----------------------------------------------------------------------------

    def client(self, url: str) -> Any:
        """Return the socket of an address."""
        return guard_client(super().client(url), self, streams_of(self))  # type: ignore[misc]

    def watch(
        self,
        url: Any,
        message_hash: Any,
        message: Any = None,
        subscribe_hash: Any = None,
        subscription: Any = None,
    ) -> Any:
        """Subscribe, or send a request, and return the future of what it brings."""
        self._note(url, [message_hash], None)
        future = super().watch(url, message_hash, message, subscribe_hash, subscription)  # type: ignore[misc]
        self._note(url, [message_hash], LISTENING.get())
        return future

    def watch_multiple(
        self,
        url: Any,
        message_hashes: Any,
        message: Any = None,
        subscribe_hashes: Any = None,
        subscription: Any = None,
    ) -> Any:
        """Subscribe to several things and return the future of what comes first."""
        self._note(url, message_hashes, None)
        future = super().watch_multiple(url, message_hashes, message, subscribe_hashes, subscription)  # type: ignore[misc]
        self._note(url, message_hashes, LISTENING.get())
        return future

    def ws_dial_delay(self, url: str) -> float:
        """Return the seconds until an address is dialled again, by our own backoff in the place of ccxt's."""
        desk = streams_of(self)
        return desk.redials.remaining(url, desk.now)

    def handle_message(self, client: Any, message: Any) -> Any:
        """Take a message of a socket."""
        if not isinstance(client, SocketMixin):
            return super().handle_message(client, message)  # type: ignore[misc]
        with client.receiving(message):
            return super().handle_message(client, message)  # type: ignore[misc]

    def on_error(self, client: Any, error: Any) -> None:
        """Take note of a socket that failed."""
        super().on_error(client, error)  # type: ignore[misc]
        if isinstance(client, SocketMixin):
            streams_of(self).lost(client, error)

    def on_close(self, client: Any, error: Any) -> None:
        """Take note of a socket that was closed."""
        super().on_close(client, error)  # type: ignore[misc]
        if isinstance(client, SocketMixin):
            streams_of(self).lost(client, None)

    def on_connected(self, client: Any, message: Any = None) -> None:
        """Take note of a socket that is connected; one that was given up meanwhile is closed."""
        super().on_connected(client, message)  # type: ignore[misc]
        if isinstance(client, SocketMixin) and client.is_dropped:
            asyncio.ensure_future(client.close(1000))  # noqa: RUF006 - ccxt's loop holds it

    async def close(self, *args: Any, **kwargs: Any) -> Any:
        """Close the connections, and end what looks after the streams."""
        if "_guard_streams" in self.__dict__:
            streams_of(self).close()
        return await super().close(*args, **kwargs)

    def _note(self, url: str, message_hashes: Sequence[Any], stream: Any) -> None:
        """Take note of who waits for what: a request before it is sent, a stream once it is subscribed."""
        client = self.client(url)
        request = REQUEST.get()
        if stream is not None:
            streams_of(self).subscribed(stream, client, [str(h) for h in message_hashes])
        elif request is not None and isinstance(client, SocketMixin):
            request.wire.check_signing()
            client.requests.update((str(message_hash), request) for message_hash in message_hashes)
