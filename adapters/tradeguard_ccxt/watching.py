"""One call of `watch_*`: it ends with news, whatever happens to the socket meanwhile."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard.error_monitor import ErrorSeverity
from tradeguard_ccxt.calls import failed_call, run
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.operations import Circuit, Operation
from tradeguard_ccxt.parts import parts_of, streams_of
from tradeguard_ccxt.polled import as_polled
from tradeguard_ccxt.stream import Stream, StreamQuietError, StreamSilentError
from tradeguard_ccxt.stream_kinds import STREAM_KINDS, Content
from tradeguard_ccxt.stream_mending import Mender
from tradeguard_ccxt.stream_reads import can_be_read, read_state

__all__ = ["unwatch", "watch"]

_NOTHING: Any = object()
"""What came of a step that brought no news."""
_SHORT_PAUSE = 0.25


async def watch(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Return the next news of a stream; a lost or silent socket is dialled again and made up for.

    Raises:
        ccxt.NetworkError: neither the socket nor REST could be had for `stream_deadline`.
        ccxt.BaseError: the exchange refused the subscription.
    """
    guard, streams = parts_of(exchange).guard, streams_of(exchange)
    arguments = dict(_signature(original).bind(exchange, *args, **kwargs).arguments)
    arguments.pop("self", None)
    stream = streams.stream(operation.name, STREAM_KINDS[operation.name], arguments)
    call = functools.partial(original, exchange, *args, **kwargs)
    try:
        return await _Watch(exchange, stream, call, arguments).news()
    except Exception as error:
        final = failed_call(exchange, operation, symbol, error, None)
        guard.monitor.record_error(
            final,
            ErrorSeverity.ERROR,
            guard.component(Circuit.STREAMS),
            {"operation": operation.name, "symbol": symbol},
        )
        if final is error:
            raise
        raise final from final.__cause__


async def unwatch(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """End a subscription as ccxt does, and forget what was delivered of it."""
    arguments = dict(_signature(original).bind(exchange, *args, **kwargs).arguments)
    result = await run(exchange, operation, original, symbol, args, kwargs)
    pairs = arguments.get("symbolsAndTimeframes") or ()
    symbols = [symbol] if symbol is not None else list(arguments.get("symbols") or [s for s, _ in pairs])
    streams_of(exchange).forget(operation.name.removeprefix("un_"), symbols)
    return result


class _Watch:
    def __init__(
        self, exchange: Any, stream: Stream, call: Callable[[], Any], arguments: dict[str, Any]
    ) -> None:
        self._exchange = exchange
        self._stream = stream
        self._call = call
        self._guard, _, self._flavour = parts_of(exchange)
        self._streams = streams_of(exchange)
        self._mender = Mender(exchange, stream, arguments)
        self._error: BaseException | None = None
        self._polls = stream.polls

    async def news(self) -> Any:
        """Return what is new, however long it takes."""
        was_closed = self._exchange.closed_by_user  # a new call opens it again, as with ccxt
        self._stream.callers += 1
        try:
            while True:
                result = await self._step()
                if result is not _NOTHING:
                    return result
                if self._exchange.closed_by_user and not was_closed:
                    raise ccxt.ExchangeClosedByUser(f"{self._guard.exchange_id} was closed by the user")
        finally:
            self._stream.callers -= 1

    async def _step(self) -> Any:
        stream, streams = self._stream, self._streams
        streams.look_after(stream)
        if streams.is_up(stream):
            return await self._listen()
        is_news = stream.client is not None and stream.client is not stream.lost
        if is_news:  # it ended while nobody was waiting
            return await self._broken(ccxt.NetworkError(f"the connection to {stream.client.url} was lost"))
        url = None if stream.client is None else stream.client.url
        wait = streams.redials.remaining(url, streams.now)
        if wait > self._guard.config.poll_interval or not streams.admit(stream):
            return await self._poll()
        if wait > 0:
            try:
                await self._flavour.sleep_async(wait)
            except asyncio.CancelledError:
                streams.give_back(stream)
                raise
            if self._exchange.closed_by_user:
                return _NOTHING
        if url is not None:
            self._guard.tally.add("stream_reconnects")
        return await self._listen()

    # -- by the socket ----------------------------------------------------------------------------------------

    async def _listen(self) -> Any:
        stream, streams = self._stream, self._streams
        self._mender.begin()
        try:
            with streams.listening(stream):
                result = await answer_of(self._call())
        except asyncio.CancelledError:
            if self._is_ours():
                streams.give_back(stream)
                raise
            return await self._on_cancelled_future()
        except StreamQuietError as quiet:
            return await self._look_whether_missed(quiet)
        except Exception as raised:
            error = _meant(raised)
            if error is not None and self._is_healed(error):
                return await self._broken(error)
            streams.give_back(stream)
            if error is None or error is raised:
                raise
            raise error from error.__cause__
        return await self._arrived(result)

    def _is_ours(self) -> bool:
        """Whether this very task is cancelled; another caller's cancellation ends a future that ccxt shares."""
        task = asyncio.current_task()
        return self._exchange.closed_by_user or (task is not None and task.cancelling() > 0)

    async def _on_cancelled_future(self) -> Any:
        client = self._stream.client
        if client is not None and not self._streams.is_up(self._stream):
            return await self._broken(ccxt.NetworkError(f"the connection to {client.url} was closed"))
        await asyncio.sleep(0)
        return _NOTHING

    def _is_healed(self, error: ccxt.BaseError) -> bool:
        """Whether an error of a subscription is one of the way to the exchange, and not the exchange's answer."""
        if isinstance(error, ccxt.OperationFailed):
            return True
        # ccxt tells some ends of a socket, such as a book that cannot be synchronised, by a plain ExchangeError.
        is_lost = self._stream.client is not None and not self._streams.is_up(self._stream)
        return is_lost and type(error) is ccxt.ExchangeError

    async def _arrived(self, result: Any) -> Any:
        stream = self._stream
        if stream.kind.content is Content.BOOK and self._is_late(result):
            return await self._broken(StreamSilentError(f"the books of {stream.method} are out of date"))
        stream.broken_since = None
        if stream.permit is not None:
            self._streams.succeeded(stream)
        if stream.kind.content in (Content.BOOK, Content.STATE):
            stream.is_unverified = False
            return result
        was_whole = not stream.is_unverified
        news = await self._mender.arrived(result)
        return self._unless_empty(news) if was_whole else await self._in_step(news)

    def _is_late(self, book: Any) -> bool:
        """Whether a book was sent so late that it is none of the present, as the exchange's own stamp tells."""
        stamp = book.get("timestamp")
        bound = self._guard.config.silence_limit(self._stream.method)
        if not stamp or bound <= 0:
            return False
        lag = (self._streams.now_ms() - stamp) / 1000
        least = lag if self._stream.least_lag is None else min(lag, self._stream.least_lag)
        self._stream.least_lag = least  # the clocks may differ by as much
        return bool(lag - least > bound)

    async def _look_whether_missed(self, quiet: ccxt.BaseError) -> Any:
        """Ask REST whether a quiet stream kept something back; if so, and it was whole, its socket is no good."""
        stream = self._stream
        if not stream.kind.is_whole:
            return _NOTHING
        async with stream.mending:
            if stream.mended is not None and stream.mended[0] is quiet:  # by another caller
                return self._unless_empty(stream.mended[1])
            is_whole, stream.is_checked = not stream.is_unverified, True
            healed = await self._mender.mended()
            stream.mended = (quiet, healed)
            if healed is not None:
                stream.broken_since = None
                stream.is_new = False
                self._streams.succeeded(stream)
            if healed and is_whole:
                error = StreamSilentError(f"{stream.method} kept something back")
                self._guard.tally.add("stream_watchdog")
                self._lose(error)
                self._streams.failed(stream, error)
        return await self._in_step(healed)

    # -- while the socket is lost -----------------------------------------------------------------------------

    async def _broken(self, error: ccxt.BaseError) -> Any:
        """Take note of a lost socket, and make up for what it kept back, as far as REST tells."""
        stream, lost = self._stream, self._stream.client
        self._error = error
        async with stream.mending:
            mended = None if lost is None else stream.mended
            if mended is not None and mended[0] is lost:  # by another caller
                return self._unless_empty(mended[1])
            if isinstance(error, ccxt.InvalidNonce) and not isinstance(error, ccxt.ChecksumError):
                await self._resync()
            healed = await self._made_up_for(error)
            stream.mended = (lost, healed)
        if healed is not None:
            stream.broken_since = None
            return await self._in_step(healed)
        return await self._poll() if self._is_overdue() else _NOTHING

    async def _made_up_for(self, error: ccxt.BaseError) -> Any:
        stream, streams = self._stream, self._streams
        self._lose(error)
        self._guard.monitor.record_error(
            error,
            ErrorSeverity.WARNING,
            self._guard.component(Circuit.STREAMS),
            {"operation": stream.method, "symbol": stream.symbol, "exchange": self._guard.exchange_id},
        )
        healed = None
        if streams.now - stream.mended_at >= self._guard.config.poll_interval:
            healed = await self._mender.mended()
        if isinstance(error, StreamSilentError) and healed is not None and not healed:
            streams.give_back(stream)  # nothing happened that it could have told
        else:
            streams.failed(stream, error)
        return healed

    def _lose(self, error: ccxt.BaseError) -> None:
        stream = self._stream
        if stream.broken_since is None:
            stream.broken_since = self._streams.now
        stream.lost = stream.client
        stream.losses += 1
        stream.is_unverified, stream.is_checked = True, False
        if self._streams.is_up(stream):
            stream.client.drop(error)
        if stream.kind.content is Content.BOOK:  # what comes next must not be put upon an old book
            for symbol in stream.symbols:
                self._exchange.orderbooks.pop(symbol, None)

    async def _resync(self) -> None:
        try:
            await answer_of(self._exchange.load_time_difference())
        except ccxt.BaseError as error:
            self._error = error

    async def _poll(self) -> Any:
        """Read by REST, not too often, while the socket cannot be had."""
        stream, streams = self._stream, self._streams
        if stream.broken_since is None:
            stream.broken_since = streams.now
        if stream.polls > self._polls:  # by another caller
            self._polls = stream.polls
            return self._unless_empty(stream.polled)
        due = stream.polled_at + self._guard.config.poll_interval - streams.now
        has_rest = can_be_read(self._exchange, stream)
        if due > 0 or not has_rest:
            if not has_rest:
                self._check_deadline()
            pause = due if due > 0 else self._guard.config.poll_interval
            closed_in = self._guard.circuits[Circuit.STREAMS].open_seconds() or _SHORT_PAUSE
            await self._flavour.sleep_async(min(pause, closed_in))
            return _NOTHING
        stream.polled_at = streams.now
        try:
            result = await self._read()
        except ccxt.OperationFailed as error:
            self._error = error
            self._check_deadline()
            return _NOTHING
        self._guard.tally.add("stream_polls")
        stream.broken_since = None
        stream.polled = as_polled(result)
        stream.polls += 1
        self._polls = stream.polls
        return self._unless_empty(stream.polled)

    async def _read(self) -> Any:
        stream = self._stream
        if stream.kind.content in (Content.BOOK, Content.STATE):
            return await read_state(self._exchange, stream, stream.version)
        return await self._mender.polled()

    def _is_overdue(self) -> bool:
        since = self._stream.broken_since
        return since is not None and self._streams.now - since > self._guard.config.stream_deadline

    def _check_deadline(self) -> None:
        if not self._is_overdue():
            return
        self._stream.broken_since = None  # the next call has its own time
        self._streams.give_back(self._stream)
        if isinstance(self._error, ccxt.BaseError):
            raise self._error
        raise ccxt.ExchangeNotAvailable(
            f"{self._guard.exchange_id} {self._stream.method}: no way to the exchange"
        )

    async def _in_step(self, news: Any) -> Any:
        """Return news at the same turn as other callers that waited for them: ccxt counts what is new for all."""
        if self._stream.callers > 1:
            await asyncio.sleep(0)
        return self._unless_empty(news)

    def _unless_empty(self, result: Any) -> Any:
        return result or _NOTHING


def _meant(error: Exception) -> ccxt.BaseError | None:
    """Return the error of ccxt, also where ccxt stumbled over its own feet (a KeyError) while it handled one."""
    told = error if isinstance(error, ccxt.BaseError) else error.__context__
    return told if isinstance(told, ccxt.BaseError) else None


@functools.lru_cache(maxsize=4096)
def _signature(original: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(original)
