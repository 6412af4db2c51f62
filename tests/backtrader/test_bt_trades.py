"""ccxt's trades as fills, with their fees in quote currency."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tradeguard_backtrader.accounts.fills import Fill, FillBook
from tradeguard_backtrader.brokers.trades import fills_of, rest_of


def rate(currency: str, quote: str) -> Decimal | None:
    return {("BNB", "BTC"): Decimal("0.01")}.get((currency, quote))


def fills(*trades: dict[str, Any]) -> list[Fill]:
    usual = {"id": "7", "amount": 2.0, "price": 0.05, "timestamp": 5}
    return fills_of([{**usual, **trade} for trade in trades], base="ETH", quote="BTC", rate=rate)


@pytest.mark.parametrize(
    ("fee", "comm", "base", "quote"),
    [
        ({"cost": 0.002, "currency": "ETH"}, "0.0001", "0.002", "0"),
        ({"cost": 0.0001, "currency": "BTC"}, "0.0001", "0", "0.0001"),
        ({"cost": 0.0001, "currency": None}, "0.0001", "0", "0.0001"),
        ({"cost": 0.03, "currency": "BNB"}, "0.0003", "0", "0"),
        ({"cost": 0.03, "currency": "XYZ"}, "0", "0", "0"),
        ({"cost": -0.0001, "currency": "BTC"}, "-0.0001", "0", "-0.0001"),
        ({"cost": None, "currency": "BTC"}, "0", "0", "0"),
        (None, "0", "0", "0"),
    ],
)
def test_a_fee_is_told_in_quote_currency(fee: Any, comm: str, base: str, quote: str) -> None:
    (fill,) = fills({"fee": fee})
    assert (fill.comm, fill.fee_base, fill.fee_quote) == (Decimal(comm), Decimal(base), Decimal(quote))


def test_several_fees_of_one_trade_add_up() -> None:
    (fill,) = fills(
        {"fees": [{"cost": 0.0001, "currency": "BTC"}, {"cost": 0.01, "currency": "BNB"}], "fee": None}
    )
    assert fill.comm == Decimal("0.0002")


@pytest.mark.parametrize("hole", [{"id": None}, {"amount": None}, {"amount": 0.0}, {"price": None}])
def test_a_trade_without_id_amount_or_price_is_none_yet(hole: dict[str, Any]) -> None:
    assert fills(hole) == []


def beyond(order: dict[str, Any], book: FillBook) -> Fill | None:
    return rest_of(order, book, base="ETH", quote="BTC", rate=rate)


def test_what_the_trades_do_not_show_follows_from_the_order() -> None:
    book = FillBook(Decimal(10))
    book.new([Fill(trade_id="1", amount=Decimal(4), price=Decimal("0.05"))])
    order = {"id": "9", "filled": 10.0, "cost": 0.56, "average": 0.056, "lastTradeTimestamp": 8}
    rest = beyond(order, book)
    assert rest == Fill(trade_id="9:10.0", amount=Decimal("6.0"), price=Decimal("0.06"), at_ms=8)
    book.new([rest])
    assert beyond(order, book) is None


def test_without_a_cost_the_average_price_counts() -> None:
    rest = beyond({"id": "9", "filled": 2.0, "average": 0.05}, FillBook(Decimal(2)))
    assert rest is not None
    assert rest.price == Decimal("0.05")


@pytest.mark.parametrize(
    ("fee", "base", "quote", "comm"),
    [
        ({"cost": 0.0005, "currency": "BTC"}, "0", "0.0003", "0.0003"),
        ({"cost": 0.0001, "currency": "BTC"}, "0", "0", "0"),
        ({"cost": -0.0001, "currency": "BTC"}, "0", "-0.0003", "-0.0003"),
        ({"cost": 0.01, "currency": "ETH"}, "0.01", "0", "0.0003"),
        ({"cost": 0.05, "currency": "BNB"}, "0", "0", "0.0003"),
        (None, "0", "0", "0"),
    ],
)
def test_the_rest_of_an_order_has_the_rest_of_its_fee(fee: Any, base: str, quote: str, comm: str) -> None:
    book = FillBook(Decimal(10))
    paid = Decimal("0.0002")
    book.new([Fill(trade_id="1", amount=Decimal(4), price=Decimal("0.05"), fee_quote=paid, comm=paid)])
    rest = beyond({"id": "9", "filled": 10.0, "average": 0.05, "fee": fee}, book)
    assert rest is not None
    assert (rest.fee_base, rest.fee_quote, rest.comm) == (Decimal(base), Decimal(quote), Decimal(comm))
