"""Feed and broker classes that exist already, guarded."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import backtrader as bt
import pytest
from bt_runs import Log, Scribe

from tradeguard.circuit_breaker import CircuitBreakerConfig
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException, DataFeedException
from tradeguard.retry_manager import RetryConfig, RetryManager
from tradeguard.testing import ManualClock
from tradeguard_backtrader import guard_broker, guard_feed


class Faulty(bt.feed.DataBase):
    """Ten bars of one minute; `_load` raises what its script says before some of them."""

    params = (("faults", None), ("live", False), ("start_faults", None), ("note", "kept"))

    def islive(self) -> bool:
        return bool(self.p.live)

    def start(self) -> None:
        super().start()
        if self.p.start_faults:
            raise self.p.start_faults.pop()
        self.number = 0

    def _load(self) -> bool | None:
        if self.number == 10:
            return False
        faults = (self.p.faults or {}).get(self.number)
        if faults:
            raise faults.pop()
        self.number += 1
        self.lines.datetime[0] = 738_000 + self.number / 1440
        for line in (self.lines.open, self.lines.high, self.lines.low, self.lines.close):
            line[0] = float(self.number)
        self.lines.volume[0] = self.lines.openinterest[0] = 0.0
        return True


def down(times: int = 1) -> list[Exception]:
    return [ConnectionError(f"down {number}") for number in range(times)]


def run(feed: Any, broker: Any = None, script: Any = None) -> Log:
    log = Log()
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.adddata(feed)
    if broker is not None:
        cerebro.setbroker(broker)
    cerebro.addstrategy(Scribe, log=log, script=script or {})
    try:
        cerebro.run()
    finally:
        log.told.append("over")
    return log


@pytest.fixture
def retry() -> RetryManager:
    config = RetryConfig(max_attempts=3, base_delay=1.0, retry_on_exceptions=ConnectionError)
    return RetryManager(config, clock=ManualClock())


def closes(log: Log) -> list[float]:
    return [bar[4] for bar in log.bars]


ALL = [float(number) for number in range(1, 11)]


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


class FaultyBroker(bt.brokers.BackBroker):
    """A broker whose connection is bad."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []
        self.cancel_faults: list[Exception] = []
        self.next_faults: list[Exception] = []
        self.sent = 0

    def submit(self, order: Any, check: bool = True) -> Any:
        self.sent += 1
        if self.faults:
            raise self.faults.pop()
        return super().submit(order, check=check)

    def cancel(self, order: Any, bracket: bool = False) -> Any:
        if self.cancel_faults:
            raise self.cancel_faults.pop()
        return super().cancel(order, bracket)

    def next(self) -> None:
        if self.next_faults:
            raise self.next_faults.pop()
        super().next()


class SendsInBuy(bt.brokers.BackBroker):
    """A broker that sends within `buy`, before there is an order."""

    submit = bt.BrokerBase.submit

    def buy(
        self, owner: Any, data: Any, size: Any, price: Any = None, plimit: Any = None, **options: Any
    ) -> Any:
        raise ConnectionError("down")

    sell = buy


def buy(strategy: Any) -> None:
    strategy.made = strategy.buy(size=1, price=0.5, exectype=bt.Order.Limit, why="a test")


def states(log: Log) -> list[str]:
    return [state for _, state in log.orders]


def test_an_order_that_fails_on_its_way_is_rejected_and_the_run_goes_on() -> None:
    monitor = ErrorMonitor()
    broker = guard_broker(FaultyBroker, monitor=monitor)()
    broker.faults = down()
    log = run(Faulty(), broker, {3: buy, 6: buy})
    assert states(log) == ["Rejected", "Submitted", "Accepted"]
    assert log.clones[0].info["reason"] == "down 0"
    assert closes(log) == ALL
    assert monitor.get_error_statistics()["total_errors"] == 1


def test_an_order_is_sent_once_unless_the_retry_names_the_errors(retry: RetryManager) -> None:
    careless = guard_broker(FaultyBroker, retry=RetryConfig(max_attempts=5, base_delay=0.0))()
    careless.faults = down()
    assert states(run(Faulty(), careless, {3: buy})) == ["Rejected"]
    assert careless.sent == 1

    named = guard_broker(FaultyBroker, retry=retry)()
    named.faults = down()
    assert states(run(Faulty(), named, {3: buy})) == ["Submitted", "Accepted"]
    assert named.sent == 2


def test_while_the_circuit_is_open_orders_are_rejected_unsent() -> None:
    breaker = CircuitBreakerConfig(failure_threshold=1, recovery_timeout=3600.0)
    broker = guard_broker(FaultyBroker, breaker=breaker)()
    broker.faults = down()
    log = run(Faulty(), broker, {3: buy, 5: buy, 7: buy})
    assert states(log) == ["Rejected"] * 3
    assert broker.sent == 1


def test_a_fallback_may_return_the_order() -> None:
    served: list[Any] = []

    def serve(broker: Any, order: Any) -> Any:
        served.append((broker, order))
        return order

    broker = guard_broker(FaultyBroker, fallback=serve)()
    broker.faults = down()
    assert states(run(Faulty(), broker, {3: buy})) == []
    assert served[0][0] is broker


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_broker_that_fails_before_there_is_an_order_has_one_rejected(side: str) -> None:
    def order(strategy: Any) -> None:
        method: Callable[..., Any] = getattr(strategy, side)
        made.append(method(size=2, price=0.5, exectype=bt.Order.Limit))

    made: list[Any] = []
    log = run(Faulty(), guard_broker(SendsInBuy)(), {3: order})
    assert states(log) == ["Rejected"]
    (clone,) = log.clones
    assert made == [clone]
    assert (clone.isbuy(), abs(clone.created.size), clone.created.price) == (side == "buy", 2, 0.5)


def test_a_cancel_that_fails_is_recorded_and_the_run_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    monitor = ErrorMonitor()
    broker = guard_broker(FaultyBroker, monitor=monitor)()
    broker.cancel_faults = down()
    log = run(Faulty(), broker, {3: buy, 5: lambda strategy: strategy.cancel(strategy.made)})
    assert states(log) == ["Submitted", "Accepted"]
    assert closes(log) == ALL
    assert monitor.get_error_statistics()["total_errors"] == 1
    assert "cancel of the broker failed" in caplog.text


def test_a_cancel_is_retried(retry: RetryManager) -> None:
    broker = guard_broker(FaultyBroker, retry=retry)()
    broker.cancel_faults = down(2)
    log = run(Faulty(), broker, {3: buy, 5: lambda strategy: strategy.cancel(strategy.made)})
    assert states(log) == ["Submitted", "Accepted", "Canceled"]


def test_a_turn_that_fails_is_survived() -> None:
    broker = guard_broker(FaultyBroker)()
    broker.next_faults = down(3)
    assert closes(run(Faulty(), broker)) == ALL


def test_only_feeds_and_brokers_can_be_guarded() -> None:
    with pytest.raises(ConfigurationException, match="no feed class"):
        guard_feed(bt.Strategy)
    with pytest.raises(ConfigurationException, match="no broker class"):
        guard_broker(Faulty)
    with pytest.raises(ConfigurationException, match="no feed class"):
        guard_feed(Faulty())  # type: ignore[arg-type]
