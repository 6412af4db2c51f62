"""Looking up orders, trades and balances, as ccxt's own binance does it over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ccxt
import pytest

from tradeguard.simulator import Fault, FaultKind, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start


def rest(client: ccxt.binance, client_order_id: str, price: float = 0.04, amount: float = 1) -> str:
    order = client.create_order("ETH/BTC", "limit", "buy", amount, price, {"clientOrderId": client_order_id})
    return str(order["id"])


def test_order_is_found_by_id_and_by_client_id(binance: ccxt.binance) -> None:
    order_id = rest(binance, "mine")
    by_id = binance.fetch_order(order_id, "ETH/BTC")
    by_client_id = binance.fetch_order(None, "ETH/BTC", {"clientOrderId": "mine"})
    assert by_id["clientOrderId"] == "mine"
    assert by_client_id["id"] == order_id


def test_newest_order_answers_for_a_client_id_that_was_used_again(binance: ccxt.binance) -> None:
    binance.cancel_order(rest(binance, "again"), "ETH/BTC")
    newer = rest(binance, "again", amount=2)
    found = binance.fetch_order(None, "ETH/BTC", {"clientOrderId": "again"})
    assert (found["id"], found["amount"]) == (newer, 2.0)


def test_order_is_not_found_under_another_symbol(binance: ccxt.binance) -> None:
    order_id = rest(binance, "mine")
    with pytest.raises(ccxt.OrderNotFound):
        binance.fetch_order(order_id, "BTC/USDT")


def test_open_orders_of_one_symbol_and_of_all(binance: ccxt.binance) -> None:
    rest(binance, "first")
    binance.create_order("BTC/USDT", "limit", "buy", 0.1, 30_000, {"clientOrderId": "second"})
    binance.create_order("ETH/BTC", "market", "buy", 1)
    binance.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    here = [order["clientOrderId"] for order in binance.fetch_open_orders("ETH/BTC")]
    everywhere = [order["clientOrderId"] for order in binance.fetch_open_orders()]
    assert (here, everywhere) == (["first"], ["first", "second"])


def test_all_orders_are_pages_by_id_by_time_and_by_limit(binance: ccxt.binance, clock: ManualClock) -> None:
    ids = []
    for number in range(5):
        ids.append(rest(binance, f"order-{number}"))
        clock.advance(1)
    third_at = binance.fetch_order(ids[2], "ETH/BTC")["timestamp"]
    newest = binance.fetch_orders("ETH/BTC", limit=2)
    since_third = binance.fetch_orders("ETH/BTC", since=third_at)
    from_second = binance.fetch_orders("ETH/BTC", limit=2, params={"orderId": ids[1]})
    assert [order["id"] for order in newest] == ids[-2:]
    assert [order["id"] for order in since_third] == ids[2:]
    assert [order["id"] for order in from_second] == ids[1:3]


def test_closed_and_canceled_orders_stay_in_all_orders(binance: ccxt.binance) -> None:
    binance.cancel_order(rest(binance, "canceled"), "ETH/BTC")
    binance.create_order("ETH/BTC", "market", "buy", 1, None, {"clientOrderId": "filled"})
    states = {order["clientOrderId"]: order["status"] for order in binance.fetch_orders("ETH/BTC")}
    assert states == {"canceled": "canceled", "filled": "closed"}


def test_trades_are_found_by_order_by_id_and_by_time(binance: ccxt.binance, clock: ManualClock) -> None:
    orders = []
    for _ in range(3):
        orders.append(binance.create_order("ETH/BTC", "market", "buy", 1))
        clock.advance(1)
    trades = binance.fetch_my_trades("ETH/BTC")
    of_second = binance.fetch_my_trades("ETH/BTC", params={"orderId": orders[1]["id"]})
    from_second = binance.private_get_mytrades({"symbol": "ETHBTC", "fromId": trades[1]["id"], "limit": 1})
    since_third = binance.fetch_my_trades("ETH/BTC", since=orders[2]["timestamp"])
    assert [trade["order"] for trade in trades] == [order["id"] for order in orders]
    assert of_second == [trades[1]]
    assert [str(trade["id"]) for trade in from_second] == [trades[1]["id"]]
    assert since_third == [trades[2]]
    assert binance.fetch_my_trades("BTC/USDT") == []


def test_trades_and_order_tell_the_same_fill(binance: ccxt.binance) -> None:
    order = binance.create_order("ETH/BTC", "market", "sell", 60)
    trades = binance.fetch_my_trades("ETH/BTC")
    assert len(trades) > 1
    assert sum(trade["amount"] for trade in trades) == pytest.approx(order["filled"])
    assert sum(trade["cost"] for trade in trades) == pytest.approx(order["cost"])
    assert {trade["takerOrMaker"] for trade in trades} == {"taker"}


def test_balance_is_free_and_used_and_total(binance: ccxt.binance) -> None:
    rest(binance, "mine", price=0.04, amount=10)
    balance = binance.fetch_balance()
    assert (balance["BTC"]["free"], balance["BTC"]["used"], balance["BTC"]["total"]) == (9.6, 0.4, 10.0)


def test_empty_balances_can_be_left_out(start: Start, connect: Connect) -> None:
    client = connect(start(balances={"ETH": 1, "BTC": 0}))
    assets = [row["asset"] for row in client.private_get_account({"omitZeroBalances": "true"})["balances"]]
    assert assets == ["ETH"]


def test_accounts_see_their_own_orders_only(
    exchange: SimulatedExchange, binance: ccxt.binance, connect: Connect
) -> None:
    order_id = rest(binance, "mine")
    exchange.add_account("other", {"ETH": 1, "BTC": 1})
    other = connect(exchange, "other")
    assert other.fetch_orders("ETH/BTC") == []
    with pytest.raises(ccxt.OrderNotFound):
        other.cancel_order(order_id, "ETH/BTC")
    assert exchange.orders("other") == []


def test_new_order_is_invisible_to_every_look_up_for_the_lag(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    client = connect(start(visibility_lag=3.0))
    client.load_markets()
    resting = rest(client, "hidden")
    client.create_order("ETH/BTC", "market", "buy", 1)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(resting, "ETH/BTC")
    hidden = (
        client.fetch_open_orders("ETH/BTC"),
        client.fetch_orders("ETH/BTC"),
        client.fetch_my_trades("ETH/BTC"),
    )
    clock.advance(3.0)
    assert hidden == ([], [], [])
    assert client.fetch_order(resting, "ETH/BTC")["clientOrderId"] == "hidden"
    assert len(client.fetch_orders("ETH/BTC")) == 2
    assert len(client.fetch_my_trades("ETH/BTC")) >= 1


def test_invisible_order_can_be_canceled_and_blocks_its_client_id(start: Start, connect: Connect) -> None:
    client = connect(start(visibility_lag=3.0))
    client.load_markets()
    rest(client, "hidden")
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate"):
        rest(client, "hidden")
    assert client.cancel_order(None, "ETH/BTC", {"clientOrderId": "hidden"})["status"] == "canceled"


def test_lag_fault_hides_young_orders_from_one_look_up(
    exchange: SimulatedExchange, binance: ccxt.binance
) -> None:
    order_id = rest(binance, "mine")
    exchange.faults.add(Fault(FaultKind.LOOKUP_LAG, "lookup", delay=60))
    with pytest.raises(ccxt.OrderNotFound):
        binance.fetch_order(order_id, "ETH/BTC")
    assert binance.fetch_order(order_id, "ETH/BTC")["id"] == order_id
