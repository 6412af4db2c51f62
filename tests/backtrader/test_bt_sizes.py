"""Orders by value and by per cent: of what is dealt in fractions of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt
import pytest
from bt_exchange import ScriptedExchange
from bt_runs import EventClock, run
from bt_swaps import SWAP, SwapExchange

from tradeguard_backtrader import GuardedStore

Stores = Callable[..., GuardedStore]


def ordered(exchange: ScriptedExchange) -> list[tuple[Any, Any]]:
    return [(side, amount) for _, _, side, amount, _, _ in exchange.called("create_order")]


@pytest.mark.parametrize(
    ("order", "amount"),
    [
        (lambda strategy: strategy.order_target_percent(target=0.5), 0.125),
        (lambda strategy: strategy.order_target_value(target=0.3), 0.075),
        (lambda strategy: strategy.order_target_value(target=0.00001), None),
    ],
)
def test_a_target_buys_a_fraction_of_a_coin(
    scripted: ScriptedExchange, store_of: Stores, order: Callable[[Any], object], amount: float | None
) -> None:
    """With one BTC, ETH at 4; the market's step is 0.0001."""
    scripted.balance = {"ETH": (0.0, 0.0), "BTC": (1.0, 0.0)}
    scripted.moves = [(0, 4.0)]
    log = run(store_of(scripted), script={4: order}, trading=True, history=2, bars=8)
    assert ordered(scripted) == ([] if amount is None else [("buy", amount)])
    assert [state for _, state in log.orders][-1] == ("Rejected" if amount is None else "Accepted")


def test_a_target_sells_a_fraction_of_a_coin(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.balance = {"ETH": (0.4, 0.0), "BTC": (0.0, 0.0)}
    scripted.moves = [(0, 4.0)]
    order = {4: lambda strategy: strategy.order_target_percent(target=0.25)}
    run(store_of(scripted), script=order, trading=True, history=2, bars=8)
    assert ordered(scripted) == [("sell", 0.3)]


def test_a_target_of_a_swap_is_its_margin(clock: EventClock, store_of: Stores) -> None:
    """As in Backtrader's own broker: a quarter of 1000 is the margin of 7.5 at 100 with a leverage of 3."""
    exchange = SwapExchange(clock)
    order = {4: lambda strategy: strategy.order_target_percent(target=0.25)}
    run(store_of(exchange), symbol=SWAP, script=order, trading=True, history=2, bars=8,
        broker={"leverage": 3})  # fmt: skip
    assert ordered(exchange) == [("buy", 7.5)]


def test_a_scheme_that_was_set_sizes_as_it_does(scripted: ScriptedExchange, store_of: Stores) -> None:
    scripted.balance = {"ETH": (0.0, 0.0), "BTC": (10.0, 0.0)}
    scripted.moves = [(0, 4.0)]
    store = store_of(scripted)
    store.getbroker().addcommissioninfo(bt.CommissionInfo())
    order = {4: lambda strategy: strategy.order_target_percent(target=0.5)}
    run(store, script=order, trading=True, history=2, bars=8)
    assert ordered(scripted) == [("buy", 1.0)]
