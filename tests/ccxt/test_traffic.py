"""Traffic that was asked to rest rests, clocks that jump hold nothing up, and a recovery is noticed by any answer."""

from __future__ import annotations

import time
from typing import Any

import ccxt
import pytest

from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import CircuitOpenError, GuardedExchange
from tradeguard_ccxt.failures import Answer, classify
from tradeguard_ccxt.operations import Entered, operation_of


def ban(exchange: Any, seconds: float) -> None:
    guard = exchange._guard_parts.guard
    guard.pauses.pause(seconds, ccxt.DDoSProtection("banned"), *guard.circuits)


def test_a_pause_that_is_prolonged_while_it_is_waited_for_is_kept(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, mocker: Any
) -> None:
    exchange = guarded(fallback=False)
    exchange.load_markets()
    ban(exchange, 5.0)
    sleep, prolonged = clock.sleep, []

    def wait(seconds: float) -> None:
        sleep(seconds)
        if not prolonged:
            prolonged.append(ban(exchange, 15.0))

    mocker.patch.object(clock, "sleep", wait)
    began = clock.monotonic()
    exchange.fetch_ticker("ETH/BTC")
    assert clock.monotonic() - began >= 20.0


@pytest.mark.parametrize("seconds", [12.0, 300.0])
def test_what_waits_for_the_rate_limit_when_a_ban_comes_is_not_sent_during_it(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, seconds: float
) -> None:
    class Queueing(ccxt.binance):  # type: ignore[misc]
        meanwhile: Any = None

        def throttle(self, cost: Any = None) -> None:
            meanwhile, self.meanwhile = self.meanwhile, None
            if meanwhile is not None:
                meanwhile()

    exchange: Any = GuardedExchange(Queueing, server.ccxt_config(), guard=guarded().guard_config)
    exchange.load_markets()
    exchange.enableRateLimit = True
    exchange.meanwhile = lambda: ban(exchange, seconds)
    sent, began = len(server.requests), clock.monotonic()
    if seconds > exchange.guard_config.deadline:
        with pytest.raises(CircuitOpenError):
            exchange.fetch_ticker("ETH/BTC")
        assert len(server.requests) == sent
    else:
        exchange.fetch_ticker("ETH/BTC")
        assert clock.monotonic() - began >= seconds
        assert len(server.requests) == sent + 1
    exchange.close()


def test_a_clock_that_is_set_back_does_not_hold_the_rate_limit_up(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, mocker: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    exchange.enableRateLimit = True
    exchange.fetch_order_book("ETH/BTC")
    slept: list[float] = []
    mocker.patch.object(time, "sleep", slept.append)
    exchange.milliseconds = lambda: int((clock.time() - 3600) * 1000)
    exchange.fetch_order_book("ETH/BTC")
    assert sum(slept) < 10


def test_a_ban_lasts_as_long_as_its_header_says_though_our_clock_is_ahead() -> None:
    banned = ccxt.DDoSProtection("banned until 1700000060000.")
    assert classify(banned, Answer(418, {"retry-after": "60"}), 1_700_000_050.0).retry_after == 60.0
    assert classify(banned, Answer(418, {"retry-after": "0"}), 1_700_000_050.0).retry_after == 10.0
    assert classify(banned, None, 1_700_000_070.0).retry_after is None


def test_a_refusal_shows_that_an_exchange_on_trial_is_well(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="server_error", on="account", times=5))  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(ccxt.ExchangeNotAvailable):
            exchange.fetch_balance()
    assert exchange.guard_statistics()["circuits"]["account"]["state"] == "open"
    server.faults.clear()
    clock.advance(10)
    errors = exchange.guard_monitor.get_error_statistics()["total_errors"]
    with pytest.raises(ccxt.OrderNotFound) as raised:
        exchange.fetch_order("999", "ETH/BTC")
    assert raised.value.context["operation"] == "fetch_order"
    assert exchange.guard_statistics()["circuits"]["account"]["state"] == "closed"
    assert exchange.guard_monitor.get_error_statistics()["total_errors"] == errors + 1


def test_a_refused_order_shows_that_trading_on_trial_is_well(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded(order_deadline=5.0)
    exchange.load_markets()
    server.pull_plug()
    for _ in range(3):
        with pytest.raises(ccxt.NetworkError):
            exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    server.plug_in()
    clock.advance(60)
    with pytest.raises(ccxt.InsufficientFunds):
        exchange.create_order("ETH/BTC", "limit", "buy", 5_000, 0.03)
    assert exchange.guard_statistics()["circuits"]["trading"]["state"] == "closed"


def test_an_answer_that_is_meant_to_be_empty_is_none_that_was_lost(guarded: Any) -> None:
    exchange = guarded()
    guard = exchange._guard_parts.guard
    cancel = operation_of("cancel_order")
    request = guard.request("order/1", "private", "DELETE", Entered(exchange, cancel, cancel, "ETH/BTC"))
    request.wire.answered(200, {})
    with pytest.raises(ccxt.NullResponse):
        guard.attempt_succeeded(request, "")
    request.wire.answered(204, {})
    assert guard.attempt_succeeded(request, "") is None
