"""Orders at a simulated exchange: what a strategy is told, and what it then holds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import backtrader as bt
import pytest
from bt_runs import Log, run

from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader import GuardedBroker, GuardedStore

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
Limit, Stop, StopLimit = bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit


@pytest.fixture
def trade(simulate: Simulate, guarded: Simulate, store_of: Stores) -> Callable[..., tuple[Log, Any]]:
    """Trades a script on an exchange with 5 ETH and 1 BTC; returns the log and the exchange."""

    def start(script: Any, *, bars: int = 12, **options: Any) -> tuple[Log, Any]:
        simulated = simulate(balances={"ETH": 5, "BTC": 1})
        store = store_of(guarded(simulated))
        log = run(store, script=script, trading=True, history=3, bars=bars, **options)
        return log, simulated

    return start


def states(log: Log) -> list[str]:
    return [state for _, state in log.orders]


def test_a_market_order_is_submitted_accepted_and_completed(trade: Any) -> None:
    log, simulated = trade({5: lambda strategy: strategy.buy(size=2)})
    assert states(log) == ["Submitted", "Accepted", "Completed"]
    done = log.clones[-1]
    (trade_done,) = simulated.trades()
    assert (done.executed.size, done.executed.remsize) == (2.0, 0.0)
    assert done.executed.price == float(trade_done.price)
    assert done.info["order_id"] == simulated.orders()[0].order_id
    assert done.info["client_order_id"] == simulated.orders()[0].client_order_id


def test_a_fee_in_coin_is_told_in_quote_currency_and_shrinks_the_position(trade: Any) -> None:
    held: list[float] = []
    log, simulated = trade(
        {5: lambda strategy: strategy.buy(size=2), 8: lambda strategy: held.append(strategy.position.size)}
    )
    (fill,) = simulated.trades()
    assert fill.fee_asset == "ETH"
    assert log.clones[-1].executed.comm == pytest.approx(float(fill.fee * fill.price))
    assert held == [float(simulated.balances()["ETH"].total)] == [6.998]


def test_a_round_trip_is_a_closed_trade_whose_profit_is_what_the_account_gained(trade: Any) -> None:
    log, simulated = trade(
        {5: lambda strategy: strategy.buy(size=2), 9: lambda strategy: strategy.sell(size=1.998)}
    )
    assert [(each.isopen, each.isclosed) for each in log.trades] == [(True, False), (False, True)]
    assert log.trades[-1].size == 0.0
    balances = simulated.balances()
    assert balances["ETH"].total == 5
    assert log.trades[-1].pnlcomm == pytest.approx(float(balances["BTC"].total) - 1.0, abs=2e-8)


def test_cash_and_position_agree_with_the_exchange_right_after_a_fill(trade: Any) -> None:
    seen: list[tuple[float, float, float]] = []

    def look(strategy: Any) -> None:
        if len(strategy.log.bars) > 3:
            broker = strategy.broker
            seen.append((strategy.position.size, broker.get_cash(), broker.getcash()))

    log, simulated = trade({5: lambda strategy: strategy.buy(size=2)}, each=look)
    balances = simulated.balances()
    after = (float(balances["ETH"].total), float(balances["BTC"].total), float(balances["BTC"].total))
    assert set(seen) == {(5.0, 1.0, 1.0), after}
    assert "Completed" in states(log)


def test_value_is_cash_and_coin_at_the_last_close(trade: Any) -> None:
    seen: list[tuple[float, float]] = []

    def look(strategy: Any) -> None:
        broker, close = strategy.broker, strategy.data.close[0]
        seen.append((broker.get_value(), 1.0 + 5.0 * close))
        assert broker.getvalue() == broker.get_value()
        assert broker.get_value([strategy.data]) == pytest.approx(5.0 * close)
        assert broker.fundvalue == broker.get_value()

    trade({}, each=look)
    assert all(value == pytest.approx(expected) for value, expected in seen)
    assert len(seen) == 15


def test_the_account_is_known_before_the_first_bar(trade: Any) -> None:
    first: list[Any] = []

    def look(strategy: Any) -> None:
        broker = strategy.broker
        first.append((strategy.position.size, broker.startingcash, broker.startingvalue > 1.2))
        first.append(broker.snapshot_age())

    trade({1: look})
    assert first[0] == (5.0, 1.0, True)
    assert first[1] == pytest.approx(0.0, abs=0.5)


def test_coins_that_were_there_before_can_be_left_out(trade: Any) -> None:
    seen: list[tuple[float, float]] = []
    log, _ = trade(
        {
            1: lambda strategy: seen.append((strategy.position.size, strategy.broker.get_value())),
            5: lambda strategy: strategy.buy(size=2),
            8: lambda strategy: seen.append((strategy.position.size, strategy.broker.get_value())),
        },
        broker={"use_positions": False},
    )
    assert seen[0] == (0.0, 1.0)
    assert seen[1][0] == 1.998
    assert seen[1][1] == pytest.approx(1.0, rel=1e-3)
    assert states(log)[-1] == "Completed"


def test_a_limit_order_locks_cash_until_it_is_cancelled(trade: Any) -> None:
    cash: list[float] = []

    def order(strategy: Any) -> None:
        strategy.kept = strategy.buy(size=2, exectype=Limit, price=0.04)

    log, _ = trade(
        {
            5: order,
            7: lambda strategy: (cash.append(strategy.broker.get_cash()), strategy.cancel(strategy.kept)),
            9: lambda strategy: cash.append(strategy.broker.get_cash()),
        }
    )
    assert states(log) == ["Submitted", "Accepted", "Canceled"]
    assert cash == [pytest.approx(0.92), 1.0]


@pytest.mark.parametrize(("limit", "locked"), [(None, 0.12), (0.061, 0.122)])
def test_a_stop_that_rests_at_the_exchange_locks_cash_at_once(
    trade: Any, limit: float | None, locked: float
) -> None:
    """At each bar what is told is what the exchange has free, whenever the account was refreshed."""
    cash: list[float] = []
    kind = bt.Order.Stop if limit is None else bt.Order.StopLimit
    script = {
        5: lambda strategy: strategy.buy(size=2, exectype=kind, price=0.06, plimit=limit),
        6: lambda strategy: cash.append(strategy.broker.get_cash()),
    }
    log, simulated = trade(script)
    assert states(log) == ["Submitted", "Accepted"]
    assert cash == [pytest.approx(1 - locked)] == [float(simulated.balances()["BTC"].free)]


def test_an_order_that_is_cancelled_at_once_ends_canceled_whatever_came_first(trade: Any) -> None:
    def order(strategy: Any) -> None:
        strategy.cancel(strategy.buy(size=2, exectype=Limit, price=0.04))

    log, simulated = trade({5: order})
    assert states(log) == ["Submitted", "Canceled"]
    assert simulated.orders() == []


def test_cancelling_what_has_ended_changes_nothing(trade: Any) -> None:
    def order(strategy: Any) -> None:
        strategy.kept = strategy.buy(size=1)

    log, _ = trade({5: order, 8: lambda strategy: strategy.cancel(strategy.kept)})
    assert states(log) == ["Submitted", "Accepted", "Completed"]


def test_a_limit_order_that_is_reached_later_is_completed_then(trade: Any) -> None:
    def order(strategy: Any) -> None:
        strategy.sell(size=1, exectype=Limit, price=strategy.data.close[0] * 1.0004)

    log, simulated = trade({5: order}, bars=60)
    assert states(log) == ["Submitted", "Accepted", "Completed"]
    assert log.clones[-1].executed.price == float(simulated.orders()[0].price)


@pytest.mark.parametrize("kind", [Stop, StopLimit])
def test_stop_orders_work_at_the_exchange(trade: Any, kind: int) -> None:
    def order(strategy: Any) -> None:
        close = strategy.data.close[0]
        strategy.sell(
            size=1, exectype=kind, price=close - 2e-6, plimit=close - 4e-5 if kind == StopLimit else None
        )

    log, simulated = trade({5: order}, bars=90)
    (placed,) = simulated.orders()
    assert str(placed.type) == ("stop_loss" if kind == Stop else "stop_loss_limit")
    assert states(log) == ["Submitted", "Accepted", "Completed"]


@pytest.mark.parametrize("valid", [timedelta(seconds=3), "datetime", "number"])
def test_an_order_whose_time_is_over_expires(trade: Any, valid: Any) -> None:
    def order(strategy: Any) -> None:
        until = strategy.data.datetime.datetime(0) + timedelta(seconds=3)
        chosen = (
            {"datetime": until, "number": bt.date2num(until)}.get(valid, valid)
            if isinstance(valid, str)
            else valid
        )
        strategy.buy(size=1, exectype=Limit, price=0.04, valid=chosen)

    log, simulated = trade({5: order})
    assert states(log) == ["Submitted", "Accepted", "Expired"]
    assert str(simulated.orders()[0].status) == "CANCELED"


def test_a_day_order_lives_until_the_day_is_over(trade: Any) -> None:
    log, simulated = trade(
        {5: lambda strategy: strategy.buy(size=1, exectype=Limit, price=0.04, valid=bt.Order.DAY)}
    )
    assert states(log) == ["Submitted", "Accepted"]
    assert str(simulated.orders()[0].status) == "NEW"


def test_too_little_cash_is_margin(trade: Any) -> None:
    log, simulated = trade({5: lambda strategy: strategy.buy(size=50)})
    assert states(log) == ["Submitted", "Margin"]
    assert "insufficient" in log.clones[-1].info["reason"]
    assert simulated.orders() == []


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"size": 0.00001}, "minimum"),
        ({"size": 0.0015}, "cost"),
        ({"size": 1e6}, "above the most"),
        ({"size": 1, "exectype": Limit, "price": 1e-9}, "no price"),
        ({"size": 1, "exectype": bt.Order.StopTrail, "price": 0.05}, "trailamount"),
    ],
)
def test_what_the_exchange_cannot_do_is_rejected_before_any_request(
    trade: Any, order: dict[str, Any], reason: str
) -> None:
    log, simulated = trade({5: lambda strategy: strategy.buy(**order)})
    assert states(log) == ["Rejected"]
    assert reason in log.clones[-1].info["reason"]
    assert [request for request in simulated.requests if request.method == "POST"] == []


def test_a_size_that_the_market_does_not_know_is_rounded_down_and_said_so(trade: Any) -> None:
    log, simulated = trade({5: lambda strategy: strategy.buy(size=1.23456789)})
    done = log.clones[-1]
    assert (done.created.size, done.executed.size, done.info["requested_size"]) == (
        1.2345,
        1.2345,
        1.23456789,
    )
    assert simulated.orders()[0].amount == Decimal("1.2345")
    assert done.getstatusname() == "Completed"


def test_what_is_left_and_cannot_be_traded_keeps_no_trade_open(trade: Any) -> None:
    """A fee of 0.0000555 leaves 0.0554445, of which 0.0554 can be sold."""
    script = {5: lambda strategy: strategy.buy(size=0.0555), 9: lambda strategy: strategy.close()}
    log, _ = trade(script, broker={"use_positions": False})
    assert [clone.executed.size for clone in log.clones if clone.status == bt.Order.Completed] == [
        0.0555,
        -0.0554,
    ]
    assert [each.isclosed for each in log.trades] == [False, True]
    assert log.sizes()[-1] == pytest.approx(0.0000445)


def test_parameters_go_through_to_the_exchange_and_other_keywords_into_the_orders_info(trade: Any) -> None:
    log, simulated = trade(
        {
            5: lambda strategy: strategy.buy(
                size=1, exectype=Limit, price=0.04, params={"clientOrderId": "mine-1"}, why="a test"
            )
        }
    )
    assert simulated.orders()[0].client_order_id == "mine-1"
    assert log.clones[0].info["why"] == "a test"


def test_positions_are_told_by_strategy_and_broker_alike(trade: Any) -> None:
    def look(strategy: Any) -> None:
        data, broker = strategy.data, strategy.broker
        kept = broker.getposition(data, clone=False)
        assert broker.getposition(data).size == kept.size == 5.0
        assert broker.getposition(data) is not kept
        looked.append(kept.price)

    looked: list[float] = []
    trade({4: look})
    assert looked[0] > 0


def test_the_order_that_is_asked_for_tells_where_it_stands(trade: Any) -> None:
    seen: list[int] = []

    def order(strategy: Any) -> None:
        strategy.kept = strategy.buy(size=1)

    trade({5: order, 8: lambda strategy: seen.append(strategy.broker.orderstatus(strategy.kept))})
    assert seen == [bt.Order.Completed]


def test_the_last_order_of_a_run_is_settled_before_the_run_is_over(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    simulated = simulate(balances={"ETH": 5, "BTC": 1})
    store = store_of(guarded(simulated))
    log = run(store, script={6: lambda strategy: strategy.buy(size=1)}, trading=True, history=3, bars=3)
    broker = store.getbroker()
    assert len(log.bars) == 6
    assert broker.get_cash() == float(simulated.balances()["BTC"].free)
    assert broker._executions.position("ETH/BTC").size == float(simulated.balances()["ETH"].total)


def test_an_order_that_rests_at_the_end_stays_at_the_exchange(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    """It is placed at the last bar, so that the end of the run hears of it."""
    simulated = simulate(balances={"ETH": 5, "BTC": 1})
    store = store_of(guarded(simulated))
    script = {6: lambda strategy: strategy.buy(size=1, exectype=Limit, price=0.04)}
    log = run(store, script=script, trading=True, history=3, bars=3)
    assert len(log.bars) == 6
    assert str(simulated.orders()[0].status) == "NEW"
    assert store.getbroker()._desks.is_quiet  # no cancel is on its way


def test_a_broker_without_a_store_says_what_it_lacks() -> None:
    with pytest.raises(ConfigurationException, match="getbroker"):
        GuardedBroker()


def test_a_store_has_one_broker(simulate: Simulate, guarded: Simulate, store_of: Stores) -> None:
    store = store_of(guarded(simulate()))
    broker = store.getbroker(use_positions=False)
    assert store.getbroker() is broker
    assert store.getbroker(use_positions=False) is broker
    with pytest.raises(ConfigurationException, match="has a broker already"):
        store.getbroker(use_positions=True)


def test_runs_that_save_memory_can_trade(trade: Any) -> None:
    """Between bars Backtrader keeps the last one only, and orders end then too."""

    def order(strategy: Any) -> None:
        strategy.kept = strategy.buy(size=1, exectype=Limit, price=0.04)
        strategy.buy(size=50)

    def cancel(strategy: Any) -> None:
        strategy.cancel(strategy.kept)
        strategy.buy(size=2)

    log, _ = trade({5: order, 8: cancel}, cerebro={"exactbars": 1})
    assert sorted(state for _, state in log.orders) == [
        "Accepted", "Accepted", "Canceled", "Completed", "Margin", "Submitted", "Submitted", "Submitted",
    ]  # fmt: skip


def test_orders_are_notified_with_the_next_bar_too_where_that_is_asked_for(
    simulate: Simulate, guarded: Simulate, store_of: Stores
) -> None:
    store = store_of(guarded(simulate(balances={"ETH": 5, "BTC": 1})))
    script = {5: lambda strategy: strategy.buy(size=1)}
    log = run(store, script=script, trading=True, history=3, bars=8, cerebro={"quicknotify": False})
    assert states(log) == ["Submitted", "Accepted", "Completed"]
    assert len(log.trades) == 1
