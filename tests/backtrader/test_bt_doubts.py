"""Orders in doubt whose errors tell no client order id are found by what was asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from bt_swaps import SWAP, SwapExchange

from tradeguard.orders import IntentStatus
from tradeguard.testing import ManualClock
from tradeguard_backtrader import StoreConfig
from tradeguard_backtrader.brokers.broker_events import Placed
from tradeguard_backtrader.brokers.doubts import DoubtDesk
from tradeguard_backtrader.brokers.order_routing import OrderRequest
from tradeguard_backtrader.brokers.submission import OrderTicket


def intent(clock: ManualClock, amount: float, client_order_id: str = "c1") -> Any:
    return SimpleNamespace(
        client_order_id=client_order_id, symbol=SWAP, type="market", side="sell", amount=amount, order_id="7",
        status=IntentStatus.PLACED, updated_at=datetime.fromtimestamp(clock.time(), UTC), error=None,
    )  # fmt: skip


@pytest.mark.parametrize(("amounts", "is_found"), [([3.0], True), ([0.3], False), ([3.0, 3.0], False)])
def test_the_only_intent_of_as_many_contracts_is_the_order(amounts: list[float], is_found: bool) -> None:
    """0.3 ETH are three contracts in the journal; two that are alike prove nothing."""
    clock, events = ManualClock(), []
    exchange: Any = SwapExchange(clock, contractSize=0.1)
    exchange.recover_orders = list
    intents = [intent(clock, amount, f"c{number}") for number, amount in enumerate(amounts)]
    exchange.order_journal = SimpleNamespace(intents=lambda: intents)
    desk = DoubtDesk(exchange, events.append, lambda arrival: None, StoreConfig(), clock)
    desk.worker = SimpleNamespace(wake=lambda: None)  # type: ignore[assignment]
    request = OrderRequest(ref=5, symbol=SWAP, type="market", side="sell", amount=0.3, price=None)
    desk.add(OrderTicket(request), TimeoutError("no answer"))
    desk.step()
    assert events == ([Placed(5, "7", "c0")] if is_found else [])
    assert desk.is_quiet is is_found
