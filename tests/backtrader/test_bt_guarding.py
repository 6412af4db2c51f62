"""Feed and broker classes that exist already, guarded."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import backtrader as bt
import pandas as pd
import pytest
from bt_faulty import ALL, Faulty, closes, down, run
from bt_runs import Log, Scribe

from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException, DataFeedException
from tradeguard.retry_manager import RetryConfig, RetryManager
from tradeguard_backtrader import guard_broker, guard_feed


def test_a_bar_that_fails_to_load_is_tried_again(retry: RetryManager) -> None:
    monitor = ErrorMonitor()
    cls = guard_feed(Faulty, retry=retry, monitor=monitor)
    log = run(cls(faults={0: down(), 4: down(2)}))
    assert closes(log) == ALL
    assert monitor.get_error_statistics()["rescues"]["retry"] == 2


def test_a_backtest_whose_bar_fails_for_good_raises_and_is_never_cut_short(retry: RetryManager) -> None:
    cls = guard_feed(Faulty, retry=retry)
    with pytest.raises(DataFeedException, match="Faulty failed: down") as raised:
        run(cls(faults={4: down(3)}))
    assert isinstance(raised.value.__cause__, ConnectionError)


def test_without_a_retry_the_first_failure_is_final() -> None:
    cls = guard_feed(Faulty)
    with pytest.raises(DataFeedException):
        run(cls(faults={4: down()}))


def test_a_live_feed_that_fails_is_told_once_and_goes_on() -> None:
    monitor = ErrorMonitor()
    cls = guard_feed(Faulty, monitor=monitor)
    log = run(cls(live=True, faults={4: down(3)}))
    assert closes(log) == ALL
    assert log.statuses == ["CONNBROKEN", "CONNECTED"]
    assert monitor.get_error_statistics()["total_errors"] == 3


def test_a_fallback_serves_the_bar_that_failed() -> None:
    def serve(feed: Any) -> bool:
        feed.number += 1
        feed.lines.datetime[0] = 738_000 + feed.number / 1440
        feed.lines.close[0] = -float(feed.number)
        return True

    cls = guard_feed(Faulty, fallback=serve)
    log = run(cls(faults={4: down()}))
    assert closes(log) == [1.0, 2.0, 3.0, 4.0, -5.0, 6.0, 7.0, 8.0, 9.0, 10.0]


def test_an_open_circuit_leaves_the_source_alone() -> None:
    breaker = CircuitBreakerConfig(failure_threshold=2, recovery_timeout=3600.0)
    cls = guard_feed(Faulty, breaker=breaker)
    faults = down(50)

    class Stopping(Scribe):
        def notify_data(self, data: Any, status: int, *args: Any, **kwargs: Any) -> None:
            super().notify_data(data, status)
            self.env.runstop()

    cerebro = bt.Cerebro(stdstats=False)
    feed = cls(live=True, faults={4: faults})
    turns: list[int] = []
    feed.haslivedata = lambda: turns.append(0) or (len(turns) > 20 and cerebro.runstop() and False)
    cerebro.adddata(feed)
    log = Log()
    cerebro.addstrategy(Scribe, log=log)
    cerebro.run()
    assert len(faults) == 48
    assert closes(log) == ALL[:4]


def test_a_start_that_fails_is_tried_again(retry: RetryManager) -> None:
    assert closes(run(guard_feed(Faulty, retry=retry)(start_faults=down(2)))) == ALL


def test_a_start_that_fails_for_good_raises(retry: RetryManager) -> None:
    with pytest.raises(DataFeedException, match="did not start"):
        run(guard_feed(Faulty, retry=retry)(start_faults=down(3)))


def test_a_guarded_class_is_its_own_class_with_params_and_lines() -> None:
    cls = guard_feed(Faulty)
    feed = cls(note="mine", dataname="x")
    assert issubclass(cls, Faulty)
    assert feed.p.note == "mine"
    assert list(feed.getlinealiases()) == list(Faulty().getlinealiases())
    assert cls is not guard_feed(Faulty)


def test_backtraders_own_csv_feed_reads_the_same_bars(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    rows = [f"2024-01-{day:02},1,2,0.5,{day},100,0" for day in range(1, 29)]
    path.write_text("Date,Open,High,Low,Close,Volume,OpenInterest\n" + "\n".join(rows) + "\n")
    plain = run(bt.feeds.GenericCSVData(dataname=str(path), dtformat="%Y-%m-%d"))
    guarded = run(guard_feed(bt.feeds.GenericCSVData)(dataname=str(path), dtformat="%Y-%m-%d"))
    assert guarded.bars == plain.bars
    assert len(plain.bars) == 28


@pytest.fixture
def registering_store() -> Iterator[Any]:
    """A store whose feeds and brokers register themselves, after the manner of Backtrader's own."""

    class Store(bt.Store):
        pass

    class MetaFeed(bt.feed.DataBase.__class__):  # type: ignore[misc,name-defined]
        def __init__(cls, name: str, bases: Any, namespace: Any) -> None:  # noqa: N805 - a metaclass
            super().__init__(name, bases, namespace)
            Store.DataCls = cls

    class RegisteringFeed(Faulty, metaclass=MetaFeed):
        pass

    yield Store
    Store.DataCls = None


def test_a_feed_that_registers_itself_stays_its_stores_own(registering_store: Any) -> None:
    cls = registering_store.DataCls
    guarded = guard_feed(cls)
    assert registering_store.DataCls is cls
    assert issubclass(guarded, cls)


def test_a_guarded_feed_stops_everything_when_a_run_fails() -> None:
    def fail(_: Any) -> None:
        raise KeyError("a defect")

    log = Log()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(guard_feed(Faulty)())
    cerebro.addstrategy(Scribe, log=log, script={3: fail})
    with pytest.raises(KeyError):
        cerebro.run()
    assert log.stops == 1


def test_guarded_classes_are_found_by_backtraders_worker_processes() -> None:
    cls = guard_feed(Faulty)
    assert pickle.loads(pickle.dumps(cls)) is cls
    broker = guard_broker(bt.brokers.BackBroker)
    assert pickle.loads(pickle.dumps(broker)) is broker


class Chooser(bt.Strategy):
    """A strategy to optimize."""

    params = (("number", 1),)

    def next(self) -> None:
        if len(self) == self.p.number:
            self.buy(size=1)


def test_an_optimization_on_several_processes_works() -> None:
    if multiprocessing.get_start_method() != "fork":
        pytest.skip("the class of this test lives in this process alone")
    cerebro = bt.Cerebro(stdstats=False, maxcpus=2)
    cerebro.adddata(guard_feed(Faulty)())
    cerebro.setbroker(guard_broker(bt.brokers.BackBroker)())
    cerebro.optstrategy(Chooser, number=[1, 2, 3])
    results = cerebro.run()
    assert [result[0].p.number for result in results] == [1, 2, 3]


def test_only_feeds_and_brokers_can_be_guarded() -> None:
    with pytest.raises(ConfigurationException, match="no feed class"):
        guard_feed(bt.Strategy)
    with pytest.raises(ConfigurationException, match="no broker class"):
        guard_broker(Faulty)
    with pytest.raises(ConfigurationException, match="no feed class"):
        guard_feed(Faulty())  # type: ignore[arg-type]


TIMED = CircuitBreakerConfig(timeout=0.1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [({"retry": 3}, "retry must be a RetryConfig, a RetryManager or None, got 3"),
     ({"breaker": "x"}, "breaker must be a CircuitBreakerConfig, a CircuitBreaker or None, got 'x'"),
     ({"monitor": "m"}, "monitor must be an ErrorMonitor or None, got 'm'"),
     ({"fallback": 42}, "fallback must be a function or None; .*, got 42"),
     ({"fallback": Faulty}, "fallback must be a function or None; a feed has its bars asked for by a function"),
     ({"retry": RetryConfig(attempt_timeout=0.1)}, "retry.attempt_timeout must be None, since .*, got 0.1"),
     ({"retry": RetryManager(RetryConfig(attempt_timeout=0.2))}, "retry.attempt_timeout must .*, got 0.2"),
     ({"breaker": TIMED}, "breaker.timeout must be None, since a call that is abandoned goes on.*, got 0.1"),
     ({"breaker": CircuitBreaker("timed", TIMED)}, "breaker.timeout must be None")],
)  # fmt: skip
@pytest.mark.parametrize("guard", [guard_feed, guard_broker])
def test_an_argument_that_cannot_be_is_refused_when_the_class_is_guarded(
    guard: Any, arguments: dict[str, Any], told: str
) -> None:
    cls = Faulty if guard is guard_feed else bt.brokers.BackBroker
    with pytest.raises(ConfigurationException, match=told):
        guard(cls, **arguments)


def test_a_feed_is_no_fallback() -> None:
    with pytest.raises(ConfigurationException, match="a feed has its bars asked for by a function"):
        guard_feed(Faulty, fallback=Faulty())


def test_a_fallback_without_a_bar_leaves_a_backtest_its_failure(retry: RetryManager) -> None:
    cls = guard_feed(Faulty, retry=retry, fallback=lambda feed: None)
    for ways in ({}, {"preload": False}):
        with pytest.raises(DataFeedException, match="Faulty failed: down 0") as raised:
            run(cls(faults={4: down(3)}), **ways)
        assert isinstance(raised.value.__cause__, ConnectionError)


def test_a_fallback_of_a_live_feed_may_have_nothing_now() -> None:
    cls = guard_feed(Faulty, fallback=lambda: None)
    log = run(cls(live=True, faults={4: down(3)}))
    assert (closes(log), log.statuses) == (ALL, [])


def test_a_feed_that_is_guarded_twice_has_both_layers(retry: RetryManager) -> None:
    inner, outer = ErrorMonitor(), ErrorMonitor()
    once = guard_feed(Faulty, monitor=inner)

    class Between(once):  # type: ignore[misc,valid-type]
        """A user's own subclass of a guarded class."""

        def _load(self) -> Any:
            return super()._load()

    retry_all = RetryManager(RetryConfig(max_attempts=4, base_delay=0.0))
    for cls in (once, Between):
        twice = guard_feed(cls, retry=retry_all, monitor=outer)
        assert closes(run(twice(faults={4: down(2)}, start_faults=down()))) == ALL
    assert inner.get_error_statistics()["total_errors"] == 6
    assert outer.get_error_statistics()["rescues"] == {"retry": 4}


def test_a_live_feed_that_is_guarded_twice_is_served_by_the_outer_layer() -> None:
    def serve(feed: Any) -> bool:
        feed.number += 1
        feed.lines.datetime[0] = 738_000 + feed.number / 1440
        feed.lines.close[0] = -float(feed.number)
        return True

    log = run(guard_feed(guard_feed(Faulty), fallback=serve)(live=True, faults={4: down()}))
    assert (closes(log)[4], log.statuses) == (-5.0, [])
    log = run(guard_feed(guard_feed(Faulty))(live=True, faults={4: down(2)}))
    assert (closes(log), log.statuses) == (ALL, ["CONNBROKEN", "CONNECTED"])


def test_a_frame_is_told_by_its_shape_or_by_its_name() -> None:
    index = pd.date_range("2024-01-01", periods=5, freq="D")
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), "none"), index=index)
    for name, told in ((None, "PandasData.DataFrame[5, 5].load"), ("ETH", "PandasData.ETH.load")):
        monitor = ErrorMonitor()
        feed = guard_feed(bt.feeds.PandasData, monitor=monitor)(
            dataname=frame, **({"name": name} if name else {})
        )
        with pytest.raises(DataFeedException):
            run(feed)
        assert list(monitor.get_error_statistics()["by_component"]) == [told]
