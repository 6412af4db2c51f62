"""Public trades as bars: each once, by its id, ascending, through pages, outages and silence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import backtrader as bt
import ccxt
import pandas as pd
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, Log, run

from tradeguard_backtrader import GuardedStore

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
START = datetime(2023, 11, 14, 22, 13, 20)
START_MS = 1_700_000_000_000
TICKS = {"timeframe": bt.TimeFrame.Ticks, "compression": 1}


def fill(exchange: ScriptedExchange, stamps: list[int]) -> None:
    """Have a trade at each of these milliseconds from START, with a price of its own."""
    for number, stamp in enumerate(stamps):
        exchange.trade(START_MS + stamp, price=100.0 + number, amount=1.0 + number % 3)


def told_prices(log: Log) -> list[float]:
    return [bar[4] for bar in log.bars]


def test_the_latest_trades_then_those_that_come(scripted: ScriptedExchange, store_of: Stores) -> None:
    fill(scripted, [-5000, -4000, -3000, -2000, 1500, 1600, 4200])
    log = run(store_of(scripted), history=3, bars=3, **TICKS)
    assert log.told == [
        "DELAYED", "bar 1", "bar 2", "bar 3", "LIVE", "bar 4", "bar 5", "bar 6", "DISCONNECTED", "over",
    ]  # fmt: skip
    assert told_prices(log) == [101.0, 102.0, 103.0, 104.0, 105.0, 106.0]
    stamp, *values = log.bars[3]
    assert abs(stamp - START - timedelta(milliseconds=1500)) < timedelta(microseconds=50)
    assert values == [104.0, 104.0, 104.0, 104.0, 2.0]


def test_pages_of_history_are_complete_with_each_trade_once(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    """Several trades share a millisecond, across the edges of pages too."""
    stamps = sorted([*range(-9000, 0, 37), *range(-9000, 0, 74), -37, -37, -37])
    fill(scripted, stamps)
    scripted.page = 7
    log = run(
        store_of(scripted), fromdate=START - timedelta(seconds=9), historical=True, **TICKS,
    )  # fmt: skip
    assert told_prices(log) == [100.0 + number for number in range(len(stamps))]
    assert log.store == []


@pytest.mark.parametrize("ids", [True, False])
def test_trades_are_told_apart_by_their_ids_or_by_what_they_look_like(
    scripted: ScriptedExchange, store_of: Stores, ids: bool
) -> None:
    for stamp in (-100, -100, -100, -50, 900, 900, 1100):
        scripted.trade(START_MS + stamp, price=5.0, **({} if ids else {"id": None}))
    log = run(store_of(scripted), history=10, bars=3, **TICKS)
    assert len(log.bars) == 7


def test_ids_are_numbers_where_they_can_be_and_decide_the_order(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    for number in (10, 9, 8):
        scripted.trade(START_MS - 100, price=float(number), id=str(number))
    log = run(store_of(scripted), history=3, historical=True, **TICKS)
    assert told_prices(log) == [8.0, 9.0, 10.0]


def test_after_an_outage_every_trade_of_it_comes(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    fill(scripted, list(range(-1000, 60_000, 90)))
    scripted.page = 50
    scripted.fail("fetch_trades", *[None] * 3, *[ccxt.NetworkError("down")] * 6)
    log = run(store_of(scripted), history=5, bars=500, **TICKS)
    assert log.statuses == ["DELAYED", "LIVE", "CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]
    prices = told_prices(log)
    assert prices == [prices[0] + number for number in range(505)]
    assert "gap_filled" in log.kinds()


def test_hours_of_silence_are_stepped_over(scripted: ScriptedExchange, store_of: Stores) -> None:
    """Binance looks an hour beyond `since` and no further."""
    fill(scripted, [-5 * 3_600_000, -1000])
    log = run(store_of(scripted), fromdate=START - timedelta(hours=9), historical=True, **TICKS)
    assert told_prices(log) == [100.0, 101.0]
    assert len(scripted.called("fetch_trades")) < 30


def test_more_trades_in_a_millisecond_than_a_page_holds_are_told_as_a_gap(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    fill(scripted, [-500, *[-400] * 9, -300])
    scripted.page = 5
    scripted.trade(START_MS + 1500, price=120.0)
    log = run(store_of(scripted), fromdate=START - timedelta(seconds=1), bars=1, page=5, **TICKS)
    assert log.kinds() == ["gap"]
    assert told_prices(log) == [100.0, 101.0, 102.0, 103.0, 104.0, 105.0, 110.0, 120.0]


def test_an_exchange_that_only_shows_its_latest_trades_has_its_holes_told(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    scripted.ignores_since = True
    scripted.page = 4
    fill(scripted, [-3000, -2000, *range(1000, 1900, 90), 2500, 3500])
    log = run(store_of(scripted), history=2, bars=6, page=4, **TICKS)
    assert log.kinds() == ["gap"]
    assert told_prices(log) == [100.0, 101.0, 102.0, 108.0, 109.0, 110.0, 111.0, 112.0]


def test_a_malformed_trade_is_asked_for_again_and_then_told(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    fill(scripted, [-3000, -2000, -1000])
    scripted.market_trades[1]["price"] = None
    scripted.trade(START_MS + 1500, price=120.0)
    log = run(store_of(scripted), history=3, bars=1, **TICKS)
    assert told_prices(log) == [100.0, 102.0, 120.0]
    assert log.kinds() == ["gap"]
    mended = ScriptedExchange(scripted.clock)
    fill(mended, [-13000, -12000, -11000])
    honest = [dict(trade) for trade in mended.market_trades]
    mended.fail("fetch_trades", [honest[0], {**honest[1], "amount": float("nan")}, honest[2]])
    assert told_prices(run(store_of(mended), history=3, historical=True, **TICKS)) == [100.0, 101.0, 102.0]


def test_resampled_ticks_are_the_bars_that_a_plain_feed_of_the_same_trades_makes(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    """The trades of a simulated exchange, through ccxt's own class."""
    exchange = guarded(simulate())
    since = START - timedelta(seconds=20)
    ours = seconds_of(
        store_of(exchange).getdata(dataname="ETH/BTC", historical=True, fromdate=since, page=50, **TICKS)
    )
    trades = exchange.fetch_trades("ETH/BTC", START_MS - 20_000, 1000)
    index = pd.to_datetime([trade["timestamp"] for trade in trades], unit="ms")
    prices = {name: [trade["price"] for trade in trades] for name in ("open", "high", "low", "close")}
    frame = pd.DataFrame({**prices, "volume": [trade["amount"] for trade in trades]}, index=index)
    frame = frame[frame.index <= START]
    assert len(frame) > 150
    plain = seconds_of(bt.feeds.PandasData(dataname=frame, openinterest=None, **TICKS))
    assert ours == plain
    assert len(ours) >= 19


def seconds_of(feed: Any) -> list[tuple[Any, ...]]:
    """The bars of a second that Backtrader makes of a feed."""
    bars: list[tuple[Any, ...]] = []

    class Watch(bt.Strategy):
        def next(self) -> None:
            data = self.data
            lines = (data.open, data.high, data.low, data.close, data.volume)
            bars.append((data.datetime.datetime(0), *(line[0] for line in lines)))

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Seconds, compression=1)
    cerebro.addstrategy(Watch)
    cerebro.run()
    return bars


def test_ticks_of_several_trades_are_no_timeframe(scripted: ScriptedExchange, store_of: Stores) -> None:
    log = run(store_of(scripted), timeframe=bt.TimeFrame.Ticks, compression=5)
    assert (log.statuses, log.bars) == (["NOTSUPPORTED_TIMEFRAME"], [])


def test_a_market_where_nobody_has_traded_begins_with_its_first_trade(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    fill(scripted, [5000, 6000])
    log = run(store_of(scripted), history=3, bars=2, **TICKS)
    assert log.told[:3] == ["DELAYED", "LIVE", "bar 1"]
    assert told_prices(log) == [100.0, 101.0]
