"""Placing, replacing and canceling orders, as ccxt's own binance does it over HTTP."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from tradeguard.simulator import OrderStatus, ReplayMarket, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

STEADY = [[n * 60_000, 100.0, 100.0, 100.0, 100.0, 80.0] for n in range(3)]
FALLING = [*STEADY, [180_000, 100.0, 100.0, 90.0, 90.0, 80.0], [240_000, 90.0, 90.0, 90.0, 90.0, 80.0]]
RISING = [*STEADY, [180_000, 100.0, 110.0, 100.0, 110.0, 80.0], [240_000, 110.0, 110.0, 110.0, 110.0, 80.0]]


@pytest.fixture
def on(start: Start, connect: Connect) -> Any:
    """Replay rows of ETH/USDT, a second each, and connect to it after the third."""

    def opened(rows: list[list[float]]) -> tuple[SimulatedExchange, ccxt.binance]:
        exchange = start(
            market=ReplayMarket(rows, "ETH/USDT", history=2), balances={"ETH": 50, "USDT": 10_000}
        )
        client = connect(exchange)
        client.load_markets()
        return exchange, client

    return opened


def free(exchange: SimulatedExchange, asset: str) -> Decimal:
    return exchange.balances()[asset].free


def locked(exchange: SimulatedExchange, asset: str) -> Decimal:
    return exchange.balances()[asset].locked


def test_market_buy_fills_at_the_ask_and_pays_the_fee_in_what_it_receives(on: Any) -> None:
    exchange, client = on(STEADY)
    ask = client.fetch_order_book("ETH/USDT")["asks"][0][0]
    order = client.create_order("ETH/USDT", "market", "buy", 1)
    assert (order["status"], order["filled"], order["average"]) == ("closed", 1.0, ask)
    assert order["fee"] == {"currency": "ETH", "cost": 0.001}
    assert free(exchange, "ETH") == Decimal("50.999")
    assert free(exchange, "USDT") == Decimal(10_000) - Decimal(str(ask))


def test_market_order_walks_the_levels_of_the_book(on: Any) -> None:
    _, client = on(STEADY)
    levels = client.fetch_order_book("ETH/USDT")["asks"]
    first, second = levels[0], levels[1]
    order = client.create_order("ETH/USDT", "market", "buy", round(first[1] + 0.5, 4))
    fills = [(trade["price"], trade["amount"]) for trade in order["trades"]]
    assert fills == [(first[0], first[1]), (second[0], 0.5)]


def test_what_was_taken_is_gone_until_the_next_print(on: Any, clock: ManualClock) -> None:
    _, client = on(STEADY)
    best = client.fetch_order_book("ETH/USDT")["asks"][0]
    client.create_order("ETH/USDT", "market", "buy", best[1])
    assert client.fetch_order_book("ETH/USDT")["asks"][0][0] > best[0]
    clock.advance(0.5)
    assert client.fetch_order_book("ETH/USDT")["asks"][0][0] == best[0]


def test_market_order_sized_by_cost_never_costs_more(on: Any) -> None:
    _, client = on(STEADY)
    order = client.create_market_buy_order_with_cost("ETH/USDT", 250)
    assert order["status"] == "closed"
    assert 249.9 < order["cost"] <= 250


def test_limit_order_rests_and_locks_its_price(on: Any) -> None:
    exchange, client = on(STEADY)
    order = client.create_order("ETH/USDT", "limit", "buy", 2, 95)
    assert (order["status"], order["filled"], order["remaining"]) == ("open", 0.0, 2.0)
    assert locked(exchange, "USDT") == Decimal(190)
    assert [one["id"] for one in client.fetch_open_orders("ETH/USDT")] == [order["id"]]


def test_resting_order_fills_as_maker_when_the_market_reaches_it(on: Any, clock: ManualClock) -> None:
    exchange, client = on(FALLING)
    order = client.create_order("ETH/USDT", "limit", "buy", 2, 95)
    clock.advance(2)
    filled = client.fetch_order(order["id"], "ETH/USDT")
    trades = client.fetch_my_trades("ETH/USDT")
    assert (filled["status"], filled["filled"], filled["average"]) == ("closed", 2.0, 95.0)
    assert [trade["takerOrMaker"] for trade in trades] == ["maker"] * len(trades)
    assert locked(exchange, "USDT") == 0
    assert free(exchange, "ETH") == Decimal("51.998")


def test_resting_order_fills_in_parts_as_the_market_trades(on: Any, clock: ManualClock) -> None:
    rows = [*STEADY, [180_000, 100.0, 100.0, 95.0, 95.0, 4.0], [240_000, 95.0, 95.0, 95.0, 95.0, 400.0]]
    _, client = on(rows)
    order = client.create_order("ETH/USDT", "limit", "buy", 20, 95)
    clock.advance(1.999)
    part = client.fetch_order(order["id"], "ETH/USDT")
    assert part["status"] == "open"
    assert 0 < part["filled"] < 4
    clock.advance(1)
    assert client.fetch_order(order["id"], "ETH/USDT")["status"] == "closed"
    assert sum(trade["amount"] for trade in client.fetch_my_trades("ETH/USDT")) == pytest.approx(20)


def test_marketable_limit_order_takes_up_to_its_price_and_rests_with_the_rest(on: Any) -> None:
    exchange, client = on(STEADY)
    best = client.fetch_order_book("ETH/USDT")["asks"][0]
    price = round(best[0] + 0.001, 3)
    order = client.create_order("ETH/USDT", "limit", "buy", round(best[1] + 3, 4), price)
    assert (order["status"], order["filled"], order["average"]) == ("open", best[1], best[0])
    assert locked(exchange, "USDT") == Decimal(3) * Decimal(str(price))
    assert client.fetch_order_book("ETH/USDT")["bids"][0] == [price, 3.0]


def test_immediate_or_cancel_fills_what_it_can_and_expires(on: Any) -> None:
    exchange, client = on(STEADY)
    best = client.fetch_order_book("ETH/USDT")["asks"][0]
    amount = round(best[1] + 3, 4)
    order = client.create_order("ETH/USDT", "limit", "buy", amount, best[0], {"timeInForce": "IOC"})
    assert (order["status"], order["filled"]) == ("expired", best[1])
    assert locked(exchange, "USDT") == 0


def test_fill_or_kill_fills_all_or_nothing(on: Any) -> None:
    exchange, client = on(STEADY)
    best = client.fetch_order_book("ETH/USDT")["asks"][0]
    params = {"timeInForce": "FOK"}
    killed = client.create_order("ETH/USDT", "limit", "buy", round(best[1] + 3, 4), best[0], params)
    filled = client.create_order("ETH/USDT", "limit", "buy", 1, best[0], params)
    assert (killed["status"], killed["filled"]) == ("expired", 0.0)
    assert (filled["status"], filled["filled"]) == ("closed", 1.0)
    assert locked(exchange, "USDT") == 0


def test_maker_only_order_rests_or_is_refused(on: Any) -> None:
    exchange, client = on(STEADY)
    resting = client.create_order("ETH/USDT", "limit", "buy", 1, 99, {"postOnly": True})
    assert client.fetch_order(resting["id"], "ETH/USDT")["postOnly"]
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        client.create_order("ETH/USDT", "limit", "buy", 1, 101, {"postOnly": True})
    assert len(exchange.orders()) == 1


@pytest.mark.parametrize(
    ("rows", "side", "params"),
    [
        (FALLING, "sell", {"stopLossPrice": 95}),
        (FALLING, "buy", {"takeProfitPrice": 95}),
        (RISING, "buy", {"stopLossPrice": 105}),
        (RISING, "sell", {"takeProfitPrice": 105}),
    ],
)
@pytest.mark.parametrize("kind", ["market", "limit"])
def test_stop_order_waits_for_its_price_and_then_trades(
    on: Any, clock: ManualClock, rows: list[list[float]], side: str, params: dict[str, float], kind: str
) -> None:
    exchange, client = on(rows)
    price = None if kind == "market" else (120 if side == "buy" else 80)
    order = client.create_order("ETH/USDT", kind, side, 1, price, params)
    waiting = client.fetch_order(order["id"], "ETH/USDT")
    assert (waiting["status"], waiting["info"]["isWorking"]) == ("open", False)
    clock.advance(2)
    done = client.fetch_order(order["id"], "ETH/USDT")
    assert (done["status"], done["filled"], done["info"]["isWorking"]) == ("closed", 1.0, True)
    assert all(balance.locked == 0 for balance in exchange.balances().values())


def test_triggered_stop_limit_rests_at_its_limit(on: Any, clock: ManualClock) -> None:
    exchange, client = on(FALLING)
    order = client.create_order("ETH/USDT", "limit", "sell", 1, 150, {"stopLossPrice": 95})
    clock.advance(2)
    resting = client.fetch_order(order["id"], "ETH/USDT")
    assert (resting["status"], resting["info"]["isWorking"]) == ("open", True)
    assert locked(exchange, "ETH") == 1


def test_stop_buy_without_the_money_when_it_triggers_expires(on: Any, clock: ManualClock) -> None:
    exchange, client = on(RISING)
    order = client.create_order("ETH/USDT", "market", "buy", 90, None, {"stopLossPrice": 105})
    client.create_order("ETH/USDT", "limit", "buy", 5, 98)
    clock.advance(2)
    assert client.fetch_order(order["id"], "ETH/USDT")["status"] == "expired"
    assert locked(exchange, "USDT") == 490


def test_cancel_gives_back_what_was_locked(on: Any) -> None:
    exchange, client = on(STEADY)
    order = client.create_order("ETH/USDT", "limit", "sell", 3, 150)
    canceled = client.cancel_order(order["id"], "ETH/USDT")
    assert canceled["status"] == "canceled"
    assert exchange.balances()["ETH"].free == 50
    assert exchange.orders()[0].status is OrderStatus.CANCELED


def test_cancel_by_client_order_id(on: Any) -> None:
    _, client = on(STEADY)
    client.create_order("ETH/USDT", "limit", "sell", 3, 150, {"clientOrderId": "mine"})
    canceled = client.cancel_order(None, "ETH/USDT", {"clientOrderId": "mine"})
    # As at Binance, `clientOrderId` is then the id of the cancel itself.
    assert (canceled["status"], canceled["info"]["origClientOrderId"]) == ("canceled", "mine")


def test_cancel_may_bring_an_id_of_its_own_and_a_condition(on: Any) -> None:
    _, client = on(STEADY)
    order = client.create_order("ETH/USDT", "limit", "sell", 1, 150, {"stopLossPrice": 90})
    params = {"newClientOrderId": "the-cancel", "cancelRestrictions": "ONLY_NEW"}
    answer = client.cancel_order(order["id"], "ETH/USDT", params)["info"]
    assert (answer["clientOrderId"], answer["status"]) == ("the-cancel", "CANCELED")
    assert float(answer["stopPrice"]) == 90


def test_cancel_all_cancels_one_symbol_only(binance: ccxt.binance) -> None:
    binance.create_order("ETH/BTC", "limit", "buy", 1, 0.04)
    binance.create_order("ETH/BTC", "limit", "buy", 1, 0.041)
    other = binance.create_order("BTC/USDT", "limit", "buy", 0.1, 30_000)
    canceled = binance.cancel_all_orders("ETH/BTC")
    assert [order["status"] for order in canceled] == ["canceled", "canceled"]
    assert [order["id"] for order in binance.fetch_open_orders("BTC/USDT")] == [other["id"]]


def test_replace_cancels_the_old_and_places_the_new(on: Any) -> None:
    exchange, client = on(STEADY)
    old = client.create_order("ETH/USDT", "limit", "sell", 3, 150)
    new = client.edit_order(old["id"], "ETH/USDT", "limit", "sell", 4, 140)
    assert (new["status"], new["amount"], new["price"]) == ("open", 4.0, 140.0)
    assert [order.status for order in exchange.orders()] == [OrderStatus.CANCELED, OrderStatus.NEW]


def test_replace_stops_where_there_is_nothing_to_cancel(on: Any) -> None:
    exchange, client = on(STEADY)
    with pytest.raises(ccxt.ExchangeError, match="-2022"):
        client.edit_order("77", "ETH/USDT", "limit", "sell", 4, 140)
    assert exchange.orders() == []


def test_replace_says_so_when_only_the_cancel_worked(on: Any) -> None:
    exchange, client = on(STEADY)
    old = client.create_order("ETH/USDT", "limit", "sell", 3, 150)
    with pytest.raises(ccxt.BaseError, match="-2021"):
        client.edit_order(old["id"], "ETH/USDT", "limit", "sell", 4000, 140)
    assert exchange.orders()[0].status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("quantity", "code", "results"),
    [("1", -2021, ("FAILURE", "SUCCESS")), ("4000", -2022, ("FAILURE", "FAILURE"))],
)
def test_replace_goes_on_without_a_cancel_where_it_is_allowed_to(
    on: Any, quantity: str, code: int, results: tuple[str, str]
) -> None:
    _, client = on(STEADY)
    order = {**RAW, "quantity": quantity, "cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": "77"}
    with pytest.raises(ccxt.BaseError):
        client.private_post_order_cancelreplace(order)
    answer = json.loads(client.last_http_response)
    assert answer["code"] == code
    assert (answer["data"]["cancelResult"], answer["data"]["newOrderResult"]) == results


def test_test_order_is_checked_and_not_placed(on: Any) -> None:
    exchange, client = on(STEADY)
    client.create_order("ETH/USDT", "limit", "buy", 1, 99, {"test": True})
    with pytest.raises(ccxt.InvalidOrder):
        client.private_post_order_test(
            {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.00001"}
        )
    assert exchange.orders() == []


def test_ack_answers_the_id_alone(on: Any) -> None:
    _, client = on(STEADY)
    params = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}
    answer = client.private_post_order({**params, "newOrderRespType": "ACK"})
    assert set(answer) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert "fills" not in client.private_post_order({**params, "newOrderRespType": "RESULT"})


def test_order_without_a_client_id_gets_one(on: Any) -> None:
    exchange, client = on(STEADY)
    answer = client.fetch2("order", ["private"], "POST", {**RAW, "newClientOrderId": "a"})
    assert answer["clientOrderId"] == "a"
    # ccxt always sends an id; one that is not sent is made up by the exchange.
    client.handle_client_order_id = lambda params, *_: params
    assert len(client.private_post_order(RAW)["clientOrderId"]) == 22
    assert len({order.client_order_id for order in exchange.orders()}) == 2


RAW = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"}


def test_client_order_id_is_unique_among_open_orders_only(on: Any) -> None:
    exchange, client = on(STEADY)
    resting = client.create_order("ETH/USDT", "limit", "buy", 1, 90, {"clientOrderId": "twice"})
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        client.create_order("ETH/USDT", "limit", "buy", 1, 91, {"clientOrderId": "twice"})
    client.cancel_order(resting["id"], "ETH/USDT")
    client.create_order("ETH/USDT", "market", "buy", 1, None, {"clientOrderId": "twice"})
    client.create_order("ETH/USDT", "market", "buy", 1, None, {"clientOrderId": "twice"})
    assert [order.client_order_id for order in exchange.orders()] == ["twice"] * 3


def test_orders_of_two_accounts_trade_with_each_other(start: Start, connect: Connect) -> None:
    exchange = start(market=ReplayMarket(STEADY, "ETH/USDT", history=2), balances={"ETH": 5, "USDT": 0})
    exchange.add_account("other", {"ETH": 0, "USDT": 1000})
    seller, buyer = connect(exchange), connect(exchange, "other")
    seller.create_order("ETH/USDT", "limit", "sell", 2, 100)
    bought = buyer.create_order("ETH/USDT", "limit", "buy", 2, 100.02)
    sold = seller.fetch_my_trades("ETH/USDT")
    assert bought["average"] == 100.0
    assert [trade["id"] for trade in bought["trades"]] == [trade["id"] for trade in sold]
    assert exchange.balances("other")["ETH"].free == Decimal("1.998")
    assert exchange.balances()["USDT"].free == Decimal("199.8")


@pytest.mark.parametrize(
    ("mode", "maker", "taker"),
    [
        ("NONE", "FILLED", "FILLED"),
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
def test_self_trade_prevention_does_what_it_was_asked_for(on: Any, mode: str, maker: str, taker: str) -> None:
    exchange, client = on(STEADY)
    client.create_order("ETH/USDT", "limit", "sell", 1, 100)
    client.create_order("ETH/USDT", "market", "buy", 1, None, {"selfTradePrevention": mode})
    assert [order.status for order in exchange.orders()] == [maker, taker]


def test_market_order_beyond_the_whole_book_expires_with_what_it_got(start: Start, connect: Connect) -> None:
    rows = [[n * 60_000, 100.0, 100.0, 100.0, 100.0, 0.01] for n in range(3)]
    exchange = start(market=ReplayMarket(rows, "ETH/USDT", history=2), balances={"ETH": 5000, "USDT": 0})
    order = connect(exchange).create_order("ETH/USDT", "market", "sell", 1000)
    assert order["status"] == "expired"
    assert 0 < order["filled"] < 1000
    assert exchange.balances()["ETH"].locked == 0


def test_fees_are_configurable_for_maker_and_taker(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    exchange = start(
        market=ReplayMarket(FALLING, "ETH/USDT", history=2),
        balances={"ETH": 10, "USDT": 1000},
        maker_fee=0,
        taker_fee=0.01,
    )
    client = connect(exchange)
    client.load_markets()
    assert client.create_order("ETH/USDT", "market", "buy", 1)["fee"]["cost"] == 0.01
    client.create_order("ETH/USDT", "limit", "buy", 1, 95)
    clock.advance(2)
    assert client.fetch_my_trades("ETH/USDT")[-1]["fee"]["cost"] == 0
    fees = client.fetch_trading_fee("ETH/USDT")
    assert (fees["maker"], fees["taker"]) == (0.0, 0.01)
