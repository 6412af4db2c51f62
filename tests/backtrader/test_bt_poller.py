"""The poller by itself: what it asks, when it asks again, and what it tells."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock

from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.candles import Candle
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.feed_events import Answered, Broken, CaughtUp, Ended, UnknownSymbol
from tradeguard_backtrader.feeds.poll_plan import PollPlan
from tradeguard_backtrader.feeds.poller import CandlePoller
from tradeguard_backtrader.feeds.timeframes import Timeframe

SECOND = Timeframe("1s", 1000)
MINUTE = Timeframe("1m", 60_000)
NOW_MS = 1_700_000_000_000


class Told(list[Any]):
    """Everything that a poller told, and how much of it the feed has not taken yet."""

    backlog = 0

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self]


def poller(exchange: Any, clock: EventClock, told: Told, **plan: Any) -> CandlePoller:
    return CandlePoller(
        exchange,
        exchange.load_markets,
        PollPlan(**{"symbol": "ETH/BTC", "timeframe": SECOND, "history": 3, **plan}),
        StoreConfig(),
        ExchangeTime(clock),
        told.append,
        lambda: told.backlog,
    )


def test_it_looks_again_when_the_next_candle_closes(scripted: ScriptedExchange, clock: EventClock) -> None:
    told = Told()
    polled = poller(scripted, clock, told)
    clock.advance(0.25)
    assert polled.step() == pytest.approx(0.75, abs=0.002)
    assert told.kinds() == ["Answered", "Candle", "Candle", "Candle", "CaughtUp"]


def test_a_long_candle_is_looked_at_once_a_minute_all_the_same(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    scripted.timeframes["1h"] = "1h"
    scripted.step_ms = 3_600_000
    polled = poller(scripted, clock, Told(), timeframe=Timeframe("1h", 3_600_000))
    assert polled.step() == 60.0


def test_it_pauses_while_the_loop_has_much_to_take(scripted: ScriptedExchange, clock: EventClock) -> None:
    told = Told()
    told.backlog = 10_000
    polled = poller(scripted, clock, told)
    assert polled.step() == 0.05
    assert scripted.calls == []


def test_after_its_stop_it_asks_for_nothing(scripted: ScriptedExchange, clock: EventClock) -> None:
    polled = poller(scripted, clock, Told())
    polled.stop()
    assert polled.step() is None
    assert scripted.calls == []


def test_a_page_is_as_long_as_the_exchange_gives(scripted: ScriptedExchange, clock: EventClock) -> None:
    poller(scripted, clock, Told()).step()
    scripted.feature_value = lambda symbol, method, name: 720  # type: ignore[assignment,method-assign]
    poller(scripted, clock, Told()).step()
    poller(scripted, clock, Told(), page=50).step()
    assert [arguments[3] for arguments in scripted.called("fetch_ohlcv")] == [500, 720, 50]


def test_a_late_candle_is_looked_for_soon(scripted: ScriptedExchange, clock: EventClock) -> None:
    told = Told()
    polled = poller(scripted, clock, told, timeframe=MINUTE, history=0)
    scripted.step_ms = 60_000
    polled.step()
    clock.advance(60.0)
    scripted.fail("fetch_ohlcv", [])
    assert polled.step() == 3.0
    clock.advance(3.0)
    polled.step()
    assert told.kinds() == ["Answered", "CaughtUp", "Candle", "CaughtUp"]


def test_who_waits_for_a_candle_that_nobody_traded_waits_no_longer_than_the_patience(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    scripted.on["fetch_ohlcv"] = lambda: None
    scripted.fail("fetch_ohlcv", *[[] for _ in range(100)])
    told = Told()
    polled = poller(scripted, clock, told, history=5)
    began = clock.monotonic()
    while not told or not isinstance(told[-1], CaughtUp):
        pause = polled.step()
        assert pause is not None
        clock.advance(pause)
    assert clock.monotonic() - began == pytest.approx(10.0, abs=0.5)


def test_the_end_comes_though_nobody_trades_any_more(scripted: ScriptedExchange, clock: EventClock) -> None:
    scripted.fail("fetch_ohlcv", *[[] for _ in range(200)])
    told = Told()
    polled = poller(scripted, clock, told, to_ms=NOW_MS + 2_000)
    for _ in range(150):
        pause = polled.step()
        if pause is None:
            break
        clock.advance(max(pause, 0.1))
    assert isinstance(told[-1], Ended)
    assert not [event for event in told if isinstance(event, Candle)]


def test_a_time_that_is_no_number_is_a_failure(scripted: ScriptedExchange, clock: EventClock) -> None:
    scripted.fail("fetch_time", {"serverTime": None}, True)
    told = Told()
    polled = poller(scripted, clock, told)
    assert (polled.step(), polled.step()) == (0.5, 1.0)
    assert told.kinds() == ["Broken"]
    polled.step()
    assert isinstance(told[1], Answered)


def test_an_unknown_symbol_is_told_with_those_that_are_known(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    told = Told()
    assert poller(scripted, clock, told, symbol="ETH/BTX").step() is None
    assert told == [UnknownSymbol("ETH/BTX", ("ETH/BTC",))]


def test_the_time_is_asked_for_now_and_then_and_after_each_failure(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    polled = poller(scripted, clock, Told())
    for _ in range(5):
        polled.step()
        clock.advance(1.0)
    assert len(scripted.called("fetch_time")) == 1
    clock.advance(600.0)
    polled.step()
    assert len(scripted.called("fetch_time")) == 2
    scripted.fail("fetch_ohlcv", ccxt.NetworkError("down"))
    polled.step()
    polled.step()
    assert len(scripted.called("fetch_time")) == 3


def test_a_silence_that_outlasts_the_patience_is_noticed_while_it_lasts(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    told = Told()
    polled = poller(scripted, clock, told)
    noticed: list[bool] = []

    def hang() -> None:
        noticed.append(polled.is_silent())
        clock.advance(10.1)
        noticed.append(polled.is_silent())

    scripted.on["fetch_ohlcv"] = hang
    polled.step()
    scripted.on.clear()
    assert noticed == [False, True]
    assert not polled.is_silent()
    assert told.kinds()[0] == "Answered"


def test_a_failure_is_told_once_however_often_it_comes_again(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    error = ccxt.NetworkError("down")
    scripted.fail("fetch_ohlcv", *[error] * 4)
    told = Told()
    polled = poller(scripted, clock, told)
    pauses = [polled.step() for _ in range(4)]
    assert told == [Broken(error)]
    assert pauses == [0.5, 1.0, 2.0, 4.0]
