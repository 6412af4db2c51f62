"""Orders that are accepted late, filled before anybody looks, or left out of what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import Fault, FaultKind, FaultPlan, Phase, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect

LATE = FaultKind.LATE_ACCEPTANCE


def buy(client: ccxt.binance, **params: Any) -> Any:
    return client.create_order("ETH/BTC", "limit", "buy", 1, 0.04, params)


@pytest.mark.parametrize(
    ("shown", "error"),
    [
        ({}, ccxt.NetworkError),
        ({"shown": "dropped"}, ccxt.NetworkError),
        ({"shown": "hung"}, ccxt.RequestTimeout),
        ({"shown": "server_error", "status": 504}, ccxt.RequestTimeout),
        ({"shown": "server_error", "status": 504, "code": -1007}, ccxt.RequestTimeout),
        ({"status": 500, "code": -1006}, ccxt.OperationFailed),
        ({"shown": "empty"}, None),
        ({"shown": "html"}, None),
        ({"shown": "truncated"}, None),
    ],
)
def test_client_sees_a_failure_of_any_kind_and_the_order_comes_later(
    exchange: SimulatedExchange,
    connect: Connect,
    clock: ManualClock,
    shown: dict[str, Any],
    error: type[Exception] | None,
) -> None:
    client = connect(exchange, timeout=150 if shown.get("shown") == "hung" else 2000)
    client.load_markets()
    exchange.faults.add(Fault(LATE, "create", delay=2, **shown))
    if error is None:
        assert buy(client)["id"] is None
    else:
        with pytest.raises(error):
            buy(client)
    assert exchange.orders() == []
    clock.advance(2)
    assert len(exchange.orders()) == 1
    assert exchange.requests.select("POST", "/order")[-1].fault == "late_acceptance"


@pytest.mark.parametrize(
    ("delay", "unchecked", "is_accepted"),
    [(3.0, 0.0, True), (3.001, 0.0, False), (0.0, 10.0, True), (3.0, 10.0, True), (3.001, 10.0, False)],
)
def test_receive_window_ends_at_the_last_check_and_not_in_the_engine(
    exchange: SimulatedExchange,
    connect: Connect,
    clock: ManualClock,
    delay: float,
    unchecked: float,
    is_accepted: bool,
) -> None:
    client = connect(exchange, options={"recvWindow": 3000})
    client.load_markets()
    exchange.faults.add(Fault(LATE, "create", delay=delay, unchecked=unchecked))
    sent_ms = exchange.time_ms()
    with pytest.raises(ccxt.NetworkError):
        buy(client)
    clock.advance(60)
    due_ms = sent_ms + round((delay + unchecked) * 1000)
    assert [order.created_ms for order in exchange.orders()] == [due_ms] * is_accepted


def test_what_is_refused_on_receipt_is_refused_at_once(
    exchange: SimulatedExchange, connect: Connect, clock: ManualClock
) -> None:
    client = connect(exchange, secret="another")
    client.load_markets()
    exchange.faults.add(Fault(LATE, "create", delay=1))
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        buy(client)
    clock.advance(5)
    assert exchange.orders() == []


@pytest.mark.parametrize("kind", [FaultKind.DROPPED, FaultKind.LATE, LATE])
def test_order_is_filled_before_anybody_looks(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock, kind: FaultKind
) -> None:
    exchange.faults.add(Fault(kind, "create", Phase.AFTER, delay=1, fills=True))
    try:
        buy(binance, clientOrderId="gone")
    except ccxt.NetworkError:
        assert kind is not FaultKind.LATE
    clock.advance(1)
    assert binance.fetch_open_orders("ETH/BTC") == []
    found = binance.fetch_order(None, "ETH/BTC", {"clientOrderId": "gone"})
    assert (found["status"], found["average"]) == ("closed", 0.04)
    assert binance.fetch_my_trades("ETH/BTC")[0]["takerOrMaker"] == "maker"
    # The id is free again: a careless second order of the same id is placed as well.
    assert buy(binance, clientOrderId="gone")["id"] != found["id"]


@pytest.mark.parametrize("kind", ["market", "stop"])
def test_what_does_not_rest_is_left_as_it_is(
    exchange: SimulatedExchange, binance: ccxt.binance, kind: str
) -> None:
    exchange.faults.add(Fault(FaultKind.LATE, "create", Phase.AFTER, delay=0, fills=True))
    params = {"stopLossPrice": 0.03} if kind == "stop" else {}
    binance.create_order("ETH/BTC", "market", "sell", 1, None, params)
    assert exchange.orders()[0].status == ("NEW" if kind == "stop" else "FILLED")


def test_resting_order_can_be_filled_by_hand(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    buy(binance, clientOrderId="mine")
    assert exchange.fill("mine").status == "FILLED"
    assert exchange.balances()["ETH"].free > 100
    for gone in ("mine", "other"):
        with pytest.raises(ConfigurationException, match="client_order_id"):
            exchange.fill(gone)


def test_waiting_stop_order_cannot_be_filled(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    params = {"stopLossPrice": 0.03, "clientOrderId": "stop"}
    binance.create_order("ETH/BTC", "market", "sell", 1, None, params)
    with pytest.raises(ConfigurationException, match="client_order_id"):
        exchange.fill("stop")


def test_gap_leaves_out_the_newest_order_and_its_trades(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    for name in ("older", "newer"):
        buy(binance, clientOrderId=name)
        exchange.fill(name)
    gap = Fault(FaultKind.LOOKUP_GAP, "lookup", delay=2, times=None)
    exchange.faults.add(gap)
    names = [order["clientOrderId"] for order in binance.fetch_orders("ETH/BTC")]
    trades = binance.fetch_my_trades("ETH/BTC")
    assert (names, len(trades)) == (["older"], 1)
    with pytest.raises(ccxt.OrderNotFound):
        binance.fetch_order(None, "ETH/BTC", {"clientOrderId": "newer"})
    clock.advance(2)
    assert len(binance.fetch_orders("ETH/BTC")) == 2


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (FaultKind.DROPPED, ccxt.NetworkError),
        (FaultKind.SERVER_ERROR, ccxt.ExchangeNotAvailable),
        (FaultKind.LOOKUP_LAG, []),
        (FaultKind.LOOKUP_GAP, []),
    ],
)
def test_look_up_faults_spare_the_orders(
    exchange: SimulatedExchange, binance: ccxt.binance, kind: FaultKind, outcome: Any
) -> None:
    exchange.faults.add(Fault(kind, "lookup", times=None, delay=5))
    assert buy(binance)["status"] == "open"
    if isinstance(outcome, list):
        assert binance.fetch_open_orders("ETH/BTC") == outcome
    else:
        with pytest.raises(outcome):
            binance.fetch_open_orders("ETH/BTC")


@pytest.mark.parametrize(("field", "value"), [("unchecked", -1), ("shown", "late"), ("shown", "earthquake")])
def test_bad_field_is_named(field: str, value: object) -> None:
    arguments: dict[str, Any] = {"kind": LATE, field: value}
    with pytest.raises(ConfigurationException, match=f"fault {field}: "):
        Fault(**arguments)


def test_hostile_profile_draws_late_acceptance_fills_and_incomplete_look_ups() -> None:
    def drawn(seed: int) -> list[tuple[str, bool]]:
        plan = FaultPlan.profile("hostile", seed)
        faults = [plan.draw(group, f"POST /{group}") for group in ("create", "lookup") for _ in range(2000)]
        return [(fault.label, fault.fills) for fault in faults if fault is not None]

    first = drawn(5)
    assert {("late_acceptance", True), ("late_acceptance", False), ("dropped/after", True)} < set(first)
    assert {("lookup_lag", False), ("lookup_gap", False)} < set(first)
    assert first == drawn(5) != drawn(6)
