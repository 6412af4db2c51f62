"""Many feeds on one store: one exchange object, and so one rate limit, one clock and one set of markets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import backtrader as bt
from bt_exchange import ScriptedExchange

from tradeguard.simulator import SimulatedExchange
from tradeguard_backtrader import GuardedStore, ThreadWorkers
from tradeguard_ccxt import GuardedExchange

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]


def bars_of(store: Any, feeds: list[dict[str, Any]]) -> list[int]:
    """Run the feeds side by side and return how many bars each has delivered."""
    cerebro = bt.Cerebro(stdstats=False)
    datas = [store.getdata(dataname="ETH/BTC", **feed) for feed in feeds]
    for number, data in enumerate(datas):
        cerebro.adddata(data, name=f"feed {number}")
    cerebro.addstrategy(bt.Strategy)
    cerebro.run()
    return [len(data) for data in datas]


def test_a_live_feed_asks_once_a_candle_however_many_feeds_there_are(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    seconds = {"timeframe": bt.TimeFrame.Seconds, "history": 5, "bars": 60}
    counts: dict[int, int] = {}
    for feeds in (1, 6):
        scripted.calls.clear()
        assert bars_of(store_of(scripted), [seconds] * feeds) == [65] * feeds
        counts[feeds] = len(scripted.called("fetch_ohlcv"))
    assert counts[1] <= 65
    assert counts[6] <= 6 * counts[1]


def test_the_exchanges_time_is_asked_for_once_for_all_of_them(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    seconds = {"timeframe": bt.TimeFrame.Seconds, "history": 5, "bars": 30}
    bars_of(store_of(scripted), [seconds] * 6)
    assert len(scripted.called("fetch_time")) == 1


def test_a_longer_timeframe_beside_a_short_one_costs_next_to_nothing(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    simulated = simulate()
    exchange = guarded(simulated)
    asked: list[str] = []
    honest = exchange.fetch_ohlcv

    def counting(symbol: str, timeframe: str, *arguments: Any) -> Any:
        asked.append(timeframe)
        return honest(symbol, timeframe, *arguments)

    exchange.fetch_ohlcv = counting
    short = {"timeframe": bt.TimeFrame.Seconds, "history": 5, "bars": 130}
    long = {"timeframe": bt.TimeFrame.Minutes, "history": 2, "bars": 2}
    bars_of(store_of(exchange), [short, long])
    assert asked.count("1m") <= 8
    assert asked.count("1s") <= 140


def test_a_feed_that_has_ended_asks_no_more_and_keeps_nobody_from_waiting(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    """Candles that came after its end made the loop turn without a pause: for ever, on a clock that stands still."""
    seconds = {"timeframe": bt.TimeFrame.Seconds, "history": 1}
    assert bars_of(store_of(scripted), [{**seconds, "bars": 3}, {**seconds, "bars": 30}]) == [4, 31]
    assert len(scripted.called("fetch_ohlcv")) <= 40


def test_threads_keep_to_the_exchanges_rate_limit_together() -> None:
    """Five feeds on five threads, each with pages to fetch: no two requests are closer than the limit allows."""
    with SimulatedExchange(seed=1) as simulated:
        config = simulated.ccxt_config(enableRateLimit=True, rateLimit=100)
        exchange = GuardedExchange("binance", config)
        exchange.load_markets()
        sent: list[float] = []
        honest = exchange.fetch

        def noting(*arguments: Any, **options: Any) -> Any:
            sent.append(time.monotonic())
            return honest(*arguments, **options)

        exchange.fetch = noting
        history = {"timeframe": bt.TimeFrame.Seconds, "history": 60, "historical": True, "page": 10}
        store = GuardedStore(exchange, workers=ThreadWorkers())
        assert bars_of(store, [history] * 5) == [60] * 5
    least = 0.1 * 0.4  # a request for candles has 2 of 5 weights, as ccxt's table says
    assert len(sent) >= 5 * 6
    assert sent[-1] - sent[0] >= (len(sent) - 1) * least * 0.9
