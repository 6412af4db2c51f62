"""Several orders in one request: each has an intent of its own, and none is placed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
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

BATCH = [
    {"symbol": "ETH/BTC", "type": "limit", "side": "buy", "amount": 1.0, "price": 0.03},
    {"symbol": "ETH/BTC", "type": "limit", "side": "buy", "amount": 2.0, "price": 0.031},
    {"symbol": "ETH/BTC", "type": "limit", "side": "sell", "amount": 1.0, "price": 0.07},
]
PATH = "/0/private/AddOrderBatch"
FAULTS: dict[str, dict[str, Any]] = {
    "dropped": {"kind": "dropped"},
    "hung": {"kind": "hung"},
    "503": {"kind": "server_error", "status": 503},
    "EService:Timeout": {"kind": "server_error", "code": "EService:Timeout"},
    "empty": {"kind": "empty"},
    "html": {"kind": "html"},
    "truncated": {"kind": "truncated"},
}


@pytest.fixture
def kraken(clock: ManualClock) -> Iterator[SimulatedExchange]:
    with SimulatedExchange(seed=1, clock=clock, dialect="kraken") as exchange:
        yield exchange


@pytest.fixture
def guarded_kraken(
    kraken: SimulatedExchange, clock: ManualClock, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    made = []

    def make(**settings: Any) -> Any:
        guard = GuardConfig(**{"clock": clock, "journal": tmp_path / "state.db", **settings})
        exchange: Any = GuardedExchange("kraken", kraken.ccxt_config(timeout=150), guard=guard)
        made.append(exchange)
        return exchange

    yield make
    for exchange in made:
        exchange.close()


def on_book(server: SimulatedExchange) -> list[tuple[str, float, float]]:
    return sorted((str(o.side).lower(), float(o.amount), float(o.price or 0)) for o in server.orders())


WANTED = sorted((o["side"], o["amount"], o["price"]) for o in BATCH)


def test_each_order_of_a_batch_has_its_intent(kraken: SimulatedExchange, guarded_kraken: Any) -> None:
    exchange = guarded_kraken()
    placed = exchange.create_orders(BATCH)
    assert [(o["side"], o["amount"], o["price"]) for o in placed] == [
        (o["side"], o["amount"], o["price"]) for o in BATCH
    ]
    intents = exchange.order_journal.intents()
    assert [(i.status, i.operation, i.order_id) for i in intents] == [
        (IntentStatus.PLACED, "create_orders", o["id"]) for o in placed
    ]
    assert on_book(kraken) == WANTED
    assert kraken.audit(intents).clean


@pytest.mark.parametrize("fault", FAULTS)
def test_a_batch_whose_answer_is_lost_is_found_order_by_order(
    kraken: SimulatedExchange, guarded_kraken: Any, fault: str
) -> None:
    exchange = guarded_kraken()
    exchange.load_markets()
    kraken.faults.add(Fault(on=f"POST {PATH}", phase="after", **FAULTS[fault]))  # type: ignore[arg-type]
    placed = exchange.create_orders(BATCH)
    assert len({o["id"] for o in placed}) == 3
    assert on_book(kraken) == WANTED
    assert kraken.requests.count("POST", PATH) == 1
    assert kraken.audit(exchange.order_journal.intents()).clean


@pytest.mark.parametrize("fault", FAULTS)
def test_a_batch_that_never_arrived_is_proved_absent_and_not_sent_again(
    kraken: SimulatedExchange, guarded_kraken: Any, fault: str
) -> None:
    exchange = guarded_kraken()
    exchange.load_markets()
    kraken.faults.add(Fault(on=f"POST {PATH}", **FAULTS[fault]))  # type: ignore[arg-type]
    with pytest.raises(OrderAbsentError):
        exchange.create_orders(BATCH)
    assert on_book(kraken) == []
    assert kraken.requests.count("POST", PATH) == 1
    assert {i.status for i in exchange.order_journal.intents()} == {IntentStatus.ABSENT}


def test_an_order_that_is_refused_within_its_batch_is_told_beside_the_others(
    kraken: SimulatedExchange, guarded_kraken: Any
) -> None:
    exchange = guarded_kraken()
    poor = {**BATCH[2], "amount": 500.0}
    first, refused, last = exchange.create_orders([BATCH[0], poor, BATCH[1]])
    assert (first["id"] is None, refused["id"], last["id"] is None) == (False, None, False)
    assert refused["status"] == "rejected"
    assert "nsufficient" in refused["info"]["error"]
    assert [i.status for i in exchange.order_journal.intents()] == [
        IntentStatus.PLACED, IntentStatus.REJECTED, IntentStatus.PLACED
    ]  # fmt: skip
    assert len(on_book(kraken)) == 2


def test_a_batch_that_cannot_be_looked_up_is_unknown_until_it_is_found(
    kraken: SimulatedExchange, guarded_kraken: Any, clock: ManualClock
) -> None:
    exchange = guarded_kraken()
    exchange.load_markets()
    kraken.faults.add(Fault(kind="dropped", on=f"POST {PATH}", phase="after"))  # type: ignore[arg-type]
    kraken.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    with pytest.raises(OrderUnknownError) as raised:
        exchange.create_orders(BATCH)
    assert raised.value.context["placed"] == []
    with pytest.raises(TradingRestrictedError):
        exchange.create_orders(BATCH)
    kraken.faults.clear()
    clock.advance(60)
    assert {i.status for i in exchange.recover_orders()} == {IntentStatus.PLACED}
    assert kraken.audit(exchange.order_journal.intents()).clean


def test_a_batch_whose_last_order_is_restricted_leaves_no_trace(
    kraken: SimulatedExchange, guarded_kraken: Any
) -> None:
    exchange = guarded_kraken()
    exchange.interlock.halt("stop")
    with pytest.raises(TradingRestrictedError):
        exchange.create_orders(BATCH)
    assert exchange.order_journal.intents() == []
    assert on_book(kraken) == []


def test_a_bad_order_in_a_batch_is_named_before_anything_is_written(
    kraken: SimulatedExchange, guarded_kraken: Any
) -> None:
    exchange = guarded_kraken()
    with pytest.raises(ccxt.InvalidOrder, match="amount"):
        exchange.create_orders([BATCH[0], {**BATCH[1], "amount": "much"}])
    assert exchange.order_journal.intents() == []


def test_a_batch_is_at_most_once_where_it_cannot_be_looked_up(
    server: SimulatedExchange, guarded: Any
) -> None:
    class Batching(ccxt.binance):  # type: ignore[misc]
        def create_orders(self, orders: Any, params: Any = None) -> Any:
            self.sent = orders
            return self.request("order", ["private"], "POST", {"symbol": "ETHBTC"})

    exchange: Any = GuardedExchange(Batching, server.ccxt_config(timeout=150), guard=guarded().guard_config)
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create"))  # type: ignore[arg-type]
    with pytest.raises((OrderUnknownError, OrderAbsentError)):
        exchange.create_orders(BATCH)
    assert server.requests.count("POST", "/api/v3/order") == 1
    exchange.close()


def test_an_order_whose_request_lacks_its_client_id_is_not_sent(
    server: SimulatedExchange, guarded: Any
) -> None:
    """A wrong fact must not prove an absence: what could not be found again does not go out."""

    class Forgetful(ccxt.binance):  # type: ignore[misc]
        def create_order_request(self, *args: Any) -> Any:
            return {**super().create_order_request(*args), "newClientOrderId": "another"}

    exchange: Any = GuardedExchange(Forgetful, server.ccxt_config(), guard=guarded().guard_config)
    with pytest.raises(ccxt.NotSupported, match="would not bear the client order id"):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert server.orders() == []
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.REJECTED]
    exchange.close()
