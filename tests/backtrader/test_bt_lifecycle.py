"""However a run ends, what was started is stopped, and stopped once."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import SECOND, EventClock, Log, Scribe, run

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import DataFeedException
from tradeguard_backtrader import GuardedStore, guard_feed
from tradeguard_backtrader.lifecycle import guard_run

Stores = Callable[..., GuardedStore]


class StopCounter:
    """Counts the stops of everything that takes part in a run."""

    def __init__(self) -> None:
        self.stops: list[str] = []

    def watch(self, part: Any, name: str) -> None:
        whole = part.stop

        def stop() -> None:
            self.stops.append(name)
            whole()

        part.stop = stop


def prepared(store: GuardedStore, strategy: Any = Scribe, **options: Any) -> tuple[bt.Cerebro, StopCounter]:
    """A Cerebro with feed, broker and strategy whose stops are counted."""
    counter = StopCounter()
    cerebro = bt.Cerebro(stdstats=False)
    feed = store.getdata(dataname="ETH/BTC", history=2, bars=5, **SECOND)
    broker = store.getbroker()
    cerebro.adddata(feed)
    cerebro.setbroker(broker)
    cerebro.addstrategy(strategy, **options)
    for part, name in ((feed, "feed"), (broker, "broker"), (store, "store")):
        counter.watch(part, name)
    return cerebro, counter


def failing(at: int, error: BaseException) -> dict[int, Callable[[Any], None]]:
    def fail(_: Any) -> None:
        raise error

    return {at: fail}


def test_a_run_that_ends_well_stops_everything_once(scripted: ScriptedExchange, store_of: Stores) -> None:
    log = Log()
    cerebro, counter = prepared(store_of(scripted), log=log)
    cerebro.run()
    assert counter.stops == ["broker", "feed", "store"]
    assert log.stops == 1


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyboardInterrupt(), SystemExit(3)])
def test_an_exception_in_next_stops_everything_once_and_is_raised_again(
    scripted: ScriptedExchange, store_of: Stores, error: BaseException
) -> None:
    log = Log()
    cerebro, counter = prepared(store_of(scripted), log=log, script=failing(4, error))
    with pytest.raises(type(error)) as raised:
        cerebro.run()
    assert raised.value is error
    assert counter.stops == ["broker", "feed", "store"]
    assert log.stops == 1


def test_an_exception_in_a_stop_does_not_keep_the_others_from_theirs(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    class Defect(Scribe):
        def stop(self) -> None:
            super().stop()
            raise ValueError("at the end")

    log = Log()
    cerebro, counter = prepared(store_of(scripted), Defect, log=log)
    with pytest.raises(ValueError, match="at the end"):
        cerebro.run()
    assert counter.stops == ["broker", "feed", "store"]
    assert log.stops == 1


def test_a_stop_that_fails_after_the_run_has_failed_hides_nothing(
    scripted: ScriptedExchange, store_of: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    class Defect(Scribe):
        def stop(self) -> None:
            raise ValueError("at the end too")

    cerebro, counter = prepared(store_of(scripted), Defect, log=Log(), script=failing(4, KeyError("first")))
    with pytest.raises(KeyError, match="first"):
        cerebro.run()
    assert counter.stops == ["broker", "feed", "store"]
    assert "at the end too" in caplog.text


def test_an_exception_before_the_first_bar_stops_what_was_started(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    class Unborn(Scribe):
        def start(self) -> None:
            raise ValueError("not today")

    log = Log()
    cerebro, counter = prepared(store_of(scripted), Unborn, log=log)
    with pytest.raises(ValueError, match="not today"):
        cerebro.run()
    assert counter.stops == ["broker", "feed", "store"]
    assert log.stops == 0  # it never started


def test_analyzers_are_told_of_the_end_too(scripted: ScriptedExchange, store_of: Stores) -> None:
    ended: list[str] = []

    class Watch(bt.Analyzer):
        def stop(self) -> None:
            ended.append("analyzer")

    cerebro, _ = prepared(store_of(scripted), log=Log(), script=failing(4, ValueError("a defect")))
    cerebro.addanalyzer(Watch)
    with pytest.raises(ValueError, match="a defect"):
        cerebro.run()
    assert ended == ["analyzer"]


def test_orders_on_their_way_are_waited_for_when_the_run_fails(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    def order_and_fail(strategy: Any) -> None:
        strategy.buy(size=1)
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        run(store_of(scripted), script={3: order_and_fail}, trading=True, history=2)
    assert list(scripted.orders) == ["1"]


def test_no_thread_outlives_its_run() -> None:
    before = set(threading.enumerate())  # other tests have threads too
    store = GuardedStore(ScriptedExchange(SYSTEM_CLOCK))
    with pytest.raises(ValueError, match="a defect"):
        run(store, script=failing(1, ValueError("a defect")), trading=True, history=2)
    assert [thread.name for thread in set(threading.enumerate()) - before] == []


def test_stopping_a_store_twice_is_no_error(scripted: ScriptedExchange, store_of: Stores) -> None:
    store = store_of(scripted)
    run(store, history=2, bars=1)
    store.stop()
    store.stop()
    assert store.is_finished


def test_the_watch_is_taken_away_after_the_run(scripted: ScriptedExchange, store_of: Stores) -> None:
    store = store_of(scripted)
    cerebro = bt.Cerebro(stdstats=False)
    feed = store.getdata(dataname="ETH/BTC", history=2, bars=1, **SECOND)
    cerebro.adddata(feed)
    cerebro.addstrategy(Scribe, log=Log())
    (strategy,) = cerebro.run()
    assert "stop" not in vars(feed)
    assert "stop" not in vars(strategy)


class Ticking(bt.feed.DataBase):
    """Five bars of one minute; counts its starts and stops."""

    params = (("broken", False),)
    starts = stops = 0

    def start(self) -> None:
        super().start()
        if self.p.broken:
            raise OSError("no such file")
        self.starts += 1
        self.number = 0

    def stop(self) -> None:
        self.stops += 1

    def _load(self) -> bool:
        self.number += 1
        self.lines.datetime[0] = 738_000 + self.number / 1440
        for line in (self.lines.open, self.lines.high, self.lines.low, self.lines.close):
            line[0] = float(self.number)
        return self.number <= 5


class CountedBroker(bt.brokers.BackBroker):
    stops = 0

    def stop(self) -> None:
        self.stops += 1


GuardedTicking = guard_feed(Ticking)


def chained(way: str, *feeds: Any, log: Log, strategy: Any = Scribe, **options: Any) -> Any:
    """A Cerebro whose guarded feeds are inside another one alone."""
    cerebro = bt.Cerebro(stdstats=False, **options)
    cerebro.setbroker(CountedBroker())
    getattr(cerebro, way)(*feeds, name="chain")
    cerebro.addstrategy(strategy, log=log, each=fail_at_three)
    return cerebro


class Hasty(Scribe):
    """Fails at the first bar of any data."""

    def prenext(self) -> None:
        raise KeyError("a defect")


def fail_at_three(strategy: Any) -> None:
    if len(strategy) == 3:
        raise KeyError("a defect")


@pytest.mark.parametrize("way", ["chaindata", "rolloverdata"])
@pytest.mark.parametrize("oldsync", [True, False])
def test_feeds_inside_another_alone_have_the_run_stopped_too(way: str, oldsync: bool) -> None:
    log, feed = Log(), GuardedTicking()
    cerebro = chained(way, feed, log=log, oldsync=oldsync)
    for run_number in (1, 2):
        with pytest.raises(KeyError, match="a defect"):
            cerebro.run()
        assert [log.stops, cerebro.broker.stops, feed.stops] == [run_number] * 3
        assert "stop" not in vars(cerebro.broker)


def test_feeds_inside_another_alone_leave_a_good_end_alone() -> None:
    log, feed = Log(), GuardedTicking()
    cerebro = chained("chaindata", feed, log=log)
    cerebro.strats[0][0][2]["each"] = None
    cerebro.run()
    assert [log.stops, cerebro.broker.stops, feed.stops] == [1, 1, 1]
    assert not {"stop", "start"} & {*vars(feed), *vars(cerebro.broker)}
    assert "stop_writers" not in vars(cerebro)


def test_an_end_that_fails_in_a_run_that_was_guarded_late_stops_the_rest() -> None:
    class Defect(Scribe):
        def stop(self) -> None:
            super().stop()
            raise ValueError("at the end")

    log, feed = Log(), GuardedTicking()
    cerebro = chained("chaindata", feed, log=log, strategy=Defect)
    cerebro.strats[0][0][2]["each"] = None
    with pytest.raises(ValueError, match="at the end"):
        cerebro.run()
    assert [log.stops, cerebro.broker.stops, feed.stops] == [1, 1, 1]
    assert "stop_writers" not in vars(cerebro)


def test_a_store_that_comes_in_mid_run_is_stopped_with_the_run(
    scripted: ScriptedExchange, store_of: Stores
) -> None:
    store, counter, log = store_of(scripted), StopCounter(), Log()
    counter.watch(store, "store")
    inside = store.getdata(dataname="ETH/BTC", history=5, bars=5, **SECOND)
    cerebro = chained("chaindata", inside, log=log)
    with pytest.raises(KeyError, match="a defect"):
        cerebro.run()
    assert (counter.stops, log.stops) == (["store"], 1)
    assert store.is_finished

    # the same with a feed of Cerebro's own, whose guard was there before that store was
    store, counter = store_of(ScriptedExchange(EventClock())), StopCounter()
    counter.watch(store, "store")
    inside = store.getdata(dataname="ETH/BTC", history=5, **SECOND)
    cerebro = chained("chaindata", inside, log=log, strategy=Hasty)
    cerebro.adddata(GuardedTicking())
    with pytest.raises(KeyError, match="a defect"):
        cerebro.run()
    assert counter.stops == ["store"]


def test_what_a_chain_had_started_when_its_start_failed_is_stopped() -> None:
    log, whole, broken = Log(), GuardedTicking(), GuardedTicking(broken=True)
    cerebro = chained("chaindata", whole, broken, log=log)
    cerebro.adddata(GuardedTicking())
    with pytest.raises(DataFeedException, match="did not start"):
        cerebro.run()
    assert (whole.starts, whole.stops, broken.stops) == (1, 1, 0)


def test_a_cerebro_that_is_watched_can_be_pickled_for_its_workers() -> None:
    cerebro = bt.Cerebro()
    guard_run(cerebro)
    guard_run(cerebro)
    twin = pickle.loads(pickle.dumps(cerebro))
    assert twin.runstrategies._env is twin
