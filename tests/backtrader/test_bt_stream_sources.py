"""The streams of candles and of trades by themselves: what they keep, what they give, and how long they go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest
from bt_runs import EventClock

from tradeguard_backtrader.awaited_exchange import AwaitedExchange
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.candle_sequence import CandleSequence
from tradeguard_backtrader.feeds.candle_stream import CandleStream
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.timeframes import Timeframe
from tradeguard_backtrader.feeds.trade_sequence import TradeSequence
from tradeguard_backtrader.feeds.trade_stream import TradeStream
from tradeguard_backtrader.loop_thread import LoopThread

SECOND = Timeframe("1s", 1000)
START_MS = 1_700_000_000_000


class Polled(list[Any]):
    """What a guarded exchange read by REST in the place of its socket."""

    is_polled = True


class Scripted:
    """An exchange whose streams say what the test has written, and then nothing more."""

    id = "scripted"

    def __init__(self, *said: Any) -> None:
        self.said = list(said)
        self.asked: list[tuple[Any, ...]] = []
        self.listeners: list[Any] = []
        self.is_done = False

    def listen_for_closed_candles(self, listener: Any) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def watch_ohlcv(self, *arguments: Any) -> Any:
        return await self._say(arguments)

    async def watch_trades(self, *arguments: Any) -> Any:
        return await self._say(arguments)

    async def _say(self, arguments: tuple[Any, ...]) -> Any:
        self.asked.append(arguments)
        if not self.said:
            self.is_done = True
            await asyncio.Event().wait()
        said = self.said.pop(0)
        if isinstance(said, BaseException):
            raise said
        return said


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    thread.start()
    yield thread

    async def nothing() -> None:
        pass

    thread.stop(nothing, 5.0)


def row(second: int, close: float = 1.0) -> list[Any]:
    return [START_MS + second * 1000, 1.0, 2.0, 1.0, close, 5.0]


def candles(exchange: Scripted, loop: LoopThread, clock: EventClock) -> CandleStream:
    config, exchange_time = StoreConfig(retry_pause=1.0, max_retry_pause=3.0), ExchangeTime(clock)
    return CandleStream(AwaitedExchange(exchange, loop), "ETH/BTC", SECOND, config, exchange_time)


def trades(exchange: Scripted, loop: LoopThread, clock: EventClock) -> TradeStream:
    return TradeStream(AwaitedExchange(exchange, loop), "ETH/BTC", StoreConfig(), ExchangeTime(clock))


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.002)


def told(second: int) -> CandleSequence:
    """A sequence of which the candles before `second` were told."""
    sequence = CandleSequence(SECOND, START_MS, page=100, recheck=3)
    sequence.accept([row(each) for each in range(second)], START_MS + second * 1000)
    return sequence


def test_candles_are_given_as_far_as_they_follow(loop: LoopThread, clock: EventClock) -> None:
    exchange = Scripted()
    stream = candles(exchange, loop, clock)
    woken: list[int] = []
    stream.wake = lambda: woken.append(1)
    stream.start()
    (heard,) = exchange.listeners
    for second in (5, 6, 8):
        heard("ETH/BTC", "1s", row(second))
    heard("ETH/BTC", "1m", row(7))
    heard("LTC/BTC", "1s", row(7))
    assert len(woken) == 3
    assert stream.heard_at == clock.monotonic()
    assert stream.take(told(4)) == []
    assert stream.is_ahead(told(4))
    assert stream.take(told(5)) == [row(5), row(6)]
    assert stream.take(told(5)) == []
    assert stream.is_ahead(told(7))
    assert not stream.is_ahead(told(8))
    assert stream.take(told(8)) == [row(8)]
    stream.stop()
    assert exchange.listeners == []


def test_a_candle_that_came_again_goes_with_the_next(loop: LoopThread, clock: EventClock) -> None:
    exchange = Scripted()
    stream = candles(exchange, loop, clock)
    stream.start()
    (heard,) = exchange.listeners
    heard("ETH/BTC", "1s", row(3, close=1.5))
    assert stream.take(told(5)) == []
    heard("ETH/BTC", "1s", row(5))
    assert stream.take(told(5)) == [row(3, close=1.5), row(5)]


def test_the_beginning_of_a_candle_is_no_candle_and_wakes_once(loop: LoopThread, clock: EventClock) -> None:
    exchange = Scripted([row(5)], [row(5, close=1.5)], [row(5, close=1.7), row(6)])
    stream = candles(exchange, loop, clock)
    woken: list[int] = []
    stream.wake = lambda: woken.append(1)
    stream.start()
    until(lambda: exchange.is_done)
    assert (len(woken), stream.shown_ms) == (2, START_MS + 6_000)
    assert stream.take(told(5)) == []
    assert stream.is_ahead(told(5))
    assert not stream.is_ahead(told(6))


def test_what_rest_told_in_the_place_of_the_socket_is_no_sign_of_life(
    loop: LoopThread, clock: EventClock
) -> None:
    exchange = Scripted(Polled([row(5)]))
    stream = candles(exchange, loop, clock)
    stream.start()
    until(lambda: exchange.is_done)
    assert stream.heard_at is None
    assert stream.shown_ms == START_MS + 5_000


def test_a_stream_that_fails_is_watched_again_less_and_less_often(
    loop: LoopThread, clock: EventClock
) -> None:
    exchange = Scripted(*[ccxt.NetworkError("down")] * 4, [row(5)], KeyError("k"))
    stream = candles(exchange, loop, clock)
    stream.start()
    until(lambda: exchange.is_done)
    assert clock.sleeps == [1.0, 2.0, 3.0, 3.0, 1.0]
    assert exchange.asked == [("ETH/BTC", "1s")] * 7


@pytest.mark.parametrize(
    "error", [ccxt.NotSupported("no"), ccxt.BadSymbol("no"), ccxt.AuthenticationError("no")]
)
def test_a_stream_that_is_refused_is_not_asked_for_again(
    loop: LoopThread, clock: EventClock, error: Exception
) -> None:
    exchange = Scripted(error, [row(5)])
    stream = candles(exchange, loop, clock)
    stream.start()
    until(lambda: stream._watching is not None and stream._watching.done())
    assert len(exchange.asked) == 1
    assert clock.sleeps == []


def trade(number: int, millisecond: int | None = None, **fields: Any) -> dict[str, Any]:
    stamp = START_MS + (number if millisecond is None else millisecond)
    return {"id": str(number), "timestamp": stamp, "price": 1.0, "amount": 1.0, "side": "buy", **fields}


def ticks(last: int) -> TradeSequence:
    """A sequence of which the trades up to number `last` were told."""
    sequence = TradeSequence(START_MS, page=100)
    sequence.accept([trade(number) for number in range(1, last + 1)], START_MS + last)
    return sequence


def test_trades_are_given_as_far_as_their_numbers_follow(loop: LoopThread, clock: EventClock) -> None:
    exchange = Scripted([trade(4), trade(5)], [trade(6), trade(8)])
    stream = trades(exchange, loop, clock)
    stream.start()
    until(lambda: exchange.is_done)
    assert stream.take(ticks(2)) == []
    assert stream.is_ahead(ticks(2))
    assert [each["id"] for each in stream.take(ticks(4))] == ["5", "6"]
    assert stream.is_ahead(ticks(6))
    assert not stream.is_ahead(ticks(8))
    assert exchange.asked[0] == ("ETH/BTC",)


def test_trades_whose_ids_are_not_those_of_rest_are_a_reason_to_ask_and_no_more(
    loop: LoopThread, clock: EventClock
) -> None:
    exchange = Scripted([trade(900, 3, id="x-3"), trade(901, 7, id="x-7")])
    stream = trades(exchange, loop, clock)
    stream.start()
    until(lambda: exchange.is_done)
    assert stream.take(ticks(2)) == []
    assert stream.is_ahead(ticks(2))
    assert not stream.is_ahead(ticks(9))  # REST has told what is newer


def test_trades_that_follow_leave_no_gap_however_many_they_are() -> None:
    sequence = ticks(2)
    rows = [trade(number, 10 * number) for number in range(3, 203)]
    batch = sequence.accept(rows, START_MS + 2_100, follows=True)
    assert (len(batch.items), batch.caught_up) == (200, True)
    assert {type(item).__name__ for item in batch.items} == {"Candle"}
    assert sequence.last_number == 202


def test_before_a_first_trade_none_follows(loop: LoopThread, clock: EventClock) -> None:
    exchange = Scripted([trade(1)])
    stream = trades(exchange, loop, clock)
    stream.start()
    until(lambda: exchange.is_done)
    nothing = TradeSequence(START_MS, page=100)
    assert stream.take(nothing) == []
    assert stream.is_ahead(nothing)


def test_binances_trades_are_watched_as_rest_tells_them(loop: LoopThread, clock: EventClock) -> None:
    exchange = Scripted()
    exchange.id = "binance"
    stream = trades(exchange, loop, clock)
    assert stream.silence == StoreConfig().trade_poll
    stream.start()
    until(lambda: exchange.is_done)
    assert exchange.asked == [("ETH/BTC", None, None, {"name": "aggTrade"})]
