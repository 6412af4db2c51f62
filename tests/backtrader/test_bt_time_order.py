"""Bars of the past come in the order of their close, whichever feed of a store has its own first."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import MINUTE, SECOND, EventClock

from tradeguard_backtrader import GuardedStore, InlineWorkers, StoreConfig

Stores = Callable[..., GuardedStore]
Row = tuple[datetime | None, datetime | None]


class TwoSpeeds(ScriptedExchange):
    """An exchange of seconds and minutes, whose minutes a test delays."""

    def __init__(self, clock: EventClock) -> None:
        super().__init__(clock)
        self.before_minutes: Callable[[], Any] = lambda: None
        self.before_seconds: Callable[[], Any] = lambda: None

    def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int | None = None, limit: int | None = None
    ) -> Any:
        answer = self.before_minutes() if timeframe == "1m" else self.before_seconds()
        if answer is not None:
            return answer
        self.step_ms = {"1s": 1_000, "1m": 60_000}[timeframe]
        return super().fetch_ohlcv(symbol, timeframe, since, limit)


class Watch(bt.Strategy):
    """Writes down where both datas stand at each bar, and what it is told."""

    params = (("rows", None), ("told", None))

    def prenext(self) -> None:
        self.p.rows.append(tuple(data.datetime.datetime(0) if len(data) else None for data in self.datas))

    next = prenext

    def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
        number = next(number for number, each in enumerate(self.datas) if each is data)
        self.p.told.append((number, data._getstatusname(status), len(self.p.rows)))


@pytest.fixture
def exchange(clock: EventClock) -> TwoSpeeds:
    return TwoSpeeds(clock)


def watched(
    store: GuardedStore, *feeds: dict[str, Any], **settings: Any
) -> tuple[list[Row], list[tuple[int, str, int]]]:
    rows: list[Row] = []
    told: list[tuple[int, str, int]] = []
    cerebro = bt.Cerebro(stdstats=False, **settings)
    for number, feed in enumerate(feeds):
        cerebro.adddata(store.getdata(dataname="ETH/BTC", **feed), name=str(number))
    cerebro.addstrategy(Watch, rows=rows, told=told)
    cerebro.run()
    return rows, told


def in_order(rows: list[Row]) -> bool:
    """Whether no bar closes before one that was there already."""
    for before, row in itertools.pairwise([(None, None), *rows]):
        latest = max((stamp for stamp in before if stamp is not None), default=datetime.min)
        fresh = [stamp for old, stamp in zip(before, row, strict=True) if stamp is not None and stamp != old]
        if any(stamp < latest for stamp in fresh):
            return False
    return True


def holes(number: int, open_ms: int) -> Callable[[], Any]:
    """Have so many pages begin with a candle that is none, and be asked for again."""
    left = list(range(number))

    def answer() -> Any:
        return [[open_ms, None, 1.0, 1.0, 1.0, 1.0]] if left and left.pop() >= 0 else None

    return answer


@pytest.mark.parametrize("late", ["minutes", "seconds"])
@pytest.mark.parametrize("seconds", [{"bars": 3}, {"historical": True}], ids=["live", "historical"])
@pytest.mark.parametrize("minutes", [{"bars": 1}, {"historical": True}], ids=["live", "historical"])
def test_a_history_that_is_late_is_waited_for(
    exchange: TwoSpeeds, store_of: Stores, seconds: dict[str, Any], minutes: dict[str, Any], late: str
) -> None:
    if late == "minutes":
        exchange.before_minutes = holes(2, 1_699_998_960_000)
    else:
        exchange.before_seconds = holes(2, 1_699_999_100_000)
    rows, _ = watched(
        store_of(exchange),
        {**SECOND, "history": 900, **seconds},
        {**MINUTE, "history": 16, **minutes},
        preload=False,
    )
    assert len({row[0] for row in rows}) >= 900
    assert len({row[1] for row in rows} - {None}) >= 16
    assert in_order(rows)


def test_pages_of_two_feeds_are_merged(exchange: TwoSpeeds, store_of: Stores) -> None:
    rows, told = watched(
        store_of(exchange),
        {**SECOND, "history": 900, "bars": 3, "page": 40},
        {**MINUTE, "history": 25, "page": 2, "bars": 1},
    )
    assert in_order(rows)
    live = {number: at for number, status, at in told if status == "LIVE"}
    assert set(live) == {0, 1}


def test_a_history_that_breaks_holds_nobody_back(
    exchange: TwoSpeeds, store_of: Stores, clock: EventClock
) -> None:
    down_until = clock.monotonic() + 30.0

    def fail() -> None:
        if clock.monotonic() < down_until:
            raise ccxt.NetworkError("down")

    exchange.before_minutes = fail
    feeds = ({**SECOND, "history": 60, "bars": 10}, {**MINUTE, "history": 5, "bars": 1})
    rows, told = watched(store_of(exchange), *feeds)
    assert (1, "CONNBROKEN", 0) in told
    assert rows[0][1] is None
    assert len(rows) >= 70


class Turning(bt.brokers.BackBroker):
    """Notes each turn of the loop."""

    def __init__(self, at_turn: Callable[[int], object]) -> None:
        super().__init__()
        self.turns: list[float] = []
        self.at_turn = at_turn

    def next(self) -> None:
        self.turns.append(time.monotonic())
        self.at_turn(len(self.turns))
        super().next()


def test_a_request_that_hangs_holds_neither_the_loop_nor_the_others_beyond_the_patience(
    exchange: TwoSpeeds, clock: EventClock
) -> None:
    release = threading.Event()
    exchange.before_minutes = lambda: release.wait(30.0) and None
    config = StoreConfig(start_patience=0.01, stop_patience=0.01)
    store = GuardedStore(exchange, clock=clock, config=config)

    rows: list[Row] = []
    told: list[tuple[int, str, int]] = []
    before: list[int] = []

    def at_turn(number: int) -> None:
        if number == 10:
            before.append(len(rows))
            clock.advance(10.1)
        elif len(rows) >= 20:
            cerebro.runstop()

    broker = Turning(at_turn)
    cerebro = bt.Cerebro(stdstats=False)
    for feed in ({**SECOND, "history": 20}, {**MINUTE, "history": 5}):
        cerebro.adddata(store.getdata(dataname="ETH/BTC", qcheck=0.05, **feed))
    cerebro.setbroker(broker)
    cerebro.addstrategy(Watch, rows=rows, told=told)
    cerebro.run()
    release.set()
    assert before == [0]
    assert (1, "CONNBROKEN", 0) in told
    assert max(after - turn for turn, after in itertools.pairwise(broker.turns)) < 1.0


def test_one_feed_waits_for_nobody(exchange: TwoSpeeds, store_of: Stores) -> None:
    rows, _ = watched(store_of(exchange), {**SECOND, "history": 30, "bars": 3})
    assert len(rows) == 33


@pytest.mark.parametrize("settings", [{}, {"oldsync": True}], ids=str)
def test_a_loop_in_which_one_feed_is_live_and_the_other_is_not_does_not_spin(
    exchange: TwoSpeeds, clock: EventClock, settings: dict[str, Any]
) -> None:
    """Cerebro then wants no waiting at all: by a clock that only waiting moves, nothing would ever come."""

    def fail() -> None:
        raise ccxt.NetworkError("down")

    exchange.before_minutes = fail
    broker = Turning(lambda _: None)
    store = GuardedStore(exchange, clock=clock, workers=InlineWorkers(clock))
    cerebro = bt.Cerebro(stdstats=False, **settings)
    cerebro.adddata(
        store.getdata(dataname="ETH/BTC", **SECOND, history=3, todate=datetime(2023, 11, 14, 22, 13, 40))
    )
    cerebro.adddata(store.getdata(dataname="ETH/BTC", **MINUTE, history=3, bars=0), name="slow")
    cerebro.setbroker(broker)
    cerebro.run()
    assert len(broker.turns) < 5_000
