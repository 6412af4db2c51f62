"""What moves money without an intent: tests of orders, payouts, and trades that have no protocol of their own."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard_ccxt import GuardedExchange, OutcomeUnknownError, TradingRestrictedError
from tradeguard_ccxt.facts import MarketKind, facts_of

ORDER = ("ETH/BTC", "limit", "buy", 1, 0.03)
NO_ANSWERS = ["dropped", "empty", "html", "truncated"]


# -- tests of orders ------------------------------------------------------------------------------------------


def test_a_test_of_an_order_is_no_order(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.interlock.halt("even then")
    exchange.create_order(*ORDER, {"test": True})
    assert server.requests.count("POST", "/api/v3/order/test") == 1
    assert server.orders() == []
    assert exchange.order_journal.intents() == []


def test_what_an_exchange_would_place_though_it_is_called_a_test_is_an_order(
    kraken_server: SimulatedExchange, kraken: Any
) -> None:
    kraken.interlock.halt("no orders")
    with pytest.raises(TradingRestrictedError):
        kraken.create_order(*ORDER, {"test": True})
    assert kraken_server.orders() == []
    kraken.interlock.resume()
    placed = kraken.create_order(*ORDER, {"test": True})
    [intent] = kraken.order_journal.intents()
    assert (intent.status, intent.order_id) == (IntentStatus.PLACED, placed["id"])


def test_a_test_where_ccxt_ignores_the_word_is_an_order(guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    is_test = exchange._guard_parts.desk.tickets.is_test
    assert is_test("ETH/BTC", "limit", {"test": True, "timeInForce": "IOC"})
    assert not is_test("ETH/BTC", "limit", {"test": True, "marginMode": "cross"})
    assert not is_test("ETH/BTC", "limit", {"test": False})
    assert not facts_of("binance", MarketKind.LINEAR).takes_tests
    with pytest.raises(ccxt.BadSymbol):
        exchange.create_order("NO/SUCH", "limit", "buy", 1, 0.03, {"test": True})


# -- payouts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("kind", NO_ANSWERS)
def test_a_payout_without_an_answer_is_no_success(
    server: SimulatedExchange, guarded: Any, kind: str, phase: str
) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind=kind, on="payout", phase=phase, times=None))  # type: ignore[arg-type]
    for pay in (
        lambda: exchange.withdraw("ETH", 1, "0x" + "a" * 40),
        lambda: exchange.transfer("ETH", 1, "spot", "funding"),
    ):
        before = len(server.requests)
        with pytest.raises(OutcomeUnknownError):
            pay()
        assert len(server.requests) == before + 1


@pytest.mark.parametrize("kind", NO_ANSWERS)
def test_a_transfer_on_kraken_without_an_answer_is_no_success(
    kraken_server: SimulatedExchange, kraken: Any, kind: str
) -> None:
    kraken.load_markets()
    kraken_server.faults.add(Fault(kind=kind, on="payout"))  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknownError):
        kraken.transfer("ETH", 1, "spot", "swap")


def test_an_endpoint_that_is_called_directly_answers_as_it_always_did(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    server.faults.add(Fault(kind="html", on="create"))  # type: ignore[arg-type]
    fields = {"symbol": "ETHBTC", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    answer = exchange.private_post_order({**fields, "quantity": "1", "price": "0.03"})
    assert answer.startswith("<")


# -- trades without a protocol ----------------------------------------------------------------------------------


class Trading(ccxt.binance):  # type: ignore[misc]
    """An exchange that has trades of its own, one of them within an order."""

    sent = 0

    def create_convert_trade(self, *_: Any) -> Any:
        self.sent += 1
        return {"id": "1"}

    edit_orders = create_twap_order = create_convert_trade

    def close_position(self, symbol: Any, side: Any = None, params: Any = None) -> Any:
        return self.request("order", ["private"], "POST", params or {})

    def create_order(self, *wish: Any) -> Any:
        return self.close_position(wish[0])


@pytest.mark.parametrize("name", ["create_convert_trade", "create_twap_order", "edit_orders"])
def test_a_trade_that_has_no_intent_is_halted_too(server: SimulatedExchange, guarded: Any, name: str) -> None:
    exchange: Any = GuardedExchange(Trading, server.ccxt_config(), guard=guarded().guard_config)
    exchange.interlock.halt("nothing")
    with pytest.raises(TradingRestrictedError, match="nothing"):
        getattr(exchange, name)("ETH/BTC")
    assert exchange.sent == 0
    exchange.interlock.resume()
    assert getattr(exchange, name)("ETH/BTC") == {"id": "1"}
    exchange.close()


def test_an_order_that_closes_a_position_inside_is_not_refused_where_it_is_in_doubt(
    server: SimulatedExchange, guarded: Any
) -> None:
    """As Coinbase's is: what the inner call was sent as, the outer one was."""

    class Unknown(Trading):
        def describe(self) -> Any:
            return {**super().describe(), "id": "unknown"}

    exchange: Any = GuardedExchange(Unknown, server.ccxt_config(timeout=300), guard=guarded().guard_config)
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create"))
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))
    with pytest.raises(OutcomeUnknownError):
        exchange.create_order(*ORDER)
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.UNKNOWN]
    exchange.close()
