"""A backtest with guarded feed and broker against the plain ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd
from harness import Contender, Goal, Results, measure

from tradeguard import CircuitBreakerConfig, ErrorMonitor, RetryConfig
from tradeguard_backtrader import guard_broker, guard_feed

__all__ = ["run"]

_BARS = 2_000


class Crossing(bt.Strategy):  # type: ignore[misc]
    """Buys and sells as two averages cross, about every twenty bars."""

    def __init__(self) -> None:
        self.signal = bt.ind.CrossOver(bt.ind.SMA(period=5), bt.ind.SMA(period=15))

    def next(self) -> None:
        if self.signal[0] > 0:
            self.buy()
        elif self.signal[0] < 0 and self.position:
            self.close()


def run(results: Results, rounds: int) -> None:
    """Measure whole runs."""
    layers: dict[str, Any] = {
        "retry": RetryConfig(),
        "breaker": CircuitBreakerConfig(),
        "monitor": ErrorMonitor(),
    }
    feed, broker = guard_feed(bt.feeds.PandasData, **layers), guard_broker(bt.brokers.BackBroker, **layers)
    contenders = {
        "tradeguard_backtrader": _running(feed, broker),
        "backtrader": _running(bt.feeds.PandasData, bt.brokers.BackBroker),
    }
    goals = (Goal("backtrader", 1.05),)
    results.add(measure(f"a backtest of {_BARS:,} bars", contenders, goals=goals, number=1, rounds=rounds))


def _running(feed: Any, broker: Any) -> Contender:
    candles = _candles()

    def contender(n: int) -> None:
        for _ in range(n):
            cerebro = bt.Cerebro()
            cerebro.setbroker(broker())
            cerebro.adddata(feed(dataname=candles))
            cerebro.addstrategy(Crossing)
            cerebro.run()

    return contender


def _candles() -> pd.DataFrame:
    close = 100 + np.random.default_rng(1).normal(size=_BARS).cumsum() * 0.1
    columns = {"open": close, "high": close + 0.1, "low": close - 0.1, "close": close, "volume": 1.0}
    start = datetime(2024, 1, 1)
    return pd.DataFrame(columns, index=[start + timedelta(minutes=number) for number in range(_BARS)])
