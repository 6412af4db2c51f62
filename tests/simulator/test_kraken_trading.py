"""Kraken's private endpoints, as ccxt's own kraken trades over HTTP."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from tradeguard.simulator import Fault, FaultKind, ReplayMarket, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

DIP = [[n * 60_000, *([90.0, 90.0, 80.0, 80.0] if n == 2 else [100.0] * 4), 80.0] for n in range(6)]


def buy(client: ccxt.kraken, price: float = 0.04, amount: float = 1, **params: Any) -> Any:
    return client.create_order("ETH/BTC", "limit", "buy", amount, price, params)


def deadline(clock: ManualClock, seconds: float) -> str:
    return datetime.fromtimestamp(clock.time() + seconds, UTC).isoformat()


def test_limit_order_rests_under_krakens_id(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    order = buy(kraken, clientOrderId="mine")
    found = kraken.fetch_order(order["id"])
    assert re.fullmatch(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", order["id"])
    assert (order["symbol"], order["side"], order["price"], order["amount"]) == ("ETH/BTC", "buy", 0.04, 1.0)
    assert (found["status"], found["clientOrderId"], found["price"], found["amount"]) == (
        "open",
        "mine",
        0.04,
        1,
    )
    assert kraken_exchange.orders()[0].order_id == order["id"]
    assert kraken.fetch_open_orders("ETH/BTC", params={"clientOrderId": "mine"})[0]["id"] == order["id"]
    assert kraken.fetch_open_orders("ETH/BTC", params={"clientOrderId": "other"}) == []


def test_market_order_fills_and_tells_average_fee_and_trades(kraken: ccxt.kraken) -> None:
    order = kraken.fetch_order(kraken.create_order("ETH/BTC", "market", "sell", 60)["id"])
    trades = kraken.fetch_my_trades("ETH/BTC")
    assert (order["status"], order["filled"], len(order["trades"])) == ("closed", 60.0, len(trades))
    assert sum(trade["cost"] for trade in trades) == pytest.approx(order["cost"])
    assert sum(trade["fee"]["cost"] for trade in trades) == pytest.approx(float(order["fee"]["cost"]))
    assert {(trade["order"], trade["takerOrMaker"]) for trade in trades} == {(order["id"], "taker")}
    assert kraken.fetch_order_trades(order["id"], params={"trades": order["trades"]}) == trades


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_fees_are_taken_in_quote_currency(kraken: ccxt.kraken, side: str) -> None:
    order = kraken.fetch_order(kraken.create_order("ETH/BTC", "market", side, 3)["id"])
    balance = kraken.fetch_balance()["total"]
    sign, fee = (1 if side == "buy" else -1), float(order["fee"]["cost"])
    assert order["fee"]["currency"] == "BTC"
    assert fee == pytest.approx(order["cost"] * 0.001, abs=2e-8)
    assert balance["ETH"] == 100 + 3 * sign
    assert balance["BTC"] == pytest.approx(10 - sign * order["cost"] - fee, abs=1e-12)


def test_open_buy_holds_its_fee_too(kraken: ccxt.kraken) -> None:
    order = buy(kraken, price=0.04, amount=10)
    balance = kraken.fetch_balance()["BTC"]
    assert (balance["free"], balance["used"], balance["total"]) == (9.5996, 0.4004, 10)
    kraken.cancel_order(order["id"])
    assert kraken.fetch_balance()["BTC"]["free"] == 10
    assert kraken.private_post_balance()["result"]["XXBT"] == "10.00000000"


def test_fees_follow_the_exchanges_rate(kraken: ccxt.kraken) -> None:
    fees = kraken.fetch_trading_fee("ETH/BTC")
    assert (fees["maker"], fees["taker"]) == (0.001, 0.001)


def test_market_buy_by_cost_spends_no_more(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    kraken.create_market_buy_order_with_cost("ETH/BTC", 0.5)
    order = kraken_exchange.orders()[0]
    assert order.status == "FILLED"
    assert Decimal("0.499") < order.cost <= Decimal("0.5")


def test_immediate_order_leaves_nothing_open(kraken: ccxt.kraken) -> None:
    ask = kraken.fetch_ticker("ETH/BTC")["ask"]
    order = kraken.fetch_order(buy(kraken, price=ask, amount=95, timeInForce="IOC")["id"])
    assert order["status"] == "canceled"
    assert 0 < order["filled"] < 95
    nothing = kraken.fetch_order(buy(kraken, price=ask, amount=95, timeInForce="FOK")["id"])
    assert (nothing["status"], nothing["filled"]) == ("canceled", 0)


def test_stop_orders_wait_for_their_price(start: Start, connect: Connect, clock: ManualClock) -> None:
    clock.set_time(1_700_000_040.0)
    market = ReplayMarket(DIP, "ETH/USDT", timeframe="1m", history=1)
    client = connect(start(market=market, dialect="kraken"))
    stop = client.create_order("ETH/USDT", "market", "sell", 1, None, {"stopLossPrice": 95})
    limited = client.create_order("ETH/USDT", "limit", "sell", 1, 99, {"stopLossPrice": 95})
    waiting = client.fetch_order(limited["id"])
    clock.advance(90)
    assert (waiting["status"], waiting["stopLossPrice"], waiting["price"]) == ("open", 95, 99)
    assert client.fetch_order(stop["id"])["status"] == "closed"
    assert client.fetch_order(limited["id"])["status"] == "open"


def test_take_profit_waits_for_a_better_price(kraken: ccxt.kraken) -> None:
    order = kraken.create_order("ETH/BTC", "market", "sell", 1, None, {"takeProfitPrice": 0.09})
    assert kraken.fetch_order(order["id"])["takeProfitPrice"] == 0.09


def test_client_ids_are_unique_among_open_orders_only(kraken: ccxt.kraken) -> None:
    first = buy(kraken, clientOrderId="mine")
    with pytest.raises(ccxt.ExchangeError, match="EOrder:Duplicate cl_ord_id"):
        buy(kraken, clientOrderId="mine")
    kraken.cancel_order(None, params={"clientOrderId": "mine"})
    second = buy(kraken, clientOrderId="mine")
    closed = kraken.fetch_closed_orders(params={"clientOrderId": "mine"})
    assert [order["id"] for order in closed] == [first["id"]]
    assert kraken.fetch_order(second["id"])["status"] == "open"


@pytest.mark.parametrize(
    ("client_id", "is_taken"),
    [
        ("6d1b345e-2821-40e2-ad83-4ecb18a06876", True),
        ("6d1b345e282140e2ad834ecb18a06876", True),
        ("eighteen-characte!", True),
        ("nineteen-characters", False),
        ("with space", False),
    ],
)
def test_client_ids_have_three_forms(kraken: ccxt.kraken, client_id: str, is_taken: bool) -> None:
    if is_taken:
        assert kraken.fetch_order(buy(kraken, clientOrderId=client_id)["id"])["clientOrderId"] == client_id
    else:
        with pytest.raises(ccxt.ExchangeError, match="Invalid arguments:cl_ord_id"):
            buy(kraken, clientOrderId=client_id)


def test_user_references_group_orders(kraken: ccxt.kraken) -> None:
    for reference in (7, 7, 8):
        buy(kraken, userref=reference)
    assert len(kraken.fetch_open_orders(params={"userref": 7})) == 2
    kraken.cancel_order(None, params={"userref": 7})
    assert [order["clientOrderId"] for order in kraken.fetch_open_orders()] == ["8"]


def test_batch_places_what_it_can(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    def order(amount: float, client_id: str) -> dict[str, Any]:
        params = {"clientOrderId": client_id}
        return {
            "symbol": "ETH/BTC",
            "type": "limit",
            "side": "buy",
            "amount": amount,
            "price": 0.04,
            "params": params,
        }

    placed = kraken.create_orders([order(1, "a"), order(2, "b")])
    with pytest.raises(ccxt.InsufficientFunds):
        kraken.create_orders([order(3, "c"), order(9999, "d")])
    on_book = {order.client_order_id: order.order_id for order in kraken_exchange.orders()}
    assert list(on_book) == ["a", "b", "c"]
    assert [one["id"] for one in placed] == [on_book["a"], on_book["b"]]


@pytest.mark.parametrize("count", [1, 16])
def test_batch_has_two_to_fifteen_orders(kraken: ccxt.kraken, count: int) -> None:
    order = {"symbol": "ETH/BTC", "type": "limit", "side": "buy", "amount": 0.1, "price": 0.04}
    with pytest.raises(ccxt.ExchangeError, match="Invalid arguments:orders"):
        kraken.create_orders([order] * count)


def test_amended_order_keeps_id_and_client_id(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken
) -> None:
    order = buy(kraken, clientOrderId="mine")
    kraken.edit_order(order["id"], "ETH/BTC", "limit", "buy", 2, 0.041)
    found = kraken.fetch_order(order["id"])
    assert (found["price"], found["amount"], found["clientOrderId"]) == (0.041, 2, "mine")
    assert kraken.fetch_balance()["BTC"]["used"] == pytest.approx(2 * 0.041 * 1.001)
    kraken.edit_order(None, "ETH/BTC", "limit", "buy", 2, 0.06, {"clientOrderId": "mine"})
    assert kraken.fetch_order(order["id"])["status"] == "closed"
    assert len(kraken_exchange.orders()) == 1


def test_refused_amendment_changes_nothing(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    order = buy(kraken)
    before = (kraken_exchange.orders(), kraken_exchange.balances())
    with pytest.raises(ccxt.InsufficientFunds):
        kraken.edit_order(order["id"], "ETH/BTC", "limit", "buy", 1000, 0.04)
    with pytest.raises(ccxt.ExchangeError, match="Post only"):
        kraken.edit_order(order["id"], "ETH/BTC", "limit", "buy", 1, 0.06, {"postOnly": True})
    assert (kraken_exchange.orders(), kraken_exchange.balances()) == before


def test_stop_order_is_amended_in_its_own_prices(kraken: ccxt.kraken) -> None:
    stop = kraken.create_order("ETH/BTC", "limit", "sell", 1, 0.03, {"stopLossPrice": 0.035})
    kraken.edit_order(stop["id"], "ETH/BTC", "limit", "sell", 2, 0.031, {"stopLossPrice": 0.034})
    found = kraken.fetch_order(stop["id"])
    assert (found["amount"], found["price"], found["stopLossPrice"]) == (2, 0.031, 0.034)
    for order_id, params in ((stop["id"], {"postOnly": True}), (buy(kraken)["id"], {"stopLossPrice": 0.034})):
        with pytest.raises(ccxt.InvalidOrder, match="Invalid arguments:price"):
            kraken.edit_order(order_id, "ETH/BTC", "limit", "sell", 1, None, params)


def test_orders_are_canceled_one_by_one_by_batch_and_all(kraken: ccxt.kraken) -> None:
    ids = [buy(kraken)["id"] for _ in range(5)]
    counts = [
        kraken.cancel_order(ids[0])["info"],
        kraken.cancel_orders(ids[:3])[0]["info"],
        kraken.cancel_all_orders()[0]["info"],
        kraken.cancel_all_orders()[0]["info"],
    ]
    assert [count["result"]["count"] for count in counts] == [1, 2, 2, 0]
    with pytest.raises(ccxt.OrderNotFound, match="EOrder:Unknown order"):
        kraken.cancel_order(ids[0])
    assert {order["status"] for order in kraken.fetch_closed_orders()} == {"canceled"}


def test_closed_orders_and_trades_come_in_pages_of_fifty_newest_first(
    kraken: ccxt.kraken, clock: ManualClock
) -> None:
    ids = []
    for _ in range(52):
        ids.append(kraken.create_order("ETH/BTC", "market", "buy", 0.01)["id"])
        clock.advance(1)
    first, second = (kraken.private_post_closedorders({"ofs": offset})["result"] for offset in (0, 50))
    assert list(first["closed"]) == ids[:1:-1]
    assert list(second["closed"]) == ids[1::-1]
    assert (first["count"], len(kraken.private_post_tradeshistory()["result"]["trades"])) == (52, 50)
    since = kraken.fetch_order(ids[50])["timestamp"] - 1000  # Kraken leaves out what is of that very time
    assert [order["id"] for order in kraken.fetch_closed_orders(since=since)] == ids[50:]


def test_unknown_order_is_left_out_of_the_answer(kraken: ccxt.kraken) -> None:
    order_id = buy(kraken)["id"]
    with pytest.raises(ccxt.OrderNotFound):
        kraken.fetch_order("OAAAAA-AAAAA-AAAAAA")
    found = kraken.fetch_orders_by_ids([order_id, "OAAAAA-AAAAA-AAAAAA"])
    assert [order["id"] for order in found] == [order_id]
    with pytest.raises(ccxt.ExchangeError, match="EOrder:Invalid order"):
        kraken.fetch_order("nonsense")


def test_accounts_see_their_own_orders_only(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken, connect: Connect
) -> None:
    order_id = buy(kraken)["id"]
    kraken_exchange.add_account("other", {"ETH": 1})
    other = connect(kraken_exchange, "other")
    with pytest.raises(ccxt.OrderNotFound):
        other.fetch_order(order_id)
    with pytest.raises(ccxt.OrderNotFound):
        other.cancel_order(order_id)


def test_validation_places_nothing(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    assert buy(kraken, validate="true")["id"] is None
    assert kraken_exchange.orders() == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
        ({"volume": "1.00001"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "-1"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "0.001", "price": "0.001"}, "EOrder:Order minimum not met"),
        ({"volume": "1000"}, "EOrder:Insufficient funds"),
        ({"price": "0.04000001"}, "EGeneral:Invalid arguments:price"),
        ({"price": ""}, "EGeneral:Invalid arguments:price"),
        ({"pair": "NONE"}, "EQuery:Unknown asset pair"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"ordertype": "trailing-stop"}, "EGeneral:Invalid arguments:ordertype"),
        ({"oflags": "fast"}, "EGeneral:Invalid arguments:oflags"),
        ({"oflags": "viqc"}, "EGeneral:Invalid arguments:viqc"),
        ({"oflags": "post", "price": "0.06"}, "EOrder:Post only order"),
        ({"timeinforce": "GTD"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"leverage": "2:1"}, "EGeneral:Invalid arguments:leverage"),
        ({"userref": "x"}, "EGeneral:Invalid arguments:userref"),
        ({"userref": "1", "cl_ord_id": "a"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
    ],
)
def test_order_is_refused_in_krakens_words(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken, change: dict[str, str], error: str
) -> None:
    order = {"pair": "ETHXBT", "type": "buy", "ordertype": "limit", "volume": "1", "price": "0.04", **change}
    with pytest.raises(ccxt.BaseError, match=re.escape(f'"{error}"')):
        kraken.private_post_addorder(order)
    assert kraken_exchange.orders() == []
    assert kraken_exchange.requests[-1].status == 200


@pytest.mark.parametrize(("seconds", "is_taken"), [(1.9, False), (2, True), (60, True), (60.1, False)])
def test_deadline_lies_within_a_minute(
    kraken: ccxt.kraken, clock: ManualClock, seconds: float, is_taken: bool
) -> None:
    if is_taken:
        assert buy(kraken, deadline=deadline(clock, seconds))["id"] is not None
    else:
        with pytest.raises(ccxt.ExchangeError, match="deadline"):
            buy(kraken, deadline=deadline(clock, seconds))


@pytest.mark.parametrize(("delay", "is_accepted"), [(5.0, True), (5.001, False)])
def test_engine_refuses_what_reaches_it_after_its_deadline(
    kraken_exchange: SimulatedExchange,
    kraken: ccxt.kraken,
    clock: ManualClock,
    delay: float,
    is_accepted: bool,
) -> None:
    fault = Fault(FaultKind.LATE_ACCEPTANCE, "create", delay=delay / 2, unchecked=delay / 2)
    kraken_exchange.faults.add(fault)
    with pytest.raises(ccxt.NetworkError):
        buy(kraken, clientOrderId="late", deadline=deadline(clock, 5))
    clock.advance(60)
    assert [order.client_order_id for order in kraken_exchange.orders()] == ["late"] * is_accepted


def test_late_answer_after_the_deadline_says_so(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken, clock: ManualClock
) -> None:
    kraken_exchange.faults.add(Fault(FaultKind.LATE, "create", delay=6))
    with pytest.raises(ccxt.ExchangeError, match="EService:Deadline elapsed"):
        buy(kraken, deadline=deadline(clock, 5))
    assert kraken_exchange.orders() == []
