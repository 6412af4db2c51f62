"""A stop that is beyond its price triggers at once, as in Backtrader, though an exchange would refuse it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import ccxt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import Log, path_of, run

from tradeguard.orders.interlock import InterlockState
from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]
Limit, Stop, StopLimit = bt.Order.Limit, bt.Order.Stop, bt.Order.StopLimit
FLAT = 0.05


@pytest.fixture
def trade(simulate: Any, guarded: Any, store_of: Stores) -> Callable[..., tuple[Log, Any]]:
    """Trades a script along a path of prices, with 5 ETH and 1 BTC; returns the log and the exchange."""

    def start(prices: list[float], script: Any, exchange_id: str = "binance") -> tuple[Log, Any]:
        path = [*prices, *[prices[-1]] * 8]
        simulated = simulate(market=path_of(*path), balances={"ETH": 5, "BTC": 1})
        exchange = guarded(simulated, exchange_id)
        log = run(store_of(exchange), script=script, trading=True, history=3, bars=len(path) - 3)
        assert simulated.audit(exchange.order_journal.intents()).clean
        return log, simulated

    return start


def sent(simulated: Any) -> list[tuple[str, str, str]]:
    return [
        (str(order.side).lower(), str(order.type).lower(), str(order.status)) for order in simulated.orders()
    ]


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_stop_beyond_its_price_is_sent_at_market(trade: Any, side: str) -> None:
    beyond = FLAT * (0.99 if side == "buy" else 1.01)
    log, simulated = trade(
        [FLAT] * 6, {5: lambda strategy: getattr(strategy, side)(size=1, exectype=Stop, price=beyond)}
    )
    assert [state for _, state in log.orders] == ["Submitted", "Accepted", "Completed"]
    assert log.clones[-1].triggered
    assert sent(simulated) == [(side, "market", "FILLED")]


def test_a_stop_limit_beyond_its_price_is_sent_at_its_limit(trade: Any) -> None:
    def order(strategy: Any) -> None:
        strategy.sell(size=1, exectype=StopLimit, price=FLAT * 1.01, plimit=FLAT * 1.02)

    log, simulated = trade([FLAT] * 6 + [FLAT * 1.03], {5: order})
    assert sent(simulated) == [("sell", "limit", "FILLED")]
    assert log.clones[-1].executed.price == pytest.approx(FLAT * 1.02)


def test_a_bracket_with_only_a_stop_is_left_when_the_price_falls_through_both(trade: Any) -> None:
    orders: list[Any] = []

    def bracket(strategy: Any) -> None:
        orders.extend(
            strategy.buy_bracket(
                size=1, price=FLAT * 0.98, exectype=Limit, stopprice=FLAT * 0.97, limitexec=None
            )
        )

    log, simulated = trade([FLAT, FLAT, FLAT, FLAT * 0.99, FLAT * 0.96, FLAT * 0.95], {5: bracket})
    assert [log.of(order)[-1] for order in orders[:2]] == ["Completed", "Completed"]
    assert float(simulated.balances()["ETH"].total) == pytest.approx(5.0)


def test_the_last_close_before_an_entry_says_nothing_of_its_stop(trade: Any) -> None:
    """A breakout is bought above the last close, with a stop that is above it, too."""
    orders: list[Any] = []

    def bracket(strategy: Any) -> None:
        orders.extend(
            strategy.buy_bracket(
                size=1, price=FLAT * 1.05, exectype=Stop, stopprice=FLAT * 1.03, limitexec=None
            )
        )

    log, _ = trade([FLAT, FLAT, FLAT, FLAT, FLAT * 1.06], {5: bracket})
    assert [log.of(order)[-1] for order in orders[:2]] == ["Completed", "Accepted"]


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (ccxt.OrderImmediatelyFillable("would trigger immediately"), "Completed"),
        (ccxt.InvalidOrder("invalid price"), "Rejected"),
        (ccxt.InsufficientFunds("too little"), "Margin"),
    ],
)
def test_where_the_price_is_not_known_the_refusal_tells(
    scripted: ScriptedExchange, store_of: Stores, error: Exception, ends: str
) -> None:
    """The last close has not reached the stop; what the exchange refuses for another reason stays refused."""
    scripted.fills_markets = True
    scripted.feature_value = lambda *_: True  # type: ignore[attr-defined]
    scripted.fail("create_order", error)
    script = {4: lambda strategy: strategy.sell(size=1, exectype=Stop, price=strategy.data.close[0] * 0.9)}
    log = run(store_of(scripted), script=script, trading=True, history=2, bars=10)
    assert [state for _, state in log.orders][-1] == ends
    calls = scripted.called("create_order")
    assert [bool(call[-1]) for call in calls] == ([True, False] if ends == "Completed" else [True])


def test_a_passed_stop_that_meets_a_halt_is_refused_and_not_kept_for_later(
    trade: Any, simulate: Any, guarded: Any, store_of: Stores
) -> None:
    """It might be an entry, which is worth nothing later."""
    simulated = simulate(market=path_of(*[FLAT] * 30), balances={"ETH": 5, "BTC": 1})
    exchange = guarded(simulated)
    script = {
        4: lambda _: exchange.interlock.restrict(
            "drill", InterlockState.HALTED, reason="a drill", lifted_by="its end"
        ),
        5: lambda strategy: strategy.buy(size=1, exectype=Stop, price=FLAT * 0.99),
        7: lambda _: exchange.interlock.lift("drill"),
    }
    log = run(store_of(exchange), script=script, trading=True, history=3, bars=20)
    assert [state for _, state in log.orders] == ["Submitted", "Rejected"]
    assert simulated.orders() == []
