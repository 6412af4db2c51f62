"""Optimizing over the history of an exchange, on several processes."""

from __future__ import annotations

import gc
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]


class Counting(bt.Strategy):
    params = (("period", 1),)

    def __init__(self) -> None:
        self.average = bt.indicators.SMA(self.data, period=self.p.period)


class Closes(bt.Analyzer):
    def __init__(self) -> None:
        self.closes: list[float] = []

    def prenext(self) -> None:
        """Wait for the average."""

    def next(self) -> None:
        self.closes.append(self.strategy.data.close[0])

    def get_analysis(self) -> list[float]:
        return self.closes


def optimize(
    store: GuardedStore, *, settings: dict[str, Any] | None = None, **feed: Any
) -> list[list[float]]:
    cerebro = bt.Cerebro(**{"stdstats": False, "maxcpus": 2, **(settings or {})})
    cerebro.adddata(store.getdata(dataname="ETH/BTC", **{**SECOND, "history": 6, **feed}))
    cerebro.optstrategy(Counting, period=[1, 3])
    cerebro.addanalyzer(Closes, _name="closes")
    return [run[0].analyzers.closes.get_analysis() for run in cerebro.run()]


def threads() -> set[str]:
    """Those of stores."""
    return {each.name for each in threading.enumerate() if each.name.startswith("tradeguard-candles")}


@pytest.fixture
def store(scripted: ScriptedExchange, clock: EventClock) -> Iterator[GuardedStore]:
    """On threads, which no process could be handed."""
    made: GuardedStore = GuardedStore(scripted, clock=clock)
    yield made
    made.stop()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("optreturn", [True, False])
def test_processes_see_the_history_that_was_loaded_once(
    store: GuardedStore, scripted: ScriptedExchange, optreturn: bool
) -> None:
    closes = optimize(store, historical=True, settings={"optreturn": optreturn})
    assert [len(run) for run in closes] == [6, 4]
    assert closes[1] == closes[0][2:]
    assert len(scripted.called("fetch_ohlcv")) == 1
    assert (store.is_finished, threads()) == (True, set())


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:unclosed running multiprocessing pool:ResourceWarning")
@pytest.mark.parametrize(
    ("feed", "settings", "why"),
    [
        ({"bars": 1}, {}, "optimize with historical=True, or with maxcpus=1"),
        ({"historical": True}, {"optdatas": False}, "leave optdatas, preload and runonce at True"),
        ({"historical": True}, {"runonce": False}, "leave optdatas, preload and runonce at True"),
    ],
)
def test_what_cannot_be_handed_to_processes_says_why(
    store: GuardedStore, feed: dict[str, Any], settings: dict[str, Any], why: str
) -> None:
    with pytest.raises(ConfigurationException, match=why):
        optimize(store, settings=settings, **feed)
    gc.collect()  # Backtrader leaves its pool to it
    assert threads() == set()


def test_one_process_reads_the_history_for_each_strategy(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    closes = optimize(store_of(scripted), historical=True, settings={"maxcpus": 1})
    assert [len(run) for run in closes] == [6, 4]


def test_the_copy_of_a_store_has_no_exchange(store: GuardedStore) -> None:
    copy = pickle.loads(pickle.dumps(store))
    copy.start()
    copy.stop()
    assert (copy.exchange, copy.get_notifications()) == (None, [])
    with pytest.raises(ConfigurationException, match="has no exchange"):
        copy.start(data=object())
