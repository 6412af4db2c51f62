"""ccxt's own binanceusdm trades swaps: positions, margin, orders of every kind, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ccxt
import ccxt.async_support
import pytest

from tradeguard.simulator import SimulatedExchange

if TYPE_CHECKING:
    pass

SYMBOL = "ETH/USDT:USDT"


def test_a_short_is_opened_and_closed(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    opened = usdm.create_order(SYMBOL, "market", "sell", 1.5)
    assert (opened["status"], opened["filled"]) == ("closed", 1.5)
    [position] = usdm.fetch_positions([SYMBOL])
    assert (position["side"], position["contracts"]) == ("short", 1.5)
    assert position["entryPrice"] == opened["average"]
    assert futures.positions()[SYMBOL].amount == -1.5
    usdm.create_order(SYMBOL, "market", "buy", 1.5, None, {"reduceOnly": True})
    assert usdm.fetch_positions() == []
    assert futures.positions()[SYMBOL].amount == 0


def test_leverage_decides_how_much_is_set_aside(futures: SimulatedExchange, usdm: ccxt.binanceusdm) -> None:
    usdm.set_leverage(5, SYMBOL)
    assert usdm.fetch_leverages()[SYMBOL]["longLeverage"] == 5
    usdm.create_order(SYMBOL, "market", "buy", 2)
    [position] = usdm.fetch_positions()
    assert position["initialMargin"] == pytest.approx(position["notional"] / 5)
    balance = usdm.fetch_balance()["USDT"]
    assert balance["used"] == position["initialMargin"]
    assert balance["free"] == pytest.approx(balance["total"] - balance["used"])
    assert float(futures.balances()["USDT"].total) == balance["total"]
