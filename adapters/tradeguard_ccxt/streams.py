"""The streams of one guarded instance: what each listens to, when it was last heard, and how it is doing."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tradeguard.circuit_breaker import CircuitBreakerState
from tradeguard.exceptions import CircuitBreakerOpenError
from tradeguard_ccxt.closed_candles import ClosedCandles
from tradeguard_ccxt.failures import Answer, FailureKind, classify
from tradeguard_ccxt.operations import Circuit
from tradeguard_ccxt.redial import Redials
from tradeguard_ccxt.runtime import ExchangeGuard
from tradeguard_ccxt.stream import LISTENING, Stream, StreamGap, StreamQuietError, StreamSilentError
from tradeguard_ccxt.stream_kinds import StreamKind

__all__ = ["StreamDesk"]

_OF_MANY = "_for_symbols"
_STREAMS_KEPT = 2000
_GAPS_KEPT = 1000
_MOST_PATIENCE = (
    4.0  # how far the bound of a stream grows of which nothing is heard after it was dialled again
)
_CHECKED_AFTER = (
    2.0  # seconds after which a stream that was dialled again is asked for by REST, if nothing comes
)
_TICK = 1.0  # seconds between two looks at the streams that somebody waits for
_TICK_OF_OWN_CLOCK = 0.02  # real seconds; nobody knows how such a clock moves


class StreamDesk:
    """The streams of one instance, and what is known of the addresses that they dial.

    Args:
        exchange: the guarded instance.
        guard: its guard.
    """

    def __init__(self, exchange: Any, guard: ExchangeGuard) -> None:
        self._exchange = exchange
        self._guard = guard
        self.redials = Redials(guard.config.redial)
        self.gaps: deque[StreamGap] = deque(maxlen=_GAPS_KEPT)
        self.closed_candles = ClosedCandles(lambda: guard.exchange_id)
        self._streams: OrderedDict[tuple[str, str], Stream] = OrderedDict()
        self._by_hash: dict[tuple[str, str], set[Stream]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: set[Stream] = set()

    @property
    def now(self) -> float:
        """Monotonic seconds."""
        return self._guard.clock.monotonic()

    def now_ms(self) -> int:
        """Return the exchange's time in epoch milliseconds, as far as we know it."""
        return int(self._exchange.milliseconds() - (self._exchange.options.get("timeDifference") or 0))

    def stream(self, method: str, kind: StreamKind, arguments: Mapping[str, Any]) -> Stream:
        """Return the stream of a call; the same one for each call of the same subscription."""
        named = {name: value for name, value in arguments.items() if name not in ("since", "limit") and value}
        key = (method, repr(sorted(named.items())))
        stream = self._streams.get(key)
        if stream is None:
            stream = self._streams[key] = Stream(method, kind, named, self.now, self.now_ms())
            for old in [k for k, s in self._streams.items() if not s.waiting][
                : len(self._streams) - _STREAMS_KEPT
            ]:
                self._forget(self._streams.pop(old))
        return stream

    # -- sockets ----------------------------------------------------------------------------------------------

    def is_up(self, stream: Stream) -> bool:
        """Whether the stream has a socket that is not known to be lost; it may still be dialled."""
        client = stream.client
        return client is not None and self._exchange.clients.get(client.url) is client and not client.error

    def subscribed(self, stream: Stream, client: Any, hashes: Sequence[str]) -> None:
        """Take note of what a stream listens to."""
        if stream.sockets.get(client.url) is not client:
            stream.sockets[client.url] = client
            stream.heard_at = self.now
            stream.is_new = True
        stream.client = client
        for message_hash in hashes:
            stream.hashes.add((client.url, message_hash))
            self._by_hash.setdefault((client.url, message_hash), set()).add(stream)

    def heard(self, client: Any, message_hash: str) -> None:
        """Take note of a message of a subscription."""
        for stream in self._by_hash.get((client.url, message_hash), ()):
            stream.version += 1
            stream.heard_at = self.now
            stream.fruitless = 0
            if stream.is_new:
                stream.is_new = False
                self.succeeded(stream)
        self.redials.well(client.url)

    def resolved(self, message: Any, result: Any) -> None:
        """Take note of what ccxt made of a message."""
        self.closed_candles.look(message, result)

    def lost(self, client: Any, error: BaseException | None) -> None:
        """Take note of the end of a connection, once."""
        if client.is_counted or self._exchange.closed_by_user:
            return
        client.is_counted = True
        answer = _handshake_answer(error)
        if answer is not None and error is not None:
            failure = classify(error, answer, self._guard.clock.time())
            if failure.kind is FailureKind.BAN:
                seconds = self._guard.config.ban_pause if failure.retry_after is None else failure.retry_after
                self._guard.pauses.pause(seconds, error, *Circuit)
        self.redials.failed(client.url, self.now, retry_after=client.last_retry_after)

    # -- the circuit ------------------------------------------------------------------------------------------

    def admit(self, stream: Stream) -> bool:
        """Whether the stream may dial: the circuit lets it, which keeps the place until something is heard."""
        if self._guard.pauses.remaining(Circuit.STREAMS) > 0:
            return False
        try:
            permit = self._guard.circuits[Circuit.STREAMS].acquire()
        except CircuitBreakerOpenError:
            return False
        self.give_back(stream)
        stream.permit = permit
        return True

    def failed(self, stream: Stream, error: BaseException) -> None:
        """Let an attempt to listen count as failed."""
        permit, stream.permit = stream.permit, None
        breaker = self._guard.circuits[Circuit.STREAMS]
        if permit is None:
            try:
                permit = breaker.acquire()
            except CircuitBreakerOpenError:
                return
        permit.failure(error)

    def give_back(self, stream: Stream) -> None:
        """Let an attempt to listen count for nothing."""
        permit, stream.permit = stream.permit, None
        if permit is not None:
            permit.release()

    def succeeded(self, stream: Stream) -> None:
        """Let an attempt to listen count as one that went well."""
        permit, stream.permit = stream.permit, None
        breaker = self._guard.circuits[Circuit.STREAMS]
        if permit is None and breaker.get_state() is CircuitBreakerState.HALF_OPEN:
            try:
                permit = breaker.acquire()
            except CircuitBreakerOpenError:
                return
        if permit is not None:
            permit.success()

    # -- the watchdog -----------------------------------------------------------------------------------------

    @contextmanager
    def listening(self, stream: Stream) -> Iterator[None]:
        """Look after a stream while somebody waits for it."""
        stream.waiting += 1
        self._waiting.add(stream)
        self._arm()
        token = LISTENING.set(stream)
        try:
            yield
        finally:
            LISTENING.reset(token)
            stream.waiting -= 1
            if not stream.waiting:
                self._waiting.discard(stream)
            if not self._waiting:
                self.stop()

    def look_after(self, stream: Stream) -> None:
        """Drop the socket of a stream that is silent for too long; an account's stream is only to be looked at."""
        client = stream.client
        bound = self._guard.config.silence_limit(stream.method)
        if client is None or bound <= 0 or not self.is_up(stream):
            return
        bound *= min(2.0**stream.fruitless, _MOST_PATIENCE)
        silent = self.now - stream.heard_at
        wants_check = stream.is_unverified and not stream.is_checked and stream.kind.is_whole
        if silent <= (min(bound, _CHECKED_AFTER) if wants_check else bound):
            return
        told = f"{self._guard.exchange_id} {stream.method}: nothing was heard for {silent:.1f} s"
        if wants_check and not client.isConnected and silent <= bound:
            return
        stream.heard_at = self.now
        if (stream.kind.is_private or wants_check) and client.isConnected:
            error = StreamQuietError(told)
            for url, message_hash in list(stream.hashes):
                if url == client.url and message_hash in client.futures:
                    client.futures.pop(message_hash).reject(error)
            return
        stream.fruitless += 1
        self._guard.tally.add("stream_watchdog")
        client.drop(StreamSilentError(told))

    def stop(self) -> None:
        """End the watchdog; it begins again with the next stream that somebody waits for."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Forget every stream."""
        self.stop()
        for stream in self._streams.values():
            self._forget(stream)
        self._streams.clear()

    def forget(self, method: str, symbols: Sequence[str]) -> None:
        """Forget the streams that the caller watches no more.

        Args:
            method: such as `watch_trades`; its form for several symbols is meant as well.
            symbols: those that are watched no more; all of them where none is named.
        """
        for key, stream in list(self._streams.items()):
            is_meant = stream.method.removesuffix(_OF_MANY) == method.removesuffix(_OF_MANY)
            if is_meant and (not symbols or set(symbols) & set(stream.symbols)):
                self._forget(self._streams.pop(key))

    def _arm(self) -> None:
        if self._timer is None:
            tick = _TICK if self._guard.config.clock is None else _TICK_OF_OWN_CLOCK
            self._timer = asyncio.get_running_loop().call_later(tick, self._tick)

    def _tick(self) -> None:
        self._timer = None
        for stream in list(self._waiting):
            self.look_after(stream)
        if self._waiting:
            self._arm()

    def _forget(self, stream: Stream) -> None:
        self.give_back(stream)
        for key in stream.hashes:
            listeners = self._by_hash.get(key)
            if listeners is not None:
                listeners.discard(stream)
                if not listeners:
                    del self._by_hash[key]

    def statistics(self) -> dict[str, Any]:
        """Return how the streams have been doing."""
        names = ("reconnects", "watchdog", "healed", "gaps", "polls")
        counts = self._guard.tally.read(*(f"stream_{name}" for name in names))
        return {name: counts[f"stream_{name}"] for name in names} | {"known": len(self._streams)}


def _handshake_answer(error: BaseException | None) -> Answer | None:
    """Return the HTTP answer by which a connection was refused, or None."""
    cause = error.args[0] if error is not None and error.args else None
    status = getattr(cause, "status", None)
    headers = getattr(cause, "headers", None)
    if not isinstance(status, int):
        return None
    return Answer(status, {} if headers is None else {str(k).lower(): str(v) for k, v in headers.items()})
