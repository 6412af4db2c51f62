"""Whole runs on websockets with threads and in real time: how soon a bar comes, and that nothing is left behind."""

from __future__ import annotations

import statistics
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from bt_runs import run

from tradeguard.simulator import SimulatedExchange
from tradeguard_backtrader import GuardedStore, StoreConfig
from tradeguard_ccxt import GuardConfig, pro

EPOCH = datetime(1970, 1, 1)


@contextmanager
def live(folder: Path, **config: Any) -> Iterator[tuple[SimulatedExchange, Any, GuardedStore]]:
    with SimulatedExchange(seed=2) as simulated:
        guard = GuardConfig(journal=folder / "orders.sqlite")
        exchange = pro.GuardedExchange("binance", simulated.ccxt_config(), guard=guard)
        # A busy machine is no reason to ask REST for a candle that is on its way.
        yield simulated, exchange, GuardedStore(exchange, config=StoreConfig(stream_grace=20.0, **config))


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("tradeguard-")}


BEFORE = weakref.WeakSet[threading.Thread]()


@pytest.fixture(autouse=True)
def _note_threads_of_other_tests() -> None:
    BEFORE.update(threads())


def nothing_is_left(simulated: SimulatedExchange, exchange: Any) -> None:
    give_up = time.monotonic() + 10.0
    while any(socket.is_open for socket in simulated.sockets) or threads() - set(BEFORE):
        assert time.monotonic() < give_up, (simulated.sockets, threads())
        time.sleep(0.005)
    assert exchange.session is None
    assert exchange.clients == {}


def test_a_bar_comes_a_fraction_of_a_second_after_its_close_and_not_by_polling(tmp_path: Path) -> None:
    late: list[float] = []

    def note(strategy: Any) -> None:
        late.append(time.time() - (strategy.data.datetime.datetime(0) - EPOCH).total_seconds())

    with live(tmp_path) as (simulated, exchange, store):
        log = run(store, history=3, bars=5, each=note)
        # one for the history, and one at most for what closed while the socket was dialled
        assert simulated.requests.count("GET", "/api/v3/klines") <= 2
        nothing_is_left(simulated, exchange)
    assert len(log.bars) == 8
    assert statistics.median(late[3:]) < 1.0  # the next one has not closed yet


def test_a_store_runs_again_on_a_new_loop(tmp_path: Path) -> None:
    with live(tmp_path) as (simulated, exchange, store):
        for websocket in (True, True, False):
            log = run(store, history=3, bars=1, websocket=websocket)
            assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]
        assert len(simulated.sockets) == 2
        nothing_is_left(simulated, exchange)


def test_an_error_in_next_leaves_no_thread_and_no_socket(tmp_path: Path) -> None:
    def stumble(_: Any) -> None:
        raise ZeroDivisionError

    with live(tmp_path) as (simulated, exchange, store):
        with pytest.raises(ZeroDivisionError):
            run(store, trading=True, history=3, script={4: stumble})
        nothing_is_left(simulated, exchange)


def test_a_run_that_ends_in_an_outage_leaves_nothing(tmp_path: Path) -> None:
    told: list[str] = []

    class Ending(bt.Strategy):
        def next(self) -> None:
            if "LIVE" in told:
                simulated.pull_plug()

        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            told.append(data._getstatusname(status))
            if status == data.CONNBROKEN:
                self.env.runstop()

    with live(tmp_path, max_poll_pause=0.5) as (simulated, exchange, store):
        cerebro = bt.Cerebro(stdstats=False)
        cerebro.adddata(store.getdata(dataname="ETH/BTC", timeframe=bt.TimeFrame.Seconds, history=3))
        cerebro.addstrategy(Ending)
        cerebro.run()
        nothing_is_left(simulated, exchange)
    assert told[:3] == ["DELAYED", "LIVE", "CONNBROKEN"]
