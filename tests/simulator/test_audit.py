"""The audit of a bot's belief."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus
from tradeguard.simulator import SimulatedExchange


@dataclass
class Intent:
    client_order_id: str
    status: Any = "PLACED"
    order_id: str | None = None
    client_order_ids: tuple[str, ...] = ()
    symbol: str | None = None
    side: str | None = None
    amount: float | None = None
    extra: dict[str, object] = field(default_factory=dict)


class Loud(StrEnum):
    PLACED = "placed"


@pytest.fixture
def place(binance: ccxt.binance) -> Any:
    def placed(client_order_id: str, amount: float = 1.0) -> str:
        order = binance.create_order(
            "ETH/BTC", "limit", "buy", amount, 0.04, {"clientOrderId": client_order_id}
        )
        return str(order["id"])

    return placed


def test_belief_that_agrees_with_the_book_is_clean(exchange: SimulatedExchange, place: Any) -> None:
    intents = [
        Intent("a", IntentStatus.PLACED, place("a"), symbol="ETH/BTC", side="buy", amount=1.0),
        Intent("b", Loud.PLACED, place("b")),
        Intent("c", "REJECTED"),
        Intent("d", "ABSENT"),
    ]
    audit = exchange.audit(intents)
    assert audit.clean
    assert (audit.intents, audit.placed) == (4, 2)


def test_order_that_was_sent_without_a_client_id_is_found_by_its_order_id(
    exchange: SimulatedExchange, binance: ccxt.binance, place: Any
) -> None:
    nameless = [binance.create_order("ETH/BTC", "limit", "buy", 1, 0.04)["id"] for _ in range(2)]
    named = place("named")
    audit = exchange.audit([Intent("never sent", "PLACED", nameless[0]), Intent("named", "PLACED", named)])
    assert (audit.placed, len(audit.lost), audit.phantom) == (2, 1, ())
    # Who bears the name comes before who claims the number.
    claimed = exchange.audit([Intent("never sent", "PLACED", named), Intent("named", "PLACED", named)])
    assert claimed.phantom == ("never sent",)


def test_empty_belief_of_an_empty_book_is_clean(exchange: SimulatedExchange) -> None:
    assert exchange.audit([]).clean


def test_second_order_of_one_intent_is_a_duplicate(
    exchange: SimulatedExchange, binance: ccxt.binance
) -> None:
    for _ in range(2):
        binance.create_order("ETH/BTC", "market", "buy", 1, None, {"clientOrderId": "a"})
    audit = exchange.audit([Intent("a")])
    assert (audit.duplicated, audit.placed, audit.clean) == (("a",), 1, False)


def test_second_order_under_another_id_of_the_intent_is_a_duplicate(
    exchange: SimulatedExchange, place: Any
) -> None:
    place("a")
    place("a-retry")
    assert exchange.audit([Intent("a", client_order_ids=("a", "a-retry"))]).duplicated == ("a-retry",)


@pytest.mark.parametrize("status", ["REJECTED", "ABSENT"])
def test_order_that_the_bot_gave_up_is_lost(exchange: SimulatedExchange, place: Any, status: str) -> None:
    place("a")
    audit = exchange.audit([Intent("a", status)])
    assert (audit.lost, audit.clean) == (("a",), False)


def test_order_without_an_intent_is_lost(exchange: SimulatedExchange, place: Any) -> None:
    place("a")
    place("b")
    assert exchange.audit([Intent("a")]).lost == ("b",)


def test_belief_without_an_order_is_a_phantom(exchange: SimulatedExchange) -> None:
    audit = exchange.audit([Intent("a")])
    assert (audit.phantom, audit.placed, audit.clean) == (("a",), 0, False)


@pytest.mark.parametrize("status", ["PENDING", "SENT", "UNKNOWN"])
def test_unresolved_intent_is_unknown_whether_or_not_it_is_on_the_book(
    exchange: SimulatedExchange, place: Any, status: str
) -> None:
    place("a")
    audit = exchange.audit([Intent("a", status), Intent("b", status)])
    assert (audit.unknown, audit.lost, audit.clean) == (("a", "b"), (), False)


@pytest.mark.parametrize(
    "wrong", [{"order_id": "99"}, {"symbol": "BTC/USDT"}, {"side": "sell"}, {"amount": 2.0}]
)
def test_order_that_differs_from_its_intent_is_mismatched(
    exchange: SimulatedExchange, place: Any, wrong: dict[str, Any]
) -> None:
    place("a")
    assert exchange.audit([Intent("a", **wrong)]).mismatched == ("a",)


def test_amount_finer_than_the_step_is_no_mismatch(exchange: SimulatedExchange, place: Any) -> None:
    place("a", 1.00005)
    assert exchange.audit([Intent("a", amount=1.00005)]).clean


def test_balances_that_differ_are_told(exchange: SimulatedExchange) -> None:
    audit = exchange.audit([], balances={"ETH": 100.0, "BTC": 9.5, "DOGE": 0})
    assert audit.balances == {"BTC": (Decimal("9.5"), Decimal(10))}
    assert not audit.clean


def test_audit_looks_at_one_account(exchange: SimulatedExchange, place: Any) -> None:
    place("a")
    exchange.add_account("other", {})
    assert exchange.audit([], account="other").clean
