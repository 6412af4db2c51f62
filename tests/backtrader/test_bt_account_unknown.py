"""Runs that do not know what the account holds: they wait for it, and no number is made up meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, Log, Scribe

from tradeguard.testing import ManualClock
from tradeguard_backtrader import GuardedStore, StoreConfig, ThreadWorkers

Stores = Callable[..., GuardedStore]
ANALYZERS = (
    "AnnualReturn", "Calmar", "DrawDown", "GrossLeverage", "LogReturnsRolling", "PeriodStats", "PositionsValue",
    "PyFolio", "Returns", "SharpeRatio", "SharpeRatio_A", "SQN", "TimeDrawDown", "TimeReturn", "TradeAnalyzer",
    "Transactions", "VWR",
)  # fmt: skip


def analyzed(store: GuardedStore, *, each: Any = None, **analyzers: Any) -> tuple[Log, Any]:
    """Run with Backtrader's analyzers, and return what was told and what they found."""
    log, env = Log(), bt.Cerebro(quicknotify=True)
    env.adddata(store.getdata(dataname="ETH/BTC", history=2, bars=12, **SECOND))
    env.setbroker(store.getbroker())
    for name in ANALYZERS:
        env.addanalyzer(getattr(bt.analyzers, name), _name=name)
    env.addanalyzer(bt.analyzers.TimeReturn, _name="seconds", **SECOND)
    env.addstrategy(Scribe, log=log, each=each)
    return log, env.run()[0].analyzers


def test_a_run_that_starts_in_an_outage_begins_with_the_real_value(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.fail("fetch_balance", *[ccxt.NetworkError("down")] * 30)
    store = store_of(scripted)
    log, found = analyzed(store)
    assert len(log.bars) == 14
    assert log.kinds() == ["account"]
    broker = store.getbroker()
    assert broker.startingcash == 1.0
    assert broker.startingvalue == pytest.approx(1 + 5 * scripted.ticker)
    returns = found.seconds.get_analysis().values()
    assert not [each for each in returns if math.isnan(each)]
    assert not math.isnan(found.DrawDown.get_analysis().max.drawdown)


def test_a_key_that_is_refused_kills_no_analyzer(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.fail("fetch_balance", *[ccxt.AuthenticationError("bad key")] * 100)
    store, told = store_of(scripted), []
    log, found = analyzed(
        store, each=lambda strategy: told.append((strategy.broker.get_cash(), strategy.broker.get_value()))
    )
    assert len(log.bars) == 14
    assert {cash for cash, _ in told} == {0.0}
    assert all(math.isnan(value) for _, value in told)
    assert math.isnan(store.getbroker().startingvalue)
    assert set(found.seconds.get_analysis()) == {bar[0] for bar in log.bars}


def test_where_the_value_is_not_known_no_target_makes_an_order(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.fail("fetch_balance", *[ccxt.AuthenticationError("bad key")] * 100)
    made: list[Any] = []
    analyzed(store_of(scripted), each=lambda strategy: made.append(strategy.order_target_percent(target=0.5)))
    assert set(made) == {None}


def test_a_key_that_is_allowed_again_tells_what_the_run_began_with(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.fail("fetch_balance", ccxt.AuthenticationError("bad key"))
    store, told = store_of(scripted), []
    env = bt.Cerebro(stdstats=False, quicknotify=True)
    env.adddata(store.getdata(dataname="ETH/BTC", history=2, bars=40, **SECOND))
    env.setbroker(store.getbroker())
    broker = store.getbroker()
    env.addstrategy(
        Scribe, log=Log(), each=lambda _: told.append((broker.startingcash, broker.startingvalue))
    )
    env.run()
    assert told[0][0] == 0.0
    assert math.isnan(told[0][1])
    assert told[-1][0] == 1.0
    assert told[-1][1] > 6.0


def test_a_second_run_begins_anew(scripted: ScriptedExchange, store_of: Stores) -> None:
    store = store_of(scripted)
    analyzed(store)
    scripted.balance = {"ETH": (0.0, 0.0), "BTC": (3.0, 0.0)}
    analyzed(store)
    assert (store.getbroker().startingcash, store.getbroker().startingvalue) == (3.0, 3.0)


@pytest.mark.parametrize("ends", ["runstop", "interrupt"])
def test_the_wait_for_the_account_can_be_ended(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = ScriptedExchange(ManualClock(start=1000.0))
    exchange.fail("fetch_balance", *[ccxt.NetworkError("down")] * 10_000)
    store: GuardedStore = GuardedStore(
        exchange, workers=ThreadWorkers(), config=StoreConfig(stop_patience=0.1)
    )
    env, log = bt.Cerebro(stdstats=False), Log()
    env.adddata(store.getdata(dataname="ETH/BTC", history=2, bars=12, **SECOND))
    env.setbroker(store.getbroker())
    env.addstrategy(Scribe, log=log)
    honest, waits = store.workers.wait_for, []

    def wait_for(ready: Callable[[], bool], seconds: float) -> bool:
        waits.append(seconds)
        if ends == "runstop":
            env.runstop()
        elif len(waits) == 1:
            raise KeyboardInterrupt
        return honest(ready, seconds)

    monkeypatch.setattr(store.workers, "wait_for", wait_for)
    if ends == "runstop":
        env.run()
    else:
        with pytest.raises(KeyboardInterrupt):
            env.run()
    assert log.bars == []
    assert len(waits) < 5
    assert store.is_finished
