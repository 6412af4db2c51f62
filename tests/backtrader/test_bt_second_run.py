"""A second run on the same Cerebro, while a request of the first one is still under way."""

from __future__ import annotations

import threading
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock

from tradeguard_backtrader import GuardedStore, StoreConfig, ThreadWorkers
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.poll_plan import PollPlan
from tradeguard_backtrader.feeds.poller import CandlePoller
from tradeguard_backtrader.feeds.timeframes import Timeframe


def hang_once(exchange: ScriptedExchange, hung: threading.Event, release: threading.Event) -> None:
    """Have the next request for candles hang until its release, and then answer."""

    def hang() -> None:
        exchange.on.clear()
        hung.set()
        assert release.wait(30.0)

    exchange.on["fetch_ohlcv"] = hang


def test_what_a_run_has_asked_for_never_comes_to_the_next(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    hung, release = threading.Event(), threading.Event()
    store = GuardedStore(scripted, clock=clock, config=StoreConfig(stop_patience=0.01))
    runs: list[list[Any]] = []

    class Watch(bt.Strategy):
        def start(self) -> None:
            runs.append([])

        def next(self) -> None:
            runs[-1].append(self.data.datetime.datetime(0))
            if (len(runs), len(runs[-1])) == (1, 5):
                hang_once(scripted, hung, release)
                clock.advance(1.0)
                assert hung.wait(10.0)
                self.env.runstop()
            elif (len(runs), len(runs[-1])) == (2, 2):
                release.set()
                first.join(10.0)
                clock.advance(1.0)

    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(store.getdata(dataname="ETH/BTC", history=5, bars=1, **SECOND))
    cerebro.addstrategy(Watch)
    cerebro.run()
    first = next(each for each in threading.enumerate() if each.name == "tradeguard-candles-ETH/BTC")
    clock.advance(3.0)
    cerebro.run()
    assert not first.is_alive()
    assert runs[1] == sorted(set(runs[1]))
    assert len(runs[1]) == 6


def test_a_poller_that_is_stopped_tells_nothing_of_what_was_under_way(
    scripted: ScriptedExchange, clock: EventClock
) -> None:
    told: list[Any] = []
    plan = PollPlan(symbol="ETH/BTC", timeframe=Timeframe("1s", 1000), history=3)
    poller = CandlePoller(
        scripted, scripted.load_markets, plan, StoreConfig(), ExchangeTime(clock), told.append, told.__len__
    )
    scripted.on["fetch_ohlcv"] = poller.stop
    poller.step()
    assert told == []


@pytest.mark.parametrize("late", [True, False])
def test_a_defect_of_one_run_never_ends_the_next(late: bool, caplog: pytest.LogCaptureFixture) -> None:
    workers, begun, go_on = ThreadWorkers(), threading.Event(), threading.Event()

    def step() -> None:
        begun.set()
        assert go_on.wait(10.0)
        raise ZeroDivisionError("a defect")

    workers.start("broken", step)
    thread = next(each for each in threading.enumerate() if each.name == "tradeguard-broken")
    assert begun.wait(10.0)
    if late:
        assert not workers.stop(0.0)
        go_on.set()
        thread.join(10.0)
    else:
        go_on.set()
        thread.join(10.0)
        assert workers.stop(5.0)
    assert not workers.wait_for(lambda: False, 0.0)
    assert "a defect" in caplog.text
