"""Outages, hung calls, caches and broken candles: what a strategy sees of them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock, Log, Scribe, cut, run

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import DataFeedException
from tradeguard.simulator import Fault, FaultKind, FaultPlan, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_backtrader import GuardedStore, InlineWorkers, StoreConfig
from tradeguard_ccxt import GuardConfig, GuardedExchange

START = datetime(2023, 11, 14, 22, 13, 20)
RECOVERED = ["DELAYED", "LIVE", "CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]


def run_apart(
    folder: Path,
    faults: FaultPlan | None = None,
    cuts: Sequence[tuple[float, float]] = (),
    guard: Mapping[str, Any] | None = None,
    **feed: Any,
) -> Log:
    """Run on an exchange and a clock of its own: equal seeds, equal markets.

    `cuts` are outages: when they begin and how long they last, in seconds.
    """
    clock = EventClock(start=1000.0)
    with SimulatedExchange(seed=3, clock=clock, faults=faults) as simulated:
        config = GuardConfig(clock=clock, journal=folder / "orders.sqlite", **(guard or {}))
        exchange = GuardedExchange("binance", simulated.ccxt_config(), guard=config)
        store = GuardedStore(exchange, clock=clock, workers=InlineWorkers(clock))
        for after, seconds in cuts:
            cut(clock, simulated, after=after, seconds=seconds)
        return run(store, **feed)


@pytest.mark.parametrize("seconds", [2, 60, 150])
def test_after_an_outage_the_bars_are_those_of_a_run_without_it(tmp_path: Path, seconds: float) -> None:
    """The longest of these costs more candles than a page holds."""
    bars = int(seconds) + 60
    plain = run_apart(tmp_path, history=10, bars=bars)
    cut_off = run_apart(tmp_path, cuts=[(5, seconds)], history=10, bars=bars, page=40)
    assert cut_off.bars == plain.bars
    assert len(cut_off.bars) == bars + 10
    assert cut_off.statuses == RECOVERED


def test_the_statuses_stand_between_the_bars_that_they_are_about(tmp_path: Path) -> None:
    log = run_apart(tmp_path, cuts=[(4.5, 20)], history=3, bars=60)
    broken, live = log.told.index("CONNBROKEN"), len(log.told) - 1 - log.told[::-1].index("LIVE")
    assert log.told[broken - 1 : broken + 3] == ["bar 7", "CONNBROKEN", "DELAYED", "bar 8"]
    assert int(log.told[live - 1].removeprefix("bar ")) >= 27
    assert log.told[live + 1].startswith("bar")


def test_a_gap_that_was_filled_is_told_and_counted(
    simulate: Simulate, guarded: Simulate, store_of: Stores, clock: EventClock
) -> None:
    simulated = simulate()
    exchange = guarded(simulated)
    cut(clock, simulated, after=4, seconds=20)
    log = run(store_of(exchange), history=3, bars=60)
    assert log.kinds().count("gap_filled") == 1
    assert exchange.guard_monitor.get_error_statistics()["rescues"]["gap_filled"] == 1
    assert "outage" in log.kinds()


def test_a_run_that_starts_in_an_outage_waits_for_its_end(tmp_path: Path) -> None:
    log = run_apart(tmp_path, cuts=[(0, 100)], history=5, bars=3)
    assert log.statuses == ["CONNBROKEN", "DELAYED", "LIVE", "DISCONNECTED"]
    assert len(log.bars) == 8
    assert log.bars[0][0] >= START + timedelta(seconds=95)


def test_an_unknown_symbol_that_shows_only_after_an_outage_still_raises(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    scripted.fail("load_markets", *[ccxt.NetworkError("down")] * 30)
    with pytest.raises(DataFeedException, match="ETH/BTX"):
        run(store_of(scripted), symbol="ETH/BTX")


def test_one_outage_after_the_other_is_told_each_time(tmp_path: Path) -> None:
    plain = run_apart(tmp_path, history=5, bars=130)
    log = run_apart(tmp_path, cuts=[(5, 12), (50, 3), (90, 12)], history=5, bars=130)
    again = ["CONNBROKEN", "DELAYED", "LIVE"]
    assert log.statuses == ["DELAYED", "LIVE", *again, *again, *again, "DISCONNECTED"]
    assert log.bars == plain.bars


@pytest.mark.parametrize("profile", ["stormy", "hostile"])
def test_no_storm_costs_or_doubles_or_changes_a_bar(tmp_path: Path, profile: str) -> None:
    plain = run_apart(tmp_path, history=30, bars=150)
    stormy = run_apart(tmp_path, FaultPlan.profile(profile, seed=5), history=30, bars=150)
    assert stormy.stamps() == plain.stamps()
    assert stormy.bars == plain.bars


@pytest.mark.parametrize("kind", [FaultKind.MISSING_VALUES, FaultKind.HALF_BUILT])
def test_a_broken_candle_that_is_mended_is_delivered_as_mended(tmp_path: Path, kind: FaultKind) -> None:
    faults = FaultPlan.script([Fault(kind, on="GET /api/v3/klines", times=2, skip=10)])
    plain = run_apart(tmp_path, history=5, bars=30)
    assert run_apart(tmp_path, faults, history=5, bars=30).bars == plain.bars


def test_a_candle_that_stays_broken_is_a_gap_and_is_never_delivered(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    whole = scripted.row

    def row(open_ms: int) -> list[Any]:
        values = whole(open_ms)
        return [values[0], None, *values[2:]] if open_ms % 10_000 == 3_000 else values

    scripted.row = row  # type: ignore[method-assign]
    log = run(store_of(scripted), history=0, bars=15)
    seconds = [(stamp - START).total_seconds() for stamp in log.stamps()]
    assert [second for second in seconds if second % 10 == 4] == []
    assert len(seconds) == len(set(seconds)) == 15
    assert log.store[0] == (
        "gap",
        "ETH/BTC: candles from 2023-11-14 22:13:23 to 2023-11-14 22:13:24 are malformed",
    )
    assert log.statuses == ["DELAYED", "LIVE", "DISCONNECTED"]


def test_a_candle_that_the_exchange_lost_is_told_as_a_gap(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    lost = int((START - datetime(1970, 1, 1)).total_seconds() * 1000) + 5_000
    scripted.skipped = {lost, lost + 1000}
    log = run(store_of(scripted), history=2, bars=10)
    assert log.store == [
        ("gap", "ETH/BTC: candles from 2023-11-14 22:13:25 to 2023-11-14 22:13:27 are missing"),
    ]
    assert len(log.bars) == 12


class Stale(list[Any]):
    """What a guarded exchange serves from its cache."""

    is_stale = True
    age = 12.5


def test_candles_from_a_cache_are_no_news(scripted: ScriptedExchange, store_of: Stores) -> None:
    made_up = Stale([[1_700_000_004_000, 9.0, 9.0, 9.0, 9.0, 9.0]])
    scripted.fail("fetch_ohlcv", None, None, None, *[made_up] * 4)
    log = run(store_of(scripted), history=2, bars=12)
    assert 9.0 not in [bar[4] for bar in log.bars]
    assert log.statuses == RECOVERED
    assert log.store[:2] == [
        ("stale", "ETH/BTC: only an answer from the cache, 12.5 s old"),
        ("stale", "ETH/BTC: candles come again"),
    ]


def test_the_guarded_exchanges_own_cache_is_no_news_either(tmp_path: Path) -> None:
    """Reads give up soon, so that the outage is answered from the cache of the last sixty seconds."""
    log = run_apart(tmp_path, cuts=[(5, 15)], guard={"deadline": 0.5}, history=5, bars=60)
    assert log.bars == run_apart(tmp_path, history=5, bars=60).bars
    assert log.statuses == RECOVERED


@pytest.mark.parametrize(
    "error", [KeyError("timestamp"), TypeError("None"), ccxt.ExchangeError("odd"), ccxt.BadResponse("html")]
)
def test_whatever_an_answer_makes_ccxt_raise_is_outlived(
    scripted: ScriptedExchange, store_of: Stores, error: Exception
) -> None:
    scripted.fail("fetch_ohlcv", None, None, error, "no list", None, error)
    log = run(store_of(scripted), history=2, bars=10)
    assert len(log.bars) == 12
    assert log.statuses[-1] == "DISCONNECTED"


def test_an_exchange_that_is_down_is_asked_less_and_less_often(
    scripted: ScriptedExchange, store_of: Stores, clock: ManualClock
) -> None:
    scripted.fail("fetch_time", None, *[ccxt.NetworkError("down")] * 8)
    scripted.fail("fetch_ohlcv", None, None, ccxt.NetworkError("down"))
    asked: list[float] = []
    scripted.on["fetch_time"] = lambda: asked.append(clock.monotonic())
    config = StoreConfig(retry_pause=1.0, max_retry_pause=20.0)
    run(store_of(scripted, config=config), history=2, bars=120)
    pauses = [round(later - earlier, 3) for earlier, later in itertools.pairwise(asked[1:])]
    assert pauses[:8] == [2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0, 20.0]


def test_the_wait_that_an_error_asks_for_is_kept(
    scripted: ScriptedExchange, store_of: Stores, clock: ManualClock
) -> None:
    limited = ccxt.DDoSProtection("slow down")
    limited.retry_after = 3.5  # type: ignore[attr-defined]
    scripted.fail("fetch_ohlcv", None, None, limited)
    asked: list[float] = []
    scripted.on["fetch_ohlcv"] = lambda: asked.append(clock.monotonic())
    run(store_of(scripted), history=2, bars=20)
    assert asked[3] - asked[2] == pytest.approx(3.5)


def test_bars_that_the_strategy_is_too_slow_for_are_delayed(
    scripted: ScriptedExchange, store_of: Stores, clock: ManualClock
) -> None:
    def think(_: Any) -> None:
        clock.advance(60.0)

    log = run(store_of(scripted), history=2, bars=80, script={5: think})
    assert log.statuses == ["DELAYED", "LIVE", "DELAYED", "LIVE", "DISCONNECTED"]
    assert len(log.bars) == 82


class Hanging(ScriptedExchange):
    """An exchange whose candles stop coming until the test lets them."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.hung = threading.Event()
        self.release = threading.Event()

    def fetch_ohlcv(self, *arguments: Any) -> Any:
        if len(self.called("fetch_ohlcv")) >= 2 and not self.release.is_set():
            self.hung.set()
            assert self.release.wait(30.0)
        return super().fetch_ohlcv(*arguments)


def test_a_call_that_hangs_never_holds_the_loop_and_is_told_as_an_outage() -> None:
    """On real threads: the loop turns on, says CONNBROKEN, and the answer heals it."""
    exchange = Hanging(SYSTEM_CLOCK)
    store = GuardedStore(exchange, config=StoreConfig(patience=0.5))
    turns: list[float] = []
    log = Log()

    class Turning(bt.Cerebro):
        def _storenotify(self) -> None:
            turns.append(time.monotonic())
            if "CONNBROKEN" in log.statuses:
                exchange.release.set()
            super()._storenotify()

    cerebro = Turning(stdstats=False)
    cerebro.adddata(store.getdata(dataname="ETH/BTC", history=3, bars=3, qcheck=0.05, **SECOND))
    cerebro.addstrategy(Scribe, log=log)
    cerebro.run()
    assert log.statuses == RECOVERED
    longest = max(later - earlier for earlier, later in itertools.pairwise(turns))
    assert longest < 2.0  # qcheck is 0.05 s, and the call would hang for 30 s; the rest is for a busy machine
