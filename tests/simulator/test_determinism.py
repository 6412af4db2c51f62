"""The same seed and the same bot give the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tradeguard.simulator import FaultPlan, SimulatedExchange, SyntheticMarket
from tradeguard.simulator.dialects import DIALECTS
from tradeguard.simulator.symbols import MarketKind
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect


TRADED = {
    MarketKind.SPOT: (["ETH/BTC", "BTC/USDT"], 0.5),
    MarketKind.LINEAR: (["ETH/USDT:USDT", "BTC/USDT:USDT"], 500),
}


def run(connect: Connect, seed: int, dialect: str) -> list[Any]:
    """Let a careless bot trade for a while under hostile faults, and return all there is to see of it."""
    clock = ManualClock()
    symbols, amount = TRADED[DIALECTS[dialect]().customs.kind]
    symbol = symbols[0]
    market = SyntheticMarket(symbols, volatility=0.002, start_price={symbol: 0.05})
    plan = FaultPlan.profile("hostile")
    with SimulatedExchange(market, plan, seed=seed, clock=clock, dialect=dialect) as exchange:
        client, events = connect(exchange), []
        exchange.listen(events.append)
        seen: list[Any] = []
        for number in range(40):
            for call in (
                lambda: client.fetch_ticker(symbol)["last"],
                lambda: client.fetch_ohlcv(symbol, "1m", limit=3),
                lambda number=number: _order(client, symbol, amount, number),
                lambda: [order["id"] for order in client.fetch_open_orders(symbol)],
                lambda: [order["status"] for order in client.fetch_closed_orders(symbol)],
                lambda: [trade["id"] for trade in client.fetch_my_trades(symbol)],
            ):
                try:
                    seen.append(call())
                except Exception as error:
                    # Of a page of HTML with status 200, ccxt makes whatever it makes.
                    seen.append(type(error))
            clock.advance(0.7)
        requests = [(one.method, one.path, one.time, one.status, one.fault) for one in exchange.requests]
        return [seen, requests, exchange.orders(), exchange.trades(), exchange.balances(), events]


def _order(client: Any, symbol: str, amount: float, number: int) -> Any:
    side, price = ("buy", 0.0499) if number % 2 else ("sell", 0.0501)
    order = client.create_order(symbol, "limit", side, amount, price, {"clientOrderId": f"order-{number}"})
    return order["id"], order["status"], order["filled"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_same_seed_is_the_same_run(connect: Connect, dialect: str) -> None:
    first, second = run(connect, 11, dialect), run(connect, 11, dialect)
    for one, other in zip(first, second, strict=True):
        assert one == other
    seen, requests, orders, trades, _, events = first
    assert {fault for *_, fault in requests} > {None}
    assert any(isinstance(one, type) for one in seen)
    assert orders
    assert trades
    assert events


@pytest.mark.parametrize("dialect", DIALECTS)
def test_another_seed_is_another_run(connect: Connect, dialect: str) -> None:
    first, other = run(connect, 11, dialect), run(connect, 12, dialect)
    assert first[1] != other[1]
    assert first[4] != other[4]
