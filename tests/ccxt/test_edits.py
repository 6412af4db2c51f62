"""An edit takes effect once or not at all, whatever the network does, and says which."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import (
    GuardConfig,
    GuardedExchange,
    OrderAbsentError,
    OrderUnknownError,
    TradingRestrictedError,
)

REPLACE = "POST /api/v3/order/cancelReplace"
FAULTS: dict[str, dict[str, Any]] = {
    "dropped": {"kind": "dropped"},
    "hung": {"kind": "hung"},
    "503": {"kind": "server_error", "status": 503},
    "504 -1007": {"kind": "server_error", "status": 504, "code": -1007},
    "empty": {"kind": "empty"},
    "html": {"kind": "html"},
    "truncated": {"kind": "truncated"},
}


def statuses(server: SimulatedExchange) -> list[tuple[float, str]]:
    return [(float(order.price or 0), str(order.status)) for order in server.orders()]


def test_an_edit_is_journaled_under_the_id_of_the_order_that_replaces(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    old = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    new = exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    _, intent = exchange.order_journal.intents()
    assert (intent.status, intent.operation, intent.order_id) == (
        IntentStatus.PLACED,
        "edit_order",
        new["id"],
    )
    assert new["clientOrderId"] == intent.client_order_id
    assert statuses(server) == [(0.03, "CANCELED"), (0.031, "NEW")]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_edit_whose_answer_is_lost_is_found(server: SimulatedExchange, guarded: Any, fault: str) -> None:
    exchange = guarded(timeout_ms=150)
    old = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(on=REPLACE, phase="after", **FAULTS[fault]))  # type: ignore[arg-type]
    new = exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    assert new["price"] == 0.031
    assert statuses(server) == [(0.03, "CANCELED"), (0.031, "NEW")]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_edit_that_never_arrived_is_proved_absent_and_not_sent_again(
    server: SimulatedExchange, guarded: Any, fault: str
) -> None:
    exchange = guarded(timeout_ms=150)
    old = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(on=REPLACE, **FAULTS[fault]))  # type: ignore[arg-type]
    with pytest.raises(OrderAbsentError):
        exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    assert server.requests.count("POST", "/api/v3/order/cancelReplace") == 1
    assert statuses(server) == [(0.03, "NEW")]
    assert exchange.order_journal.intents()[1].status is IntentStatus.ABSENT


def test_an_edit_that_cannot_be_looked_up_is_unknown_until_it_is_found(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded()
    old = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(kind="dropped", on=REPLACE, phase="after"))  # type: ignore[arg-type]
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    with pytest.raises(OrderUnknownError):
        exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    with pytest.raises(TradingRestrictedError):
        exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.032)
    server.faults.clear()
    clock.advance(60)
    [intent] = exchange.recover_orders()
    assert intent.status is IntentStatus.PLACED
    assert exchange.interlock.status().causes == ()


def test_an_edit_that_is_accepted_after_its_refusal_was_told_is_found(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    old = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    late: dict[str, Any] = {"kind": "late_acceptance", "on": "create", "phase": "after", "delay": 3.0}
    server.faults.add(Fault(**late, status=400, code=-1006))
    new = exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    assert new["price"] == 0.031
    assert statuses(server) == [(0.03, "CANCELED"), (0.031, "NEW")]


def test_an_edit_of_an_order_that_is_gone_is_refused(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    filled = exchange.create_order("ETH/BTC", "market", "sell", 0.1)
    with pytest.raises(ccxt.BaseError) as raised:
        exchange.edit_order(filled["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    assert not isinstance(raised.value, OrderUnknownError | OrderAbsentError)
    assert exchange.order_journal.intents()[1].status is IntentStatus.REJECTED
    assert len(server.orders()) == 1


class Amending(ccxt.binance):  # type: ignore[misc]
    """An exchange that changes orders in place, and of which nothing else is known."""

    def describe(self) -> Any:
        return {**super().describe(), "id": "amending"}

    def edit_order(self, *wish: Any) -> Any:
        *_, amount, price, params = wish
        self.amended = (amount, price, params)
        self.request("order", ["private"], "PUT", {"orderId": wish[0]})

    lies: Any = None

    def fetch_order(self, *args: Any) -> Any:
        return {**super().fetch_order(*args), **(self.lies or {})}


@pytest.fixture
def amending(server: SimulatedExchange, clock: Any, tmp_path: Any) -> Any:
    guard = GuardConfig(clock=clock, journal=tmp_path / "state.db", order_expiry=5.0, visibility_lag=1.0)
    exchange: Any = GuardedExchange(Amending, server.ccxt_config(timeout=300), guard=guard)
    yield exchange
    exchange.close()


def test_an_edit_in_place_is_judged_by_the_order_itself(amending: Any, mocker: Any) -> None:
    order = amending.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    lost = ccxt.RequestTimeout("the answer was lost")
    for lies, expected in (({"price": 0.031}, IntentStatus.PLACED), ({}, IntentStatus.ABSENT)):
        amending.lies = lies
        mocker.patch.object(amending.session, "request", side_effect=_losing(amending, lost))
        if expected is IntentStatus.ABSENT:
            with pytest.raises(OrderAbsentError):
                amending.edit_order(
                    order["id"], "ETH/BTC", "limit", "buy", 1, 0.031, {"clientOrderId": "mine"}
                )
        else:
            amending.edit_order(order["id"], "ETH/BTC", "limit", "buy", 1, 0.031, {"clientOrderId": "mine"})
        intent = amending.order_journal.intents()[-1]
        assert (intent.status, intent.order_id, intent.operation) == (expected, order["id"], "amend_order")
        assert intent.client_order_id != "mine"
        assert amending.amended[2]["clientOrderId"] == "mine"


def _losing(exchange: Any, lost: Exception) -> Any:
    """Let every request through but the amendment, which is lost after it was sent."""
    through = type(exchange.session).request

    def request(method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if method == "PUT":
            raise lost
        return through(exchange.session, method, url, *args, **kwargs)

    return request


def test_an_emulated_edit_cancels_and_creates_by_their_own_rules(
    server: SimulatedExchange, guarded: Any
) -> None:
    class Emulated(ccxt.binance):  # type: ignore[misc]
        edit_order = ccxt.Exchange.edit_order

    exchange: Any = GuardedExchange(Emulated, server.ccxt_config(), guard=guarded().guard_config)
    old = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    new = exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    assert new["price"] == 0.031
    assert statuses(server) == [(0.03, "CANCELED"), (0.031, "NEW")]
    assert [i.operation for i in exchange.order_journal.intents()] == ["create_order", "create_order"]
    exchange.close()


def test_a_firewalls_page_is_not_the_exchanges_no_to_an_edit(server: SimulatedExchange, guarded: Any) -> None:
    """The request behind it may still arrive, until it expires."""
    exchange = guarded()
    old = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.add(
        Fault(kind="server_error", status=403, on=REPLACE)  # type: ignore[arg-type]
    )
    began = exchange.guard_config.clock.monotonic()
    with pytest.raises(OrderAbsentError):
        exchange.edit_order(old["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    assert exchange.guard_config.clock.monotonic() - began >= 5.0 + 1.0


def test_an_answer_from_the_cache_proves_nothing_of_an_edit(
    server: SimulatedExchange, clock: ManualClock, tmp_path: Any, mocker: Any
) -> None:
    guard = GuardConfig(
        clock=clock, journal=tmp_path / "s.db", order_expiry=5.0, max_age={"fetch_order": 3600.0}
    )
    exchange: Any = GuardedExchange(Amending, server.ccxt_config(timeout=300), guard=guard)
    order = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    mocker.patch.object(exchange.session, "request", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        exchange.edit_order(order["id"], "ETH/BTC", "limit", "buy", 1, 0.031)
    mocker.stopall()
    exchange.fetch_order(order["id"], "ETH/BTC")
    clock.advance(60.0)
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    [resolved] = exchange.recover_orders()
    assert resolved.status is IntentStatus.UNKNOWN
    exchange.close()
