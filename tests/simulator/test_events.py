"""What listeners are told of orders, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from tradeguard.simulator import Fault, FaultKind, OrderEvent, Phase, ReplayMarket, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

DIP = [[n * 60_000, *([90.0, 90.0, 80.0, 80.0] if n == 2 else [100.0] * 4), 80.0] for n in range(6)]


def story(events: list[OrderEvent]) -> list[tuple[str, str, str]]:
    return [(event.order.client_order_id, str(event.kind), str(event.order.status)) for event in events]


def buy(client: Any, name: str, price: float = 0.04, amount: float = 1, **params: Any) -> Any:
    return client.create_order("ETH/BTC", "limit", "buy", amount, price, {"clientOrderId": name, **params})


def test_resting_order_is_accepted_and_canceled(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    events: list[OrderEvent] = []
    exchange.listen(events.append)
    buy(binance, "mine")
    binance.cancel_order(None, "ETH/BTC", {"clientOrderId": "mine"})
    assert story(events) == [("mine", "accepted", "NEW"), ("mine", "canceled", "CANCELED")]
    assert {event.order.account for event in events} == {"default"}


def test_every_fill_is_told_with_its_trade(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    events: list[OrderEvent] = []
    exchange.listen(events.append)
    params = {"clientOrderId": "mine"}
    binance.create_order("ETH/BTC", "market", "buy", 60, None, params)
    fills = [event for event in events if event.kind == "filled"]
    assert [event.kind for event in events] == ["accepted"] + ["filled"] * len(fills)
    assert [event.trade for event in fills] == exchange.trades()
    assert [event.order.status for event in fills[-2:]] == ["PARTIALLY_FILLED", "FILLED"]
    filled = [sum(event.trade.quantity for event in fills[: n + 1] if event.trade) for n in range(len(fills))]
    assert [event.order.filled for event in fills] == filled


def test_remainder_of_an_immediate_order_expires(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    events: list[OrderEvent] = []
    exchange.listen(events.append)
    buy(binance, "mine", binance.fetch_ticker("ETH/BTC")["ask"], 95, timeInForce="IOC")
    assert story(events)[0] == ("mine", "accepted", "NEW")
    assert story(events)[-1] == ("mine", "expired", "EXPIRED")


def test_stop_order_is_accepted_triggered_and_filled_by_the_market(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    clock.set_time(1_700_000_040.0)
    exchange = start(market=ReplayMarket(DIP, "ETH/USDT", timeframe="1m", history=1))
    events: list[OrderEvent] = []
    exchange.listen(events.append)
    params = {"stopLossPrice": 95, "clientOrderId": "stop"}
    connect(exchange).create_order("ETH/USDT", "market", "sell", 1, None, params)
    clock.advance(90)
    exchange.orders()
    assert [event.kind for event in events] == ["accepted", "triggered", "filled"]
    assert events[1].time_ms == events[2].time_ms == 1_700_000_040_000 + 60_000


def test_amended_order_is_told(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    events: list[OrderEvent] = []
    kraken_exchange.listen(events.append)
    kraken.edit_order(buy(kraken, "mine")["id"], "ETH/BTC", "limit", "buy", 2, 0.041)
    assert story(events) == [("mine", "accepted", "NEW"), ("mine", "amended", "NEW")]
    assert events[1].order.amount == 2


def test_refused_order_tells_nothing(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    events: list[OrderEvent] = []
    exchange.listen(events.append)
    with pytest.raises(ccxt.InsufficientFunds):
        buy(binance, "mine", amount=10_000)
    assert events == []


def test_events_are_told_although_the_answer_was_lost(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    events: list[OrderEvent] = []
    exchange.listen(events.append)
    exchange.faults.add(Fault(FaultKind.DROPPED, "create", Phase.AFTER, fills=True))
    exchange.faults.add(Fault(FaultKind.LATE_ACCEPTANCE, "create", delay=1))
    for name in ("lost", "late"):
        with pytest.raises(ccxt.NetworkError):
            buy(binance, name)
    clock.advance(1)
    exchange.orders()
    assert [name for name, *_ in story(events)] == ["lost", "lost", "late"]


def test_listener_that_has_left_is_told_no_more(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    stayed: list[OrderEvent] = []
    left: list[OrderEvent] = []
    leave = exchange.listen(left.append)
    exchange.listen(stayed.append)
    buy(binance, "first")
    leave()
    leave()
    buy(binance, "second")
    assert (len(left), len(stayed)) == (1, 2)
