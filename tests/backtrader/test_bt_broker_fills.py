"""Partial fills, late trades, races and orders in doubt, on an exchange whose every answer is decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, Log, run

from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.orders.errors import (
    JournalError,
    OrderAbsentError,
    OrderUnknownError,
    TradingRestrictedError,
)
from tradeguard_backtrader import GuardedStore, StoreConfig

Stores = Callable[..., GuardedStore]
Limit = bt.Order.Limit


def states(log: Log) -> list[str]:
    return [state for _, state in log.orders]


def sizes(log: Log) -> list[float]:
    return [abs(clone.executed.size) for clone in log.clones]


@pytest.fixture
def trade(scripted: ScriptedExchange, store_of: Stores) -> Callable[..., Log]:
    def start(script: Any, *, bars: int = 20, config: StoreConfig | None = None, **options: Any) -> Log:
        settings = {} if config is None else {"config": config}
        return run(
            store_of(scripted, **settings), script=script, trading=True, history=2, bars=bars, **options
        )

    return start


def limit(size: float = 1.0) -> Callable[[Any], Any]:
    def order(strategy: Any) -> None:
        strategy.kept = strategy.buy(size=size, exectype=Limit, price=0.05)

    return order


def test_ten_fills_of_a_tenth_complete_an_order_of_one(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    for number in range(10):
        clock.at(4.5 + number, lambda: scripted.fill("1", 0.1))
    log = trade({4: limit()})
    assert states(log) == ["Submitted", "Accepted", *["Partial"] * 9, "Completed"]
    assert sizes(log)[2:] == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert log.clones[-1].executed.remsize == 0.0
    assert [len(list(clone.executed.iterpending())) for clone in log.clones] == [0, 0, *[1] * 10]


def test_many_fills_between_two_looks_are_each_notified(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    clock.at(4.5, lambda: [scripted.fill("1", 0.1) for _ in range(10)])
    log = trade({4: limit()})
    assert states(log) == ["Submitted", "Accepted", *["Partial"] * 9, "Completed"]
    assert len(log.trades) == 1
    assert log.trades[0].price == pytest.approx(0.05)


def test_a_trade_that_the_exchange_shows_twice_is_one_fill(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    def fill_twice() -> None:
        scripted.fill("1", 0.4, trade_id="a")
        scripted.trades["1"].append(dict(scripted.trades["1"][0]))

    clock.at(4.5, fill_twice)
    clock.at(8.5, lambda: scripted.fill("1", 0.6, trade_id="b"))
    log = trade({4: limit()})
    assert states(log) == ["Submitted", "Accepted", "Partial", "Completed"]
    assert sizes(log) == [0.0, 0.0, 0.4, 1.0]


def test_an_order_is_not_completed_before_its_trades_are_there(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    late: list[Any] = []
    seen: list[int] = []

    def fill() -> None:
        scripted.fill("1", 1.0)
        late.append(scripted.trades["1"].pop())

    clock.at(4.5, fill)
    clock.at(9.5, lambda: scripted.trades["1"].append(late.pop()))
    log = trade({4: limit(), 9: lambda strategy: seen.append(strategy.kept.status)})
    assert seen == [bt.Order.Accepted]
    assert states(log) == ["Submitted", "Accepted", "Completed"]


def test_trades_that_never_come_are_made_up_for_from_the_order(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    def fill() -> None:
        scripted.fill("1", 0.4, price=0.04)
        scripted.trades["1"].clear()

    clock.at(4.5, fill)
    clock.at(12.5, lambda: scripted.fill("1", 0.6, price=0.05, trade_id="late"))
    log = trade({4: limit()}, config=StoreConfig(patience=2.0))
    assert states(log) == ["Submitted", "Accepted", "Partial", "Completed"]
    assert sizes(log) == [0.0, 0.0, 0.4, 1.0]


def test_an_exchange_without_trades_of_its_own_tells_fills_by_the_order(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    scripted.has["fetchOrderTrades"] = False
    clock.at(4.5, lambda: scripted.fill("1", 0.4, price=0.04))
    clock.at(7.5, lambda: scripted.fill("1", 0.6, price=0.05))
    log = trade({4: limit()})
    assert sizes(log) == [0.0, 0.0, 0.4, 1.0]
    assert scripted.called("fetch_order_trades") == []


def test_trades_are_found_among_all_of_ones_own(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    scripted.has |= {"fetchOrderTrades": False, "fetchMyTrades": True}
    scripted.place("77", amount=5.0)
    scripted.orders["77"]["status"] = "canceled"
    clock.at(4.5, lambda: (scripted.fill("2", 0.4), scripted.fill("77", 5.0)))
    log = trade({4: limit()})
    assert sizes(log) == [0.0, 0.0, 0.4]


@pytest.mark.parametrize("error", [ccxt.NotSupported, ccxt.ArgumentsRequired, ccxt.BadRequest])
@pytest.mark.parametrize("has_own", [True, False])
def test_what_cannot_be_asked_for_by_order_is_looked_for_elsewhere(
    trade: Any, scripted: ScriptedExchange, clock: EventClock, error: type[Exception], has_own: bool
) -> None:
    """Among all trades since the order, and failing these in the order itself: its fee counts either way."""
    scripted.has |= {"fetchMyTrades": True}
    scripted.fail("fetch_order_trades", error("no such question"))
    if not has_own:
        scripted.fail("fetch_my_trades", error("nor this one"))

    def fill() -> None:
        scripted.fill("1", 0.4, cost=0.00002, currency="BTC")
        scripted.orders["1"]["fee"] = {"cost": 0.00002, "currency": "BTC"}

    def fill_rest() -> None:
        scripted.fill("1", 0.6, cost=0.00003, currency="BTC")
        scripted.orders["1"]["fee"] = {"cost": 0.00005, "currency": "BTC"}

    clock.at(4.5, fill)
    clock.at(7.5, fill_rest)
    log = trade({4: limit()})
    assert states(log) == ["Submitted", "Accepted", "Partial", "Completed"]
    assert [clone.executed.comm for clone in log.clones[2:]] == pytest.approx([0.00002, 0.00005])
    assert len(scripted.called("fetch_order_trades")) == 1
    asked = scripted.called("fetch_my_trades")
    assert len(asked) == (2 if has_own else 1)
    assert all(since < scripted.orders["1"]["timestamp"] for _, since in asked)


def test_a_fill_that_races_a_cancel_is_told_before_the_end(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.on["cancel_order"] = lambda: scripted.fill("1", 0.3) if not scripted.trades["1"] else None
    log = trade({4: limit(), 8: lambda strategy: strategy.cancel(strategy.kept)})
    assert states(log) == ["Submitted", "Accepted", "Partial", "Canceled"]
    assert sizes(log)[-1] == 0.3


def test_a_cancel_that_comes_too_late_finds_the_order_completed(
    trade: Any, scripted: ScriptedExchange
) -> None:
    scripted.on["cancel_order"] = lambda: scripted.fill("1", 1.0) if not scripted.trades["1"] else None
    log = trade({4: limit(), 8: lambda strategy: strategy.cancel(strategy.kept)})
    assert states(log) == ["Submitted", "Accepted", "Completed"]


def test_a_cancel_that_does_not_get_through_is_tried_until_it_does(
    trade: Any, scripted: ScriptedExchange
) -> None:
    scripted.fail("cancel_order", *[ccxt.NetworkError("down")] * 3)
    log = trade({4: limit(), 6: lambda strategy: strategy.cancel(strategy.kept)})
    assert states(log) == ["Submitted", "Accepted", "Canceled"]
    assert log.kinds().count("cancel_failed") == 1


def test_an_order_that_the_exchange_ends_has_that_end(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    clock.at(4.5, lambda: (scripted.fill("1", 0.25), scripted.orders["1"].update(status="expired")))
    log = trade({4: limit()})
    assert states(log) == ["Submitted", "Accepted", "Partial", "Expired"]


def test_an_order_that_is_not_visible_at_once_is_waited_for(trade: Any, scripted: ScriptedExchange) -> None:
    scripted.fail("create_order", {"id": "1", "status": None, "filled": None})
    scripted.fail("fetch_order", ccxt.OrderNotFound("not yet"), ccxt.OrderNotFound("not yet"))
    scripted.place("1", amount=1.0, filled=0.0)
    scripted.orders["1"]["status"] = "pending"  # so that it is not adopted as open
    log = trade(
        {4: limit(), 6: lambda _: (scripted.orders["1"].update(status="open"), scripted.fill("1", 1.0))}
    )
    assert states(log) == ["Submitted", "Accepted", "Completed"]
    assert "account" not in log.kinds()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (ccxt.InsufficientFunds("no money"), "Margin"),
        (ccxt.InvalidOrder("too small"), "Rejected"),
        (ccxt.BadRequest("odd"), "Rejected"),
        (ccxt.AuthenticationError("bad key"), "Rejected"),
        (ccxt.OperationRejected("not now"), "Rejected"),
        (OrderAbsentError("proved absent"), "Rejected"),
        (TradingRestrictedError("halted until resume()"), "Rejected"),
        (JournalError("disk full"), "Rejected"),
    ],
)
def test_an_order_that_is_certain_not_to_exist_is_over(
    trade: Any, scripted: ScriptedExchange, error: Exception, state: str
) -> None:
    scripted.fail("create_order", error)
    log = trade({4: limit()})
    assert states(log) == ["Submitted", state]
    assert str(error) in log.clones[-1].info["reason"]


@pytest.mark.parametrize(
    "outcome",
    [
        ccxt.RequestTimeout("late"),
        ccxt.NetworkError("dropped"),
        ccxt.ExchangeNotAvailable("502"),
        ccxt.ExchangeError("odd"),
        ccxt.DuplicateOrderId("again"),
        ccxt.InvalidOrder("Duplicate order sent."),
        ccxt.OrderNotFound("placed, and not visible yet"),
        KeyError("orderId"),
        {"id": None},
        "<html>",
        OrderUnknownError("may exist"),
    ],
)
def test_an_order_that_may_exist_is_never_taken_for_dead(
    trade: Any, scripted: ScriptedExchange, outcome: Any
) -> None:
    scripted.fail("create_order", outcome)
    log = trade({4: limit()}, bars=40)
    assert states(log) == ["Submitted"]
    assert log.kinds() == ["order_in_doubt"]
    assert len(scripted.called("create_order")) == 1


class Journaled(ScriptedExchange):
    """An exchange that, like a guarded one, finds out in the end what became of an order."""

    intents: list[OrderIntent]
    ends: IntentStatus

    def recover_orders(self) -> list[OrderIntent]:
        self.calls.append(("recover_orders", ()))
        if len(self.called("recover_orders")) < 4:
            return self.intents
        return [
            intent.replace(status=self.ends, order_id="1" if self.ends is IntentStatus.PLACED else None)
            for intent in self.intents
        ]


def intent(clock: EventClock, client_order_id: str = "abc") -> OrderIntent:
    now = datetime.fromtimestamp(clock.time() + 3, UTC)
    return OrderIntent(
        client_order_id=client_order_id, symbol="ETH/BTC", type="limit", side="buy", amount=1.0, price=0.05,
        status=IntentStatus.UNKNOWN, created_at=now, updated_at=now,
    )  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("balance_refresh", [0.5, 60.0])
def test_an_order_in_doubt_that_is_found_goes_on_as_if_nothing_had_been(
    clock: EventClock, store_of: Stores, named: bool, balance_refresh: float
) -> None:
    """Found by the client order id that the error names, or as the one order that it can be.

    A balance in the meantime has the fill already, or there is none; the position is right in either case.
    """
    exchange = Journaled(clock)
    exchange.intents, exchange.ends = [intent(clock)], IntentStatus.PLACED
    error = OrderUnknownError("may exist", client_order_id="abc") if named else ccxt.NetworkError("dropped")

    def lose() -> None:
        exchange.place("1", amount=1.0)
        exchange.fill("1", 1.0)
        exchange.balance = {"ETH": (6.0, 0.0), "BTC": (0.95, 0.0)}

    exchange.fail("create_order", error)
    exchange.on["create_order"] = lose
    config = StoreConfig(balance_refresh=balance_refresh)
    log = run(store_of(exchange, config=config), script={4: limit()}, trading=True, history=2, bars=30)
    assert states(log) == ["Submitted", "Accepted", "Completed"]
    assert log.clones[-1].info["order_id"] == "1"
    assert ("Completed", 6.0) in log.held
    assert set(log.sizes()) == {5.0, 6.0}


@pytest.mark.parametrize("ends", [IntentStatus.ABSENT, IntentStatus.REJECTED])
def test_an_order_in_doubt_that_is_proved_absent_is_rejected(
    clock: EventClock, store_of: Stores, ends: IntentStatus
) -> None:
    exchange = Journaled(clock)
    exchange.intents, exchange.ends = [intent(clock)], ends
    exchange.fail("create_order", OrderUnknownError("may exist", client_order_id="abc"))
    log = run(store_of(exchange), script={4: limit()}, trading=True, history=2, bars=30)
    assert states(log) == ["Submitted", "Rejected"]
    assert "does not exist" in log.clones[-1].info["reason"]


def test_an_order_in_doubt_that_could_be_either_of_two_stays_in_doubt(
    clock: EventClock, store_of: Stores
) -> None:
    exchange = Journaled(clock)
    exchange.intents, exchange.ends = [intent(clock, "a"), intent(clock, "b")], IntentStatus.PLACED
    exchange.fail("create_order", ccxt.NetworkError("dropped"))
    log = run(store_of(exchange), script={4: limit()}, trading=True, history=2, bars=30)
    assert states(log) == ["Submitted"]


def test_an_order_in_doubt_that_is_cancelled_is_cancelled_when_it_is_found(
    clock: EventClock, store_of: Stores
) -> None:
    exchange = Journaled(clock)
    exchange.intents, exchange.ends = [intent(clock)], IntentStatus.PLACED
    exchange.fail("create_order", OrderUnknownError("may exist", client_order_id="abc"))
    exchange.on["create_order"] = lambda: exchange.place("1", amount=1.0)
    script = {4: limit(), 5: lambda strategy: strategy.cancel(strategy.kept)}
    log = run(store_of(exchange), script=script, trading=True, history=2, bars=30)
    assert states(log) == ["Submitted", "Accepted", "Canceled"]


def test_a_fee_in_a_third_currency_is_converted_at_its_price(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    scripted.markets["BNB/BTC"] = {"symbol": "BNB/BTC", "spot": True}
    scripted.ticker = 0.01
    clock.at(4.5, lambda: scripted.fill("1", 1.0, cost=0.03, currency="BNB"))
    log = trade({4: limit()})
    assert log.clones[-1].executed.comm == pytest.approx(0.0003)


def test_a_fee_whose_price_nobody_tells_counts_as_nothing_and_says_so(
    trade: Any, scripted: ScriptedExchange, clock: EventClock
) -> None:
    clock.at(4.5, lambda: scripted.fill("1", 1.0, cost=0.03, currency="XYZ"))
    clock.at(4.5, lambda: scripted.balance.update(ETH=(6.0, 0.0)))
    log = trade({4: limit()})
    assert log.clones[-1].executed.comm == 0.0
    assert log.kinds() == ["fee"]
