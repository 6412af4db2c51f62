"""Guarded classes give what the plain ones give: lines, params, indicators, trades, optimizations, pickles."""

from __future__ import annotations

import csv
import datetime as dt
import multiprocessing
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import backtrader as bt
import pandas as pd
import pytest

from tradeguard import RetryConfig
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import DataFeedException
from tradeguard_backtrader import guard_broker, guard_feed

Row = tuple[dt.datetime, float, float, float, float, int]
BARS = 255  # as many as Backtrader's own tests have
MONITOR = ErrorMonitor()
RETRY = RetryConfig(max_attempts=3, base_delay=0.0, retry_on_exceptions=OSError)
FEEDS = {
    name: guard_feed(getattr(bt.feeds, name), retry=RETRY, monitor=MONITOR)
    for name in ("GenericCSVData", "BacktraderCSVData", "YahooFinanceCSVData", "MT4CSVData", "PandasData",
                 "PandasDirectData")
}  # fmt: skip
BROKER = guard_broker(bt.brokers.BackBroker, retry=RETRY, monitor=MONITOR)


def _rows() -> list[Row]:
    chance, price, rows = random.Random(8), 4000.0, []
    for day in range(BARS):
        path = [round(price := price * (1 + chance.gauss(0, 0.01)), 2) for _ in range(4)]
        stamp = dt.datetime(2006, 1, 2) + dt.timedelta(days=day)
        rows.append((stamp, path[0], max(path), min(path), path[-1], chance.randrange(1000)))
    return rows


ROWS = _rows()


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Callable[[Any], Any]]:
    """Makes a feed of each class, all of the same bars."""

    def written(name: str, header: list[str], line: Callable[[Row], list[Any]]) -> str:
        path = tmp_path / f"{name}.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(line(row) for row in ROWS)
        return str(path)

    plain = written("generic", list("tohlcvi"), lambda row: [row[0].date(), *row[1:], 0])
    yahoo = written("yahoo", list("tohlcav"), lambda row: [row[0].date(), *row[1:5], row[4], row[5]])
    mt4 = written("mt4", list("dtohlcvi"), lambda row: [row[0].strftime("%Y.%m.%d"), "00:00", *row[1:], 0])
    frame = pd.DataFrame(
        [row[1:] for row in ROWS], columns=["open", "high", "low", "close", "volume"],
        index=pd.DatetimeIndex([row[0] for row in ROWS]),
    )  # fmt: skip
    return {
        "GenericCSVData": lambda cls: cls(dataname=plain, dtformat="%Y-%m-%d"),
        "BacktraderCSVData": lambda cls: cls(dataname=plain),
        "YahooFinanceCSVData": lambda cls: cls(dataname=yahoo, todate=dt.datetime(2006, 8, 1)),
        "MT4CSVData": lambda cls: cls(dataname=mt4, dtformat="%Y.%m.%d", tmformat="%H:%M"),
        "PandasData": lambda cls: cls(dataname=frame, openinterest=None),
        "PandasDirectData": lambda cls: cls(dataname=frame, openinterest=-1),
    }


class Standard(bt.Strategy):
    """The strategy of Backtrader's own tests: long above the average, out below it."""

    params = (("period", 15), ("log", None))

    def __init__(self) -> None:
        self.sma = bt.indicators.SMA(self.data, period=self.p.period)
        self.cross = bt.indicators.CrossOver(self.data.close, self.sma, plot=True)
        self.order: Any = None

    def next(self) -> None:
        data = self.data
        stamp = data.datetime.datetime(0)
        self.tell(
            "bar", stamp, data.open[0], data.high[0], data.low[0], data.close[0], data.volume[0], self.sma[0]
        )
        if self.order is not None and self.order.alive():
            return
        if not self.position and self.cross > 0:
            self.order = self.buy()
        elif self.position and self.cross < 0:
            self.order = self.close()

    def notify_order(self, order: Any) -> None:
        self.tell("order", order.getstatusname(), order.executed.price, order.executed.comm)

    def notify_trade(self, trade: Any) -> None:
        if trade.isclosed:
            self.tell("trade", trade.pnl, trade.pnlcomm, trade.barlen)

    def stop(self) -> None:
        self.tell("end", len(self), self.broker.getvalue(), self.broker.getcash())

    def tell(self, *fact: Any) -> None:
        if self.p.log is not None:
            self.p.log.append(fact)


def told(feed: Any, broker: Any, **cerebro: Any) -> list[Any]:
    log: list[Any] = []
    env = bt.Cerebro(stdstats=False, **cerebro)
    env.adddata(feed)
    env.setbroker(broker)
    broker.setcommission(commission=2.0, margin=None)
    env.addstrategy(Standard, log=log)
    env.run()
    return log


@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize("runonce", [True, False])
@pytest.mark.parametrize("exactbars", [-2, -1, False])
@pytest.mark.parametrize("name", FEEDS)
def test_a_guarded_backtest_is_the_plain_one(
    sources: dict[str, Any], name: str, preload: bool, runonce: bool, exactbars: Any
) -> None:
    ways = {"preload": preload, "runonce": runonce, "exactbars": exactbars}
    plain = told(sources[name](getattr(bt.feeds, name)), bt.brokers.BackBroker(cash=100_000.0), **ways)
    guarded = told(sources[name](FEEDS[name]), BROKER(cash=100_000.0), **ways)
    assert guarded == plain
    assert sum(fact[0] == "trade" for fact in plain) >= 5


def test_every_source_has_the_same_bars(sources: dict[str, Any]) -> None:
    bars = {
        name: [fact[2:6] for fact in told(make(FEEDS[name]), BROKER()) if fact[0] == "bar"]
        for name, make in sources.items()
    }
    whole = [tuple(row[1:5]) for row in ROWS[15:]]
    for name, found in bars.items():
        assert found == whole[: len(found)], name
        assert len(found) == (len(whole) if name != "YahooFinanceCSVData" else 196)


def test_the_average_is_what_arithmetic_says(sources: dict[str, Any]) -> None:
    closes = [row[4] for row in ROWS]
    expected = [sum(closes[end - 15 : end]) / 15 for end in range(16, BARS + 1)]
    averages = [
        fact[-1] for fact in told(sources["PandasData"](FEEDS["PandasData"]), BROKER()) if fact[0] == "bar"
    ]
    assert averages == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", FEEDS)
def test_params_and_lines_are_those_of_the_plain_class(sources: dict[str, Any], name: str) -> None:
    cls = getattr(bt.feeds, name)
    assert FEEDS[name].params._getpairs() == cls.params._getpairs()
    plain, guarded = sources[name](cls), sources[name](FEEDS[name])
    assert guarded.getlinealiases() == plain.getlinealiases()
    assert guarded.p._getkwargs() == plain.p._getkwargs()
    assert pickle.loads(pickle.dumps(FEEDS[name])) is FEEDS[name]


def test_the_brokers_params_are_those_of_the_plain_class() -> None:
    assert BROKER.params._getpairs() == bt.brokers.BackBroker.params._getpairs()
    assert BROKER(cash=7.0).getcash() == 7.0


@pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork", reason="the classes of this test live in this process alone"
)
@pytest.mark.parametrize("optdatas", [True, False])
@pytest.mark.parametrize("name", ["GenericCSVData", "PandasData"])
def test_an_optimization_on_two_processes_is_the_plain_one(
    sources: dict[str, Any], name: str, optdatas: bool
) -> None:
    def optimized(cls: Any, broker: Any) -> list[Any]:
        env = bt.Cerebro(stdstats=False, maxcpus=2, optdatas=optdatas)
        env.adddata(sources[name](cls))
        env.setbroker(broker)
        env.optstrategy(Standard, period=range(5, 9))
        env.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
        return [(one.p.period, str(one.analyzers.trades.get_analysis())) for (one,) in env.run()]

    plain = optimized(getattr(bt.feeds, name), bt.brokers.BackBroker())
    assert optimized(FEEDS[name], BROKER()) == plain
    assert [period for period, _ in plain] == [5, 6, 7, 8]


def chained(makers: list[Any], **cerebro: Any) -> list[Any]:
    log: list[Any] = []
    env = bt.Cerebro(stdstats=False, **cerebro)
    env.chaindata(*makers, name="both")
    env.addstrategy(Standard, log=log)
    env.run()
    return [fact for fact in log if fact[0] == "bar"]


class Flaky(bt.feeds.PandasData):
    """Fails before some of its bars; `faults` is by the number of the bar."""

    params = (("faults", None),)

    def _load(self) -> Any:
        if self.p.faults and self.p.faults.get(self._idx + 1, 0) > 0:
            self.p.faults[self._idx + 1] -= 1
            raise OSError("the network drive is away")
        return super()._load()


def halves(cls: Any, **params: Any) -> list[Any]:
    index = pd.DatetimeIndex([row[0] for row in ROWS])
    frame = pd.DataFrame(
        [row[1:] for row in ROWS], columns=["open", "high", "low", "close", "volume"], index=index
    )
    return [cls(dataname=part, openinterest=None, **params) for part in (frame[:120], frame[120:])]


@pytest.mark.parametrize("preload", [True, False])
def test_a_chain_of_guarded_feeds_loses_no_bar_however_its_sources_fail(preload: bool) -> None:
    plain = chained(halves(bt.feeds.PandasData), preload=preload)
    guarded = guard_feed(Flaky, retry=RETRY, monitor=MONITOR)
    assert chained(halves(guarded, faults={3: 2, 60: 1, 119: 2}), preload=preload) == plain
    assert len(plain) == BARS - 15


@pytest.mark.parametrize("preload", [True, False])
@pytest.mark.parametrize("in_chain", [True, False])
def test_a_bar_that_cannot_be_loaded_ends_a_backtest_with_an_error_and_never_without_a_word(
    preload: bool, in_chain: bool
) -> None:
    first, second = halves(guard_feed(Flaky, retry=RETRY), faults={60: 99})

    def backtest() -> None:
        if in_chain:
            chained([first, second], preload=preload)
        else:
            told(first, BROKER(), preload=preload)

    with pytest.raises(DataFeedException, match="the network drive is away"):
        backtest()


@pytest.mark.parametrize("in_chain", [True, False])
def test_a_live_class_waits_in_the_loop_and_raises_in_a_chain(in_chain: bool) -> None:
    class Live(Flaky):
        def islive(self) -> bool:
            return True

    first, second = halves(guard_feed(Live, retry=RETRY), faults={60: 7}, qcheck=0.0)
    if in_chain:
        with pytest.raises(DataFeedException):
            chained([first, second])
    else:
        bars = [fact for fact in told(first, BROKER()) if fact[0] == "bar"]
        assert len(bars) == 120 - 15


def test_a_resampled_and_a_replayed_backtest_are_the_plain_ones(sources: dict[str, Any]) -> None:
    def longer(cls: Any, how: str) -> list[Any]:
        log: list[Any] = []
        env = bt.Cerebro(stdstats=False)
        getattr(env, how)(sources["GenericCSVData"](cls), timeframe=bt.TimeFrame.Weeks)
        env.addstrategy(Standard, log=log, period=3)
        env.run()
        return log

    for how in ("resampledata", "replaydata"):
        assert longer(FEEDS["GenericCSVData"], how) == longer(bt.feeds.GenericCSVData, how)
