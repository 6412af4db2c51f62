"""Longer bars made of a feed's own by Backtrader's resampler."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock

from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]
START = datetime(2023, 11, 14, 22, 13, 20)


def longer_bars(cerebro: bt.Cerebro, number: int) -> list[tuple[Any, ...]]:
    """Run and return stamp, open, high, low, close and volume of the bars of data `number`."""
    bars: list[tuple[Any, ...]] = []

    class Watch(bt.Strategy):
        def next(self) -> None:
            data = self.datas[number]
            if len(data) and (not bars or bars[-1][0] != data.datetime.datetime(0)):
                lines = (data.open, data.high, data.low, data.close, data.volume)
                bars.append((data.datetime.datetime(0), *(line[0] for line in lines)))

    cerebro.addstrategy(Watch)
    cerebro.run()
    return bars


def expected(exchange: ScriptedExchange, first: int, count: int, seconds: int) -> list[tuple[Any, ...]]:
    """The bars of `seconds` seconds that the exchange's candles make, the first one closing at START + first."""
    made = []
    for number in range(count):
        close = START + timedelta(seconds=first + number * seconds)
        open_ms = 1_700_000_000_000 + (first + number * seconds - seconds) * 1000
        rows = [exchange.row(open_ms + second * 1000) for second in range(seconds)]
        made.append(
            (close, rows[0][1], max(row[2] for row in rows), min(row[3] for row in rows), rows[-1][4],
             sum(row[5] for row in rows))
        )  # fmt: skip
    return made


@pytest.mark.parametrize("beside", [True, False])
def test_no_candle_is_lost_from_a_longer_bar(
    scripted: ScriptedExchange, store_of: Stores, beside: bool
) -> None:
    """Candles come after the edge of their bar; by the machine's clock the bar would be closed by then."""
    cerebro = bt.Cerebro(stdstats=False)
    feed = store_of(scripted).getdata(dataname="ETH/BTC", history=10, bars=25, **SECOND)
    if beside:
        cerebro.adddata(feed)
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Seconds, compression=5)
    bars = longer_bars(cerebro, 1 if beside else 0)
    assert bars == expected(scripted, -5, 7, 5)


def test_a_gap_does_not_break_the_run(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.skipped = {1_700_000_000_000 + second * 1000 for second in (3, 4, 5)}
    cerebro = bt.Cerebro(stdstats=False)
    feed = store_of(scripted).getdata(dataname="ETH/BTC", history=10, bars=17, **SECOND)
    cerebro.adddata(feed)
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Seconds, compression=5)
    bars = longer_bars(cerebro, 1)
    assert [bar[0] for bar in bars] == [START + timedelta(seconds=second) for second in range(-5, 21, 5)]


def test_the_feed_keeps_asking_for_its_own_timeframe(scripted: ScriptedExchange, store_of: Stores) -> None:
    """The resampler writes its own timeframe over the feed's before it starts."""
    cerebro = bt.Cerebro(stdstats=False)
    feed = store_of(scripted).getdata(dataname="ETH/BTC", history=10, bars=10, **SECOND)
    cerebro.resampledata(feed, timeframe=bt.TimeFrame.Minutes, compression=1)
    longer_bars(cerebro, 0)
    assert {arguments[1] for arguments in scripted.called("fetch_ohlcv")} == {"1s"}


def test_a_copy_under_another_name_reads_the_same_clock(
    scripted: ScriptedExchange, store_of: Stores, clock: EventClock
) -> None:
    cerebro = bt.Cerebro(stdstats=False)
    feed = store_of(scripted).getdata(dataname="ETH/BTC", history=10, bars=5, **SECOND)
    cerebro.adddata(feed)
    copy = feed.copyas("copy")
    cerebro.adddata(copy)
    bars = longer_bars(cerebro, 1)
    assert copy._name == "copy"
    assert copy._timeoffset().total_seconds() == pytest.approx(feed._timeoffset().total_seconds(), abs=1.0)
    assert len(bars) >= 5


def test_replayed_bars_grow_candle_by_candle(scripted: ScriptedExchange, store_of: Stores) -> None:
    seen: list[tuple[int, float]] = []

    class Watch(bt.Strategy):
        def next(self) -> None:
            seen.append((len(self.data), self.data.volume[0]))

    cerebro = bt.Cerebro(stdstats=False)
    feed = store_of(scripted).getdata(dataname="ETH/BTC", history=10, bars=5, **SECOND)
    cerebro.replaydata(feed, timeframe=bt.TimeFrame.Seconds, compression=5)
    cerebro.addstrategy(Watch)
    cerebro.run()
    assert seen[:6] == [(1, 2.0), (1, 4.0), (1, 6.0), (1, 8.0), (1, 10.0), (2, 2.0)]
