"""The broker classes that exist already, guarded."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest
from bt_faulty import ALL, Faulty, FaultyBroker, SendsInBuy, buy, closes, down, run, states
from bt_runs import Log, Scribe

from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException
from tradeguard.retry_manager import RetryConfig, RetryManager
from tradeguard_backtrader import guard_broker


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


class LiveBroker(bt.BrokerBase):
    """A broker whose market is elsewhere; it sends whole brackets with their last order, and keeps no account."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[Exception] = []
        self.next_faults: list[Exception] = []
        self.sent: list[Any] = []
        self.bad: set[int] = set()
        self.startingcash = 0.0

    def getcash(self) -> float:
        return 0.0

    def getvalue(self, datas: Any = None) -> float:
        return 0.0

    get_cash, get_value = getcash, getvalue

    def getposition(self, data: Any) -> Any:
        return bt.Position()

    def get_notification(self) -> Any:
        return None

    def next(self) -> None:
        if self.next_faults:
            raise self.next_faults.pop()

    def buy(self, owner: Any, data: Any, size: Any, *_: Any, exectype: Any = None, **options: Any) -> Any:
        return self._place(bt.order.BuyOrder, owner, data, size, exectype, options)

    def sell(self, owner: Any, data: Any, size: Any, *_: Any, exectype: Any = None, **options: Any) -> Any:
        return self._place(bt.order.SellOrder, owner, data, size, exectype, options)

    def _place(
        self, make: Any, owner: Any, data: Any, size: Any, exectype: Any, options: dict[str, Any]
    ) -> Any:
        if exectype in self.bad:
            raise ConnectionError("down")
        parent, transmit = options.get("parent"), options.get("transmit", True)
        order = make(owner=owner, data=data, size=size, exectype=exectype, parent=parent, transmit=transmit)
        self.sent.append(order)
        return order


def test_a_turn_of_a_live_broker_that_fails_is_survived() -> None:
    monitor = ErrorMonitor()
    broker = guard_broker(LiveBroker, monitor=monitor)()
    broker.next_faults = down(3)
    assert closes(run(Faulty(), broker)) == ALL
    assert monitor.get_error_statistics()["total_errors"] == 3


def test_a_simulated_turn_that_fails_is_raised_and_recorded() -> None:
    """What the broker had taken out of its book would stay Accepted for ever."""
    monitor = ErrorMonitor()
    broker = guard_broker(FaultyBroker, monitor=monitor)()

    def no_size(order: Any, price: float, ago: int) -> float:
        raise ZeroDivisionError("no volume")

    broker.set_filler(no_size)
    with pytest.raises(ZeroDivisionError, match="no volume"):
        run(Faulty(), broker, {3: lambda strategy: strategy.buy(size=1)})
    assert monitor.get_error_statistics()["total_errors"] == 1


class BadStops(bt.brokers.BackBroker):
    """A broker that cannot submit orders of one type."""

    bad: frozenset[int] = frozenset()

    def submit(self, order: Any, check: bool = True) -> Any:
        if order.exectype in self.bad:
            raise ConnectionError("down")
        return super().submit(order, check=check)


BRACKET = {"entry": bt.Order.Market, "stop": bt.Order.Stop, "limit": bt.Order.Limit}


@pytest.mark.parametrize("bad", BRACKET)
@pytest.mark.parametrize("cls", [BadStops, LiveBroker])
def test_a_bracket_of_which_one_order_cannot_be_submitted_is_rejected_whole(cls: Any, bad: str) -> None:
    def bracket(strategy: Any) -> None:
        made.extend(strategy.buy_bracket(size=1, exectype=bt.Order.Market, stopprice=1, limitprice=9))

    made: list[Any] = []
    broker = guard_broker(cls)()
    broker.bad = {BRACKET[bad]}
    log = run(
        Faulty(), broker, {3: bracket, 5: lambda strategy: strategy.buy(size=1, exectype=bt.Order.Close)}
    )
    assert [log.of(order) for order in made] == [["Rejected"]] * 3
    assert broker.getposition(None).size == 0
    assert [order.exectype for order in made] == list(BRACKET.values())
    reasons = [clone.info["reason"] for clone in log.clones if clone.status == clone.Rejected]
    assert sum(reason == "down" for reason in reasons) == 1
    if cls is LiveBroker:
        assert not any(order.transmit for order in broker.sent[:-1])  # the last one is no part of it
    else:
        assert not any(order.ref in broker._pchildren for order in made)
        assert states(log)[3:] == ["Submitted", "Accepted"]


def test_a_whole_bracket_goes_out_and_a_later_failure_is_its_own() -> None:
    def bracket(strategy: Any) -> None:
        made.extend(strategy.buy_bracket(size=1, exectype=bt.Order.Market, stopprice=0.1, limitprice=99))

    def late(strategy: Any) -> None:
        strategy.broker.bad = {bt.Order.StopLimit}
        made.append(strategy.sell(size=1, exectype=bt.Order.StopLimit, price=1, plimit=1, parent=made[0]))

    made: list[Any] = []
    log = run(Faulty(), guard_broker(BadStops)(), {3: bracket, 6: late})
    assert [log.of(order)[-1] for order in made] == ["Completed", "Accepted", "Accepted", "Rejected"]


def test_each_broker_has_a_circuit_of_its_own() -> None:
    cls = guard_broker(
        FaultyBroker, breaker=CircuitBreakerConfig(failure_threshold=1, recovery_timeout=3600.0)
    )
    first, second = cls(), cls()
    first.faults = down()
    assert states(run(Faulty(), first, {3: buy, 6: buy})) == ["Rejected"] * 2
    assert states(run(Faulty(), second, {3: buy})) == ["Submitted", "Accepted"]
    assert states(run(Faulty(), pickle.loads(pickle.dumps(second)), {3: buy})) == ["Submitted", "Accepted"]


def test_a_circuit_is_shared_by_all_brokers_of_the_class() -> None:
    circuit = CircuitBreaker("orders", CircuitBreakerConfig(failure_threshold=1, recovery_timeout=3600.0))
    cls = guard_broker(FaultyBroker, breaker=circuit)
    first, second = cls(), cls()
    first.faults = down()
    run(Faulty(), first, {3: buy})
    assert states(run(Faulty(), second, {3: buy})) == ["Rejected"]


@pytest.mark.parametrize("base", [FaultyBroker, SendsInBuy])
def test_a_broker_that_is_guarded_twice_has_both_layers(base: Any, retry: RetryManager) -> None:
    inner, outer = ErrorMonitor(), ErrorMonitor()
    broker = guard_broker(guard_broker(base, monitor=inner), retry=retry, monitor=outer)()
    broker.faults, broker.cancel_faults = down(2), down(2)
    log = run(Faulty(), broker, {3: buy, 5: lambda strategy: strategy.cancel(strategy.made)})
    if base is FaultyBroker:
        assert states(log) == ["Submitted", "Accepted", "Canceled"]
        assert outer.get_error_statistics()["rescues"]["retry"] == 2
    else:
        assert states(log) == ["Rejected"]
    assert inner.get_error_statistics()["total_errors"] >= 3


def test_a_guarded_broker_alone_has_the_run_stopped_when_it_fails() -> None:
    class Counted(bt.brokers.BackBroker):
        stops = 0

        def stop(self) -> None:
            self.stops += 1

    def fail(_: Any) -> None:
        raise KeyError("a defect")

    log, cerebro, broker = Log(), bt.Cerebro(stdstats=False), guard_broker(guard_broker(Counted))()
    with pytest.raises(AttributeError, match="not set in a Cerebro"):
        _ = broker.cerebro
    cerebro.setbroker(broker)
    twin = pickle.loads(pickle.dumps(cerebro))
    assert twin.broker.cerebro is twin
    cerebro.adddata(Faulty())
    cerebro.addstrategy(Scribe, log=log, script={3: fail})
    with pytest.raises(KeyError):
        cerebro.run()
    assert (log.stops, broker.stops, broker.cerebro) == (1, 1, cerebro)


def test_a_fallback_needs_a_submit_that_it_can_stand_in_for() -> None:
    with pytest.raises(ConfigurationException, match="fallback must be None for a broker class without"):
        guard_broker(SendsInBuy, fallback=lambda broker, order: order)
