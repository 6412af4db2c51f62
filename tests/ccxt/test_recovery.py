"""A process that dies in mid-order leaves an intent behind; the next one finds out what became of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tradeguard.orders import IntentStatus, JournalError, OrderIntent
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, GuardedExchange

BOT = """
import json, sys
from tradeguard_ccxt import GuardConfig, GuardedExchange
config, journal = json.loads(sys.argv[1]), sys.argv[2]
bot = GuardedExchange("binance", config, guard=GuardConfig(journal=journal, order_expiry=0.5, visibility_lag=0.1))
bot.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
"""


class Killed(BaseException):
    """What a test raises where a process would die."""


@pytest.mark.parametrize("phase", ["before", "after"])
def test_an_order_in_flight_at_kill_9_is_resolved_by_the_next_process(tmp_path: Path, phase: str) -> None:
    import json

    journal = tmp_path / "state.db"
    with SimulatedExchange(seed=1) as server:
        server.faults.add(Fault(kind="hung", on="create", phase=phase))  # type: ignore[arg-type]
        config = server.ccxt_config()
        bot = subprocess.Popen([sys.executable, "-c", BOT, json.dumps(config), str(journal)])
        arrived = threading.Event()
        for _ in range(2000):
            if server.requests.count("POST", "/api/v3/order"):
                arrived.set()
                break
            arrived.wait(0.01)
        os.kill(bot.pid, signal.SIGKILL)
        bot.wait(10)
        assert arrived.is_set()

        guard = GuardConfig(journal=journal, order_expiry=0.5, visibility_lag=0.1)
        successor: Any = GuardedExchange("binance", config, guard=guard)
        [left_behind] = successor.order_journal.intents()
        assert left_behind.status is IntentStatus.SENT
        placed = successor.create_order("ETH/BTC", "limit", "buy", 2, 0.03)  # recovers first, by itself
        intents = {i.client_order_id: i for i in successor.order_journal.intents()}
        recovered = intents[left_behind.client_order_id]
        assert recovered.status is (IntentStatus.PLACED if phase == "after" else IntentStatus.ABSENT)
        on_book = [o.client_order_id for o in server.orders()]
        expected = [left_behind.client_order_id] if phase == "after" else []
        assert on_book == [*expected, placed["clientOrderId"]]
        assert server.audit(intents.values()).clean
        successor.close()


def test_recovery_never_sends_and_leaves_what_cannot_be_looked_up_unknown(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    with pytest.raises(ccxt.ExchangeError):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    [still] = exchange.recover_orders()
    assert still.status is IntentStatus.UNKNOWN
    assert exchange.orders_in_doubt() == [still]
    server.faults.clear()
    clock.advance(60)
    # The next order on the symbol settles the doubt first.
    exchange.create_order("ETH/BTC", "limit", "buy", 2, 0.03)
    assert exchange.orders_in_doubt() == []
    assert len(server.orders()) == 2
    assert exchange.guard_statistics()["orders"]["recovered"] == 1


def test_an_interrupt_in_mid_send_leaves_a_sent_intent(
    server: SimulatedExchange, guarded: Any, mocker: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    mocker.patch.object(exchange.session, "request", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    mocker.stopall()
    [doubt] = exchange.orders_in_doubt()
    assert doubt.status is IntentStatus.SENT
    [resolved] = exchange.recover_orders()
    assert resolved.status is IntentStatus.ABSENT
    assert server.orders() == []


class FailingJournal:
    """A journal on a disk that fills up after `good` writes."""

    def __init__(self, journal: Any, good: int) -> None:
        self._journal = journal
        self._good = good

    def _write(self) -> None:
        self._good -= 1
        if self._good < 0:
            raise JournalError("database or disk is full")

    def add(self, intent: OrderIntent) -> None:
        self._write()
        self._journal.add(intent)

    def update(self, intent: OrderIntent, *, expected: OrderIntent | None = None) -> None:
        self._write()
        self._journal.update(intent, expected=expected)

    def get(self, client_order_id: str) -> Any:
        return self._journal.get(client_order_id)

    def intents(self, status: Any = None) -> Any:
        return self._journal.intents(status)

    def open_intents(self) -> Any:
        return self._journal.open_intents()


class UnreadableOnce(FailingJournal):
    """A journal that is locked when it is first asked what is open."""

    locked = True

    def open_intents(self) -> Any:
        if self.locked:
            self.locked = False
            raise JournalError("database is locked")
        return super().open_intents()


def test_a_first_recovery_that_fails_is_made_up_for_by_the_next_order(
    server: SimulatedExchange, guarded: Any, mocker: Any
) -> None:
    crashed = guarded()
    crashed.load_markets()
    mocker.patch.object(crashed.session, "request", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        crashed.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    exchange = guarded(journal=UnreadableOnce(crashed.order_journal, good=100))
    with pytest.raises(JournalError, match="locked"):
        exchange.create_order("ETH/BTC", "limit", "buy", 2, 0.03)
    exchange.create_order("ETH/BTC", "limit", "buy", 2, 0.03)
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.ABSENT, IntentStatus.PLACED]


def test_an_intent_on_a_delisted_symbol_keeps_no_other_from_being_resolved(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    with pytest.raises(ccxt.ExchangeError):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.faults.clear()
    clock.advance(60)
    [doubt] = exchange.orders_in_doubt()
    gone = doubt.replace(client_order_id="gone", symbol="GONE/BTC", created_at=doubt.created_at)
    exchange.order_journal.add(gone)
    resolved = {i.client_order_id: i.status for i in exchange.recover_orders()}
    assert resolved == {"gone": IntentStatus.UNKNOWN, doubt.client_order_id: IntentStatus.PLACED}


class FoundByAnother(FailingJournal):
    """A journal in which another process finds an order as soon as it is in doubt."""

    def update(self, intent: OrderIntent, *, expected: OrderIntent | None = None) -> None:
        if expected is not None and intent.status is IntentStatus.SENT:
            self._journal.update(intent.replace(status=IntentStatus.PLACED, order_id="1"))
        super().update(intent, expected=expected)


def test_an_order_that_another_process_found_is_placed_though_it_cannot_be_fetched_now(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded(journal=FoundByAnother(guarded().order_journal, good=100))
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    [order] = server.orders()
    assert (placed["id"], placed["clientOrderId"]) == (order.order_id, order.client_order_id)


def test_a_full_disk_refuses_an_order_before_it_is_sent(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded(journal=FailingJournal(guarded().order_journal, good=0))
    with pytest.raises(JournalError, match="disk is full"):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert server.orders() == []


def test_a_disk_that_fills_up_after_the_send_loses_no_order(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded(journal=FailingJournal(guarded().order_journal, good=1))
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)  # the truth reaches the caller
    [order] = server.orders()
    assert placed["clientOrderId"] == order.client_order_id
    [doubt] = exchange.orders_in_doubt()  # and the journal still knows that it has to be resolved
    assert doubt.status is IntentStatus.SENT
    assert exchange.guard_monitor.get_error_statistics()["by_component"]["orders.journal"] == 1


def test_a_callers_own_client_id_wins_and_is_placed_once(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03, {"clientOrderId": "mine-1"})
    assert placed["clientOrderId"] == "mine-1"
    with pytest.raises(JournalError, match="mine-1"):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03, {"clientOrderId": "mine-1"})
    assert [o.client_order_id for o in server.orders()] == ["mine-1"]


def test_convenience_methods_go_through_the_protocol(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    for _ in range(2):
        server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
        exchange.create_limit_buy_order("ETH/BTC", 1, 0.03)
    exchange.create_market_buy_order_with_cost("ETH/BTC", 0.01)
    assert len(server.orders()) == 3
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.PLACED] * 3


def test_an_order_endpoint_called_directly_is_sent_once(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    with pytest.raises(ccxt.NetworkError):
        exchange.private_post_order(
            {
                "symbol": "ETHBTC",
                "side": "BUY",
                "type": "LIMIT",
                "quantity": "1",
                "price": "0.03",
                "timeInForce": "GTC",
            }
        )
    assert server.requests.count("POST", "/api/v3/order") == 1


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "many", True])
@pytest.mark.parametrize("field", ["amount", "price"])
def test_a_bad_number_is_refused_before_anything_is_written(
    server: SimulatedExchange, guarded: Any, field: str, value: Any
) -> None:
    exchange = guarded()
    arguments: dict[str, Any] = {"amount": 1, "price": 0.03} | {field: value}
    with pytest.raises(ccxt.InvalidOrder, match=f"{field} must be"):
        exchange.create_order("ETH/BTC", "limit", "buy", **arguments)
    assert exchange.order_journal.intents() == []
    assert server.requests.count("POST", "/api/v3/order") == 0


def test_the_log_tells_the_whole_story_of_an_order_and_no_secret(
    server: SimulatedExchange, guarded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create"))  # type: ignore[arg-type]
    with caplog.at_level("DEBUG", logger="tradeguard"):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    story = "\n".join(record.getMessage() for record in caplog.records)
    for chapter in (
        "SENT, 1 send(s)",
        "create_order: attempt 1 on the trading circuit failed (sick",
        "sent: AMBIGUOUS",
        "looked up: not found",
        "looked up: absent",
        "SENT, 2 send(s)",
        "sent: PLACED",
        "PLACED, 2 send(s)",
    ):
        assert chapter in story
    assert exchange.secret not in story
    assert exchange.apiKey not in story
