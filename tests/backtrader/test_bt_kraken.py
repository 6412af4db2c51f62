"""The broker on Kraken, whose orders do not tell their trades and whose `fetchOrderTrades` needs their ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import backtrader as bt
import pytest
from bt_runs import MINUTE, Log, run

from tradeguard_backtrader import GuardedStore

Simulate = Callable[..., Any]
Stores = Callable[..., GuardedStore]
Limit, Stop, StopLimit, StopTrail = bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit, bt.Order.StopTrail


@pytest.fixture
def trade(simulate: Simulate, guarded: Simulate, store_of: Stores) -> Callable[..., tuple[Log, Any]]:
    """Trades a script on Kraken's minutes with 10 BTC; returns the log and the exchange."""

    def start(script: Any, *, bars: int = 20) -> tuple[Log, Any]:
        simulated = simulate(dialect="kraken", balances={"ETH": 0, "BTC": 10})
        exchange = guarded(simulated, "kraken")
        log = run(store_of(exchange), script=script, trading=True, history=3, bars=bars, **MINUTE)
        assert simulated.audit(exchange.order_journal.intents()).clean
        return log, simulated

    return start


def ordered(make: str, share: float, **options: Any) -> Callable[[Any], Any]:
    """Order at a share of the last close."""

    def act(strategy: Any) -> Any:
        price = strategy.data.close[0] * share
        limit = {"plimit": price * 0.99} if options.get("exectype") == StopLimit else {}
        strategy.kept = getattr(strategy, make)(price=price, **options, **limit)

    return act


def agree(log: Log, simulated: Any) -> None:
    """Have what the orders, the position and the commissions say be what the exchange says."""
    fills = simulated.trades()
    last = {clone.ref: clone for clone in log.clones}.values()
    told = sum(Decimal(str(clone.executed.size)) for clone in last)
    signed = sum(fill.quantity if str(fill.side).lower() == "buy" else -fill.quantity for fill in fills)
    assert told == signed
    assert log.held[-1][1] == float(simulated.balances()["ETH"].total)
    paid = sum(fill.fee * (fill.price if fill.fee_asset == "ETH" else 1) for fill in fills)
    assert sum(clone.executed.comm for clone in last) == pytest.approx(float(paid), rel=1e-6)


def test_fills_on_kraken_are_heard_of(trade: Any) -> None:
    log, simulated = trade({6: lambda strategy: strategy.buy(size=1)}, bars=8)
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert log.clones[-1].executed.comm > 0
    agree(log, simulated)


def test_every_type_of_order_works_on_kraken(trade: Any) -> None:
    log, simulated = trade(
        {
            5: lambda strategy: strategy.buy(size=2),
            7: ordered("sell", 0.98, size=0.3, exectype=Limit),
            9: ordered("sell", 0.9995, size=0.2, exectype=StopLimit),
            11: ordered("sell", 0.5, size=0.2, exectype=Stop),
            13: lambda strategy: strategy.cancel(strategy.kept),
            14: ordered("buy", 0.9, size=0.3, exectype=Limit, valid=timedelta(minutes=2)),
            18: lambda strategy: strategy.sell(size=0.4, exectype=StopTrail, trailamount=1e-6),
            20: lambda strategy: strategy.sell_bracket(
                size=0.2,
                exectype=bt.Order.Market,
                stopprice=strategy.data.close[0] * 1.5,
                limitprice=strategy.data.close[0] * 0.5,
            ),
            26: lambda strategy: strategy.close(),
        },
        bars=28,
    )
    ends = {clone.ref: (clone.getordername(), clone.getstatusname()) for clone in log.clones}
    assert [ends[ref] for ref in sorted(ends)] == [
        ("Market", "Completed"), ("Limit", "Completed"), ("StopLimit", "Completed"), ("Stop", "Canceled"),
        ("Limit", "Expired"), ("StopTrail", "Completed"),
        ("Market", "Completed"), ("Stop", "Accepted"), ("Limit", "Accepted"), ("Market", "Completed"),
    ]  # fmt: skip
    agree(log, simulated)
