"""What exchanges tell of margin accounts, read as one thing: the wallet, what open orders lock, net positions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bt_swaps import SWAP, SwapExchange, swap_market

from tradeguard.testing import ManualClock
from tradeguard_backtrader.accounts.account_reads import read_account
from tradeguard_backtrader.accounts.markets import market_of
from tradeguard_backtrader.accounts.net_position import NetPosition
from tradeguard_backtrader.accounts.snapshot import Balance

D = Decimal
OTHER = "BTC/USDT:USDT"


@pytest.fixture
def exchange() -> SwapExchange:
    """A short of two at 100, at 110 now with a leverage of 4, and an order that locks 30."""
    exchange = SwapExchange(ManualClock())
    exchange.position, exchange.price, exchange.leverage = (-2.0, 100.0), 110.0, 4.0
    exchange.place("1", amount=1.0, price=120.0, symbol=SWAP, side="sell")
    return exchange


def read(exchange: SwapExchange, *symbols: str, **answer: Any) -> Any:
    if answer:
        exchange.fail("fetch_balance", answer)
    markets = {symbol: market_of(exchange, symbol) for symbol in symbols or (SWAP,)}
    return read_account(exchange, markets, {OTHER: D(7)}, 5.0)


def test_the_wallet_has_neither_gain_nor_margin_and_positions_are_net(exchange: SwapExchange) -> None:
    snapshot = read(exchange)
    assert snapshot.balances == {"USDT": Balance(D(1000), D(30))}
    assert snapshot.positions == {SWAP: NetPosition(D(-2), D(100), D(4))}
    assert snapshot.taken_at == 5.0


@pytest.mark.parametrize("exchange_id", ["scripted", "bybit"])
def test_a_total_may_or_may_not_have_the_gain_in_it(exchange: SwapExchange, exchange_id: str) -> None:
    exchange.id = exchange_id
    total = 980.0 if exchange_id == "scripted" else 1000.0
    snapshot = read(exchange, total={"USDT": total}, USDT={"free": 895.0, "used": 85.0, "total": total})
    assert snapshot.balances == {"USDT": Balance(D(1000), D(30))}


def test_what_is_not_told_to_be_free_is_what_is_not_used(exchange: SwapExchange) -> None:
    snapshot = read(exchange, total={"USDT": 980.0}, USDT={"used": 85.0, "total": 980.0})
    assert snapshot.balances == {"USDT": Balance(D(1000), D(30))}


def test_the_wallet_as_binance_tells_it_is_exact(exchange: SwapExchange) -> None:
    info = {"assets": [{"asset": "BNB", "walletBalance": "1"}, {"asset": "USDT", "walletBalance": "1000.01"}]}
    snapshot = read(
        exchange, info=info, total={"USDT": 979.5}, USDT={"free": 894.5, "used": 85, "total": 979.5}
    )
    assert snapshot.balances["USDT"].total == D("1000.01")


def test_an_account_without_the_settle_currency_has_none(exchange: SwapExchange) -> None:
    exchange.position = (0.0, 0.0)
    snapshot = read(exchange, total={})
    assert snapshot.balances == {"USDT": Balance()}
    assert snapshot.positions == {SWAP: NetPosition()}


def test_a_flat_swap_has_the_leverage_that_is_known(exchange: SwapExchange) -> None:
    exchange.markets[OTHER] = swap_market(symbol=OTHER, base="BTC")
    snapshot = read(exchange, SWAP, OTHER)
    assert snapshot.positions[OTHER] == NetPosition(leverage=D(7))
    assert exchange.called("fetch_positions") == [(None,)]  # some exchanges take one symbol or none


def test_the_margin_of_orders_that_is_told_with_a_position_is_locked_by_them(exchange: SwapExchange) -> None:
    """As Binance tells it: the notional through the leverage is what the position itself binds."""
    (told,) = exchange.fetch_positions()
    exchange.fail("fetch_positions", [{**told, "initialMargin": 55.0 + 30.0, "leverage": None}])
    markets = {SWAP: market_of(exchange, SWAP)}
    snapshot = read_account(exchange, markets, {SWAP: D(4)}, 5.0)
    assert snapshot.balances == {"USDT": Balance(D(1000), D(30))}
    assert snapshot.positions[SWAP].leverage == 4


def test_positions_of_others_bind_their_margin_and_move_the_wallet_not(exchange: SwapExchange) -> None:
    honest = exchange.fetch_positions
    other = {"symbol": "X/USDT:USDT", "contracts": 1.0, "initialMargin": 12.0, "unrealizedPnl": 5.0}
    coin = {"symbol": "BTC/USD:BTC", "contracts": 1.0, "initialMargin": 0.1, "unrealizedPnl": 0.2}
    exchange.fetch_positions = lambda symbols: [*honest(symbols), other, coin]  # type: ignore[method-assign]
    snapshot = read(exchange, total={"USDT": 985.0}, USDT={"free": 888.0, "used": 97.0, "total": 985.0})
    assert snapshot.balances == {"USDT": Balance(D(1000), D(30))}
    assert set(snapshot.positions) == {SWAP}
