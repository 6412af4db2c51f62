"""Fills of swaps on positions that were there, told twice by balance and trade, and shorts that were left."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import backtrader as bt
import pytest
from bt_swaps import SWAP

from tradeguard.testing import ManualClock
from tradeguard_backtrader.accounts.fills import Fill, FillBook
from tradeguard_backtrader.accounts.markets import SpotMarket, SwapMarket
from tradeguard_backtrader.accounts.net_position import NetPosition
from tradeguard_backtrader.accounts.outside_changes import OutsideChanges
from tradeguard_backtrader.accounts.snapshot import Balance, Snapshot
from tradeguard_backtrader.brokers.executions import Executions
from tradeguard_backtrader.brokers.live_orders import LiveOrder, LiveOrders
from tradeguard_backtrader.brokers.order_routing import OrderRequest
from tradeguard_backtrader.brokers.submission import OrderTicket

D = Decimal
MARKET = SwapMarket(SWAP, "USDT")
DATA = SimpleNamespace(close=[100.0], datetime=[1.0])


def holding(size: str) -> Executions:
    """An account with 1000 USDT whose balance was taken at ten seconds."""
    outside = OutsideChanges(lambda _: D("0.001"))
    executions = Executions(
        LiveOrders(), {SWAP: MARKET}, True, lambda monotonic: int(monotonic * 1000), outside, ManualClock()
    )
    position = NetPosition(D(size), D(100) if D(size) else D(0), D(4))
    executions.refresh(Snapshot({"USDT": Balance(D(1000))}, 10.0, {SWAP: position}), {SWAP: D(100)})
    return executions


def live(size: float, *, was_in_doubt: bool = False) -> LiveOrder:
    make = bt.order.BuyOrder if size > 0 else bt.order.SellOrder
    order = make(owner=None, data=DATA, size=abs(size), price=100.0, exectype=bt.Order.Market, simulated=True)
    order.addcomminfo(bt.CommissionInfo())
    side = "buy" if size > 0 else "sell"
    request = OrderRequest(ref=order.ref, symbol=SWAP, type="market", side=side, amount=abs(size), price=None)
    ticket = OrderTicket(request)
    return LiveOrder(order, MARKET, ticket, FillBook(request.exact_amount), was_in_doubt=was_in_doubt)


def fill(amount: str, at_ms: int) -> Fill:
    return Fill(trade_id="1", amount=D(amount), price=D(90), at_ms=at_ms)


def parts(order: Any) -> tuple[float, float]:
    bit = order.executed.exbits[-1]
    return bit.closed, bit.opened


@pytest.mark.parametrize("left", ["-2", "2"])
def test_what_was_left_is_closed_by_no_trade(left: str) -> None:
    executions, order = holding(left), live(-float(left))
    executions.apply(order, fill("2", 11_000))
    assert parts(order.order) == (0.0, 0.0)
    assert executions.position(SWAP).size == 0.0
    assert executions.value("USDT", {SWAP: D(90)}) == 1000.0 - 10 * float(left)


def test_a_fill_that_the_balance_has_already_moves_the_account_once() -> None:
    """The short of two was closed by an order in doubt before the balance was taken, and its fill is told now."""
    executions, order = holding("0"), live(2, was_in_doubt=True)
    executions.apply(order, fill("2", 9_000))
    assert parts(order.order) == (0.0, 0.0)
    assert (executions.position(SWAP).size, executions.position(SWAP).price) == (0.0, 0.0)
    assert executions.value("USDT", {SWAP: D(90)}) == 1000.0


def test_a_fill_after_the_balance_moves_the_account() -> None:
    executions, order = holding("0"), live(2, was_in_doubt=True)
    executions.apply(order, fill("2", 11_000))
    assert parts(order.order) == (0.0, 2.0)
    assert (executions.position(SWAP).size, executions.position(SWAP).price) == (2.0, 90.0)
    assert executions.value("USDT", {SWAP: D(100)}) == 1020.0
    assert executions.cash("USDT", {SWAP: D(100)}) == 1020.0 - 50.0


def test_what_a_swap_has_won_is_converted() -> None:
    """On an exchange that pays spot and swaps from one balance."""
    outside, markets = (
        OutsideChanges(lambda _: D(0)),
        {SWAP: MARKET, "BTC/USDT": SpotMarket("BTC/USDT", "BTC", "USDT")},
    )
    executions = Executions(LiveOrders(), markets, True, lambda _: 0, outside, ManualClock())
    prices = {SWAP: D(110), "BTC/USDT": D(40_000)}
    held = {SWAP: NetPosition(D(-20), D(160), D(4))}
    executions.refresh(Snapshot({"USDT": Balance(D(7000)), "BTC": Balance(D(1))}, 1.0, held), prices)
    assert executions.value("USDT", prices) == 48_000.0
    assert executions.value("BTC", prices) == 1.2
