"""Whatever Backtrader does with a feed, it does with ours what it does with a plain one of the same bars.

Days and longer bars are the exception, and tested beside this: Backtrader counts the last candle of a day, which closes
at midnight, to the next one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pandas as pd
import pytest
from bt_exchange import ScriptedExchange

from tradeguard_backtrader import GuardedStore
from tradeguard_backtrader.feeds.timeframes import supported_timeframe

Stores = Callable[..., GuardedStore]
START = dt.datetime(2023, 11, 14, 22, 13, 20)
START_MS = 1_700_000_000_000
HISTORY = 400  # candles of five minutes: some 33 hours, over the end of a day
MINUTES = {"timeframe": bt.TimeFrame.Minutes, "compression": 5}


class India(dt.tzinfo):
    """Five and a half hours ahead, all year."""

    def utcoffset(self, _: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(hours=5, minutes=30)

    def dst(self, _: dt.datetime | None) -> dt.timedelta:
        return dt.timedelta(0)

    def localize(self, moment: dt.datetime) -> dt.datetime:
        return moment.replace(tzinfo=self)


class Watch(bt.Strategy):
    """Writes every bar of every data down, with an indicator of it, and trades."""

    params = (("log", None),)

    def __init__(self) -> None:
        self.averages = [bt.indicators.SMA(data.close, period=2) for data in self.datas]

    def next(self) -> None:
        for number, (data, average) in enumerate(zip(self.datas, self.averages, strict=True)):
            lines = (data.open, data.high, data.low, data.close, data.volume, average)
            bar = (number, len(data), data.datetime.datetime(0), *(line[0] for line in lines))
            self.p.log.append(bar)
        if len(self) % 7 == 0:
            self.close() if self.position else self.buy(size=1)

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            self.p.log.append(("trade", trade.pnl, trade.barlen))


def watched(feed: Any, add: Callable[[bt.Cerebro, Any], object], **cerebro: Any) -> list[Any]:
    log: list[Any] = []
    env = bt.Cerebro(stdstats=False, **cerebro)
    add(env, feed)
    env.addstrategy(Watch, log=log)
    env.run()
    return log


def exchange_of(exchange: ScriptedExchange) -> ScriptedExchange:
    exchange.step_ms = 300_000
    exchange.timeframes["5m"] = "5m"
    exchange.page = 37
    return exchange


def plain_feed(exchange: ScriptedExchange, last_ms: int, **params: Any) -> Any:
    """A PandasData of the candles that our feed delivers."""
    first = (last_ms // 300_000 - HISTORY) * 300_000
    rows = [exchange.row(first + index * 300_000) for index in range(HISTORY)]
    frame = pd.DataFrame(
        [row[1:] for row in rows],
        columns=["open", "high", "low", "close", "volume"],
        index=pd.to_datetime([row[0] + 300_000 for row in rows], unit="ms"),
    )
    return bt.feeds.PandasData(dataname=frame, openinterest=None, **MINUTES, **params)


def alone(env: bt.Cerebro, feed: Any) -> None:
    env.adddata(feed)


def resampled(timeframe: int, compression: int, **options: Any) -> Callable[[bt.Cerebro, Any], None]:
    def add(env: bt.Cerebro, feed: Any) -> None:
        env.resampledata(feed, timeframe=timeframe, compression=compression, **options)

    return add


def beside(env: bt.Cerebro, feed: Any) -> None:
    env.adddata(feed)
    env.resampledata(feed, timeframe=bt.TimeFrame.Minutes, compression=30)
    env.resampledata(feed, timeframe=bt.TimeFrame.Minutes, compression=10)


def replayed(env: bt.Cerebro, feed: Any) -> None:
    env.replaydata(feed, timeframe=bt.TimeFrame.Minutes, compression=60)


WAYS = {
    "alone": alone,
    "resampled": resampled(bt.TimeFrame.Minutes, 15),
    "resampled to the left edge": resampled(bt.TimeFrame.Minutes, 30, rightedge=False),
    "beside": beside,
    "replayed": replayed,
}
PARAMS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "todate": {"todate": START - dt.timedelta(hours=5)},
    "fromdate and todate": {
        "fromdate": START - dt.timedelta(hours=30),
        "todate": START - dt.timedelta(hours=5, minutes=1),
    },
    "tz": {"tz": India()},
    "tz and todate": {"tz": India(), "todate": START},
    "sessionend": {"sessionstart": dt.time(2), "sessionend": dt.time(17, 30)},
}


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_history_is_what_a_plain_feed_makes_of_it(
    scripted: ScriptedExchange, store_of: Stores, way: Any, params: dict[str, Any]
) -> None:
    exchange = exchange_of(scripted)
    plain = watched(plain_feed(exchange, START_MS, **params), way)
    ours = store_of(exchange).getdata(
        dataname="ETH/BTC", historical=True, history=HISTORY, **MINUTES, **params
    )
    told = watched(ours, way)
    assert told == plain
    assert told


@pytest.mark.parametrize("exactbars", [0, 1, -1, -2])
@pytest.mark.parametrize("way", [alone, WAYS["resampled"], replayed], ids=["alone", "resampled", "replayed"])
def test_saving_memory_changes_no_bar(
    scripted: ScriptedExchange, store_of: Stores, way: Any, exactbars: int
) -> None:
    exchange = exchange_of(scripted)
    plain = watched(plain_feed(exchange, START_MS), way, exactbars=exactbars)
    ours = store_of(exchange).getdata(dataname="ETH/BTC", historical=True, history=HISTORY, **MINUTES)
    assert watched(ours, way, exactbars=exactbars) == plain


@pytest.mark.parametrize(
    "params", [{}, PARAMS["tz"], PARAMS["sessionend"]], ids=["as it is", "tz", "session"]
)
@pytest.mark.parametrize("way", [alone, WAYS["resampled"], replayed], ids=["alone", "resampled", "replayed"])
def test_live_bars_are_those_of_the_same_history(
    scripted: ScriptedExchange, store_of: Stores, way: Any, params: dict[str, Any]
) -> None:
    """Most of them are history, and forty come while the run lasts."""
    exchange = exchange_of(scripted)
    live = store_of(exchange).getdata(
        dataname="ETH/BTC", history=HISTORY - 40, bars=40, qcheck=60.0, **MINUTES, **params
    )
    told = watched(live, way)
    plain = plain_feed(exchange, exchange.server_ms(), **params)
    assert told == watched(plain, way, preload=False, runonce=False)


def test_every_timeframe_of_every_exchange_has_a_name_in_backtrader() -> None:
    offered = {
        each for name in ccxt.exchanges for each in getattr(ccxt, name)().describe().get("timeframes") or {}
    }
    unknown = {each for each in offered if supported_timeframe(*_asked(each), [each]) is None}
    assert len(offered) > 20
    assert unknown <= {"15", "30"}  # one exchange's, without a unit


def _asked(name: str) -> tuple[int, int]:
    """Backtrader's unit and compression for a timeframe of ccxt's."""
    units = {
        "s": (bt.TimeFrame.Seconds, 1),
        "m": (bt.TimeFrame.Minutes, 1),
        "h": (bt.TimeFrame.Minutes, 60),
        "d": (bt.TimeFrame.Days, 1),
        "w": (bt.TimeFrame.Weeks, 1),
        "M": (bt.TimeFrame.Months, 1),
        "y": (bt.TimeFrame.Years, 1),
        "Y": (bt.TimeFrame.Years, 1),
    }
    unit, factor = units.get(name[-1:], (bt.TimeFrame.Minutes, 1))
    return unit, int(name.rstrip("smhdwMyY")) * factor
