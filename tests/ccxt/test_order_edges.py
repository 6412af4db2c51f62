"""Orders at the edges: what else `create_order` does, clocks that are wrong or jump, ids that are used again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import traceback
from pathlib import Path
from typing import Any

import ccxt
import pytest
import requests

from tradeguard import deadline
from tradeguard.orders import DuplicateIntentError, IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import (
    GuardConfig,
    GuardedExchange,
    OrderAbsentError,
    OrderUnknownError,
    OutcomeUnknownError,
    async_support,
)
from tradeguard_ccxt.facts import CAUTIOUS
from tradeguard_ccxt.flavours import answer_of

ORDER = ("ETH/BTC", "limit", "buy", 1, 0.03)
PATH = "/api/v3/order"


def fault(server: SimulatedExchange, **settings: Any) -> None:
    server.faults.add(Fault(**settings))


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("flavour", ["sync", "pro"])
async def test_a_deadline_that_passes_after_the_send_leaves_no_order_in_doubt(
    server: SimulatedExchange, guarded: Any, guarded_pro: Any, clock: ManualClock, flavour: str, phase: str
) -> None:
    exchange = guarded() if flavour == "sync" else guarded_pro()
    await answer_of(exchange.load_markets())
    fault(server, kind="dropped", on="create", phase=phase)
    fault(server, kind="server_error", on="lookup", status=503, times=3)  # so that the deadline passes
    with deadline(0.5, clock=clock):
        try:
            order = await answer_of(exchange.create_order(*ORDER))
        except OrderAbsentError:
            assert server.orders() == []
        else:
            assert [order["id"]] == [placed.order_id for placed in server.orders()]
    assert exchange.orders_in_doubt() == []


# -- what was sent, and what else was asked -------------------------------------------------------------------


@pytest.mark.parametrize("after", [{"kind": "limited", "retry_after": 1.0}, {"kind": "dropped"}, "plug"])
def test_a_request_that_fails_after_the_order_says_nothing_of_the_order(
    server: SimulatedExchange, guarded: Any, clock: ManualClock, after: Any
) -> None:
    class Careful(ccxt.binance):  # type: ignore[misc]
        def create_order(self, *args: Any, **kwargs: Any) -> Any:
            order = super().create_order(*args, **kwargs)
            if after == "plug":
                server.pull_plug()
            else:
                fault(server, on="market", times=None, **after)
            try:
                self.fetch_ticker("ETH/BTC")
            finally:
                if after == "plug":
                    server.plug_in()
            return order

    exchange: Any = GuardedExchange(Careful, server.ccxt_config(), guard=guarded().guard_config)
    exchange.load_markets()
    exchange.create_order(*ORDER)
    assert server.requests.count("POST", PATH) == 1
    assert len(server.orders()) == 1
    assert server.audit(exchange.order_journal.intents()).clean
    exchange.close()


def test_an_order_on_another_instance_within_a_call_has_its_own_protocol(
    server: SimulatedExchange, guarded: Any, tmp_path: Path
) -> None:
    first, second = guarded(), guarded(journal=tmp_path / "second.db")
    first.load_markets()
    second.load_markets()
    hedges: list[Any] = []

    def hedge(_: Any) -> None:
        if not hedges:
            hedges.append(second.create_order("ETH/BTC", "limit", "sell", 2, 0.09))

    first.guard_monitor.add_listener(hedge)
    fault(server, kind="dropped", on="create")
    placed = first.create_order(*ORDER)
    [intent] = second.order_journal.intents()
    assert intent.order_id == hedges[0]["id"]
    assert [i.order_id for i in first.order_journal.intents()] == [placed["id"]]


def test_an_order_within_the_failure_of_another_has_its_own_intent(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    hedges: list[Any] = []

    def hedge(_: Any) -> None:
        if not hedges:
            hedges.append(None)
            hedges.append(exchange.create_order("ETH/BTC", "limit", "sell", 2, 0.09))

    exchange.guard_monitor.add_listener(hedge)
    fault(server, kind="dropped", on="create")
    placed = exchange.create_order(*ORDER)
    assert {i.order_id for i in exchange.order_journal.intents()} == {placed["id"], hedges[1]["id"]}


def test_a_convenience_method_is_one_call(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    calls = exchange.guard_statistics()["calls"]
    exchange.create_limit_buy_order("ETH/BTC", 1, 0.03)
    assert exchange.guard_statistics()["calls"] == calls + 1


def test_settings_that_ccxt_refuses_before_it_connects_leave_no_doubt(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    exchange.httpProxy, exchange.httpsProxy = "http://a", "http://b"
    with pytest.raises(ccxt.InvalidProxySettings):
        exchange.create_order(*ORDER)
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.REJECTED]


# -- what is asked for, and what is answered ----------------------------------------------------------------------


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_with_a_price_is_sized_by_cost_and_placed(
    server: SimulatedExchange, guarded: Any, side: str
) -> None:
    exchange = guarded()
    placed = exchange.create_order("ETH/BTC", "market", side, 1, 0.03)
    [intent] = exchange.order_journal.intents()
    assert (intent.status, intent.order_id, intent.amount) == (IntentStatus.PLACED, placed["id"], None)


def test_the_side_may_be_in_capitals_as_plain_ccxt_allows(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    assert exchange.create_order("ETH/BTC", "LIMIT", "BUY", 1, 0.03)["side"] == "buy"
    with pytest.raises(ccxt.ArgumentsRequired):
        exchange.create_order("ETH/BTC", None, "buy", 1, 0.03)


def test_of_two_client_ids_the_one_that_ccxt_sends_is_looked_up(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    fault(server, kind="dropped", on="create", phase="after")
    exchange.create_order(*ORDER, {"clientOrderId": "one", "newClientOrderId": "two"})
    assert [o.client_order_id for o in server.orders()] == ["two"]
    assert [i.client_order_id for i in exchange.order_journal.intents()] == ["two"]


def test_where_options_send_look_ups_to_another_account_absence_is_never_proved(
    server: SimulatedExchange, guarded: Any, mocker: Any
) -> None:
    exchange = guarded(config={"options": {"marginMode": "cross"}})
    exchange.load_markets()
    exchange.sapiGetMarginOrder = mocker.Mock(side_effect=ccxt.OrderNotFound("not there"))
    exchange.sapiGetMarginOpenOrders = exchange.sapiGetMarginAllOrders = lambda *_: []
    fault(server, kind="dropped", on="create", phase="after")
    with pytest.raises(OrderUnknownError):
        exchange.create_order("ETH/BTC", "market", "sell", 0.1)
    assert len(server.orders()) == 1


@pytest.mark.parametrize("option", ["marginMode", "defaultMarginMode", "portfolioMargin", "papi"])
def test_an_account_that_options_choose_has_no_spot_facts(guarded: Any, option: str) -> None:
    for options in ({option: "cross"}, {"fetchOrder": {option: "cross"}}):
        exchange = guarded(config={"options": options})
        exchange.load_markets()
        assert exchange._guard_parts.desk.tickets.write(*ORDER, {}, account="x").facts is CAUTIOUS


@pytest.mark.parametrize("end", ["absent", "refused"])
def test_the_client_id_of_an_order_that_surely_does_not_exist_may_be_used_again(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, end: str
) -> None:
    exchange = guarded(order_deadline=5.0)
    exchange.load_markets()
    params = {"clientOrderId": "mine"}
    if end == "absent":
        server.pull_plug()
        with pytest.raises(OrderAbsentError):
            exchange.create_order(*ORDER, params)
        server.plug_in()
        clock.advance(60)
    else:
        with pytest.raises(ccxt.InsufficientFunds):
            exchange.create_order("ETH/BTC", "limit", "buy", 5_000, 0.03, params)
    before = exchange.order_journal.get("mine")
    placed = exchange.create_order(*ORDER, params)
    [intent] = exchange.order_journal.intents()
    assert (intent.status, intent.order_id, intent.amount) == (IntentStatus.PLACED, placed["id"], 1.0)
    assert intent.attempts == before.attempts + 1
    assert len(server.orders()) == 1


# -- haste -----------------------------------------------------------------------------------------------------------


def test_a_limit_that_asks_for_no_wait_is_still_waited_for(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    fault(server, kind="limited", on="create", retry_after=0.0, times=500)
    with pytest.raises(OrderAbsentError):
        exchange.create_order(*ORDER)
    assert server.requests.count("POST", PATH) < 20


def test_a_circuit_that_an_operator_holds_open_is_not_spun_upon(
    clock: ManualClock, server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    exchange.guard_circuits["trading"].force_open()
    clock.sleeps.clear()
    with pytest.raises(OrderAbsentError):
        exchange.create_order(*ORDER)
    assert len(clock.sleeps) < 20
    assert server.requests.count("POST", PATH) == 0


# -- clocks ----------------------------------------------------------------------------------------------------------


class BotClock(ManualClock):
    """The clock of a bot that may be set while the exchange's goes on evenly."""

    def __init__(self, server: ManualClock, *, ahead: float = 0.0) -> None:
        super().__init__(server.monotonic(), epoch=server.time() + ahead)
        self._server = server
        self.when_slept: Any = None

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self._server.advance(seconds)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.when_slept is not None:
            self.when_slept()


def bot(guarded: Any, own: BotClock) -> Any:
    """Make a guarded exchange that signs by its own clock, not by the exchange's."""
    exchange = guarded(clock=own)
    exchange.milliseconds = lambda: int(own.time() * 1000)
    return exchange


def late_arrival(exchange: Any, mocker: Any) -> list[Any]:
    """Let the next order time out on its way; returns the requests that are still under way."""
    request = exchange.session.request
    under_way: list[Any] = []

    def send(method: str, url: str, **kwargs: Any) -> Any:
        if method == "POST" and not under_way:
            under_way.append(lambda: request(method, url, **kwargs))
            raise requests.exceptions.ReadTimeout
        return request(method, url, **kwargs)

    mocker.patch.object(exchange.session, "request", side_effect=send)
    return under_way


def test_a_clock_that_is_set_forward_proves_no_absence(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, mocker: Any
) -> None:
    own = BotClock(clock)
    exchange = bot(guarded, own)
    exchange.load_markets()
    under_way = late_arrival(exchange, mocker)

    def jump() -> None:
        own.when_slept = arrive
        own.set_time(own.time() + 3600)

    def arrive() -> None:
        if own.monotonic() - began > 3:
            own.when_slept = None
            under_way[0]()

    began, own.when_slept = own.monotonic(), jump
    placed = exchange.create_order(*ORDER)
    assert own.when_slept is None
    assert [o.order_id for o in server.orders()] == [placed["id"]]


def test_a_clock_that_is_set_back_keeps_nobody_waiting_for_hours(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    own = BotClock(clock)
    exchange = bot(guarded, own)
    exchange.load_markets()
    fault(server, kind="dropped", on="create")

    def jump() -> None:
        own.when_slept = None
        own.set_time(own.time() - 3600)

    began, own.when_slept = own.monotonic(), jump
    placed = exchange.create_order(*ORDER)
    assert own.monotonic() - began < 60
    assert [o.order_id for o in server.orders()] == [placed["id"]]


def test_a_recovery_after_the_clock_was_set_back_waits_no_longer_than_the_order_took(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, mocker: Any
) -> None:
    own = BotClock(clock)
    exchange = bot(guarded, own)
    exchange.load_markets()
    mocker.patch.object(exchange.session, "request", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        exchange.create_order(*ORDER)
    mocker.stopall()
    own.set_time(own.time() - 3600)
    began = own.monotonic()
    [resolved] = exchange.recover_orders()
    assert resolved.status is IntentStatus.ABSENT
    assert own.monotonic() - began < 60


def test_an_order_signed_by_a_clock_that_is_ahead_may_arrive_later_than_was_reckoned(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, mocker: Any
) -> None:
    own = BotClock(clock, ahead=25.0)  # nobody knows it yet, and the exchange would take its stamp in 25 s
    exchange = bot(guarded, own)
    exchange.load_markets()
    began = own.monotonic()
    under_way = late_arrival(exchange, mocker)

    def arrive() -> None:
        if own.monotonic() - began > 24.5 and own.when_slept is not None:
            own.when_slept = None
            under_way[0]()

    own.when_slept = arrive
    with contextlib.suppress(OrderUnknownError):
        exchange.create_order("ETH/BTC", "market", "sell", 0.1)
    own.advance(max(0.0, began + 24.6 - own.monotonic()))
    arrive()
    assert len(server.orders()) == 1
    own.advance(60)
    exchange.recover_orders()
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.PLACED]


def test_a_successor_that_has_yet_to_learn_how_far_its_clock_is_ahead_finds_the_order(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    own = BotClock(clock, ahead=60.0)
    exchange = bot(guarded, own)
    exchange.load_time_difference()
    fault(server, kind="dropped", on="create", phase="after")
    fault(server, kind="server_error", on="lookup", times=None)
    with pytest.raises(OrderUnknownError):
        exchange.create_order(*ORDER)
    server.faults.clear()
    own.advance(60)
    [resolved] = bot(guarded, own).recover_orders()
    assert resolved.status is IntentStatus.PLACED


def test_an_order_that_was_signed_too_late_is_not_sent(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    class Stalling(ccxt.binance):  # type: ignore[misc]
        stall = 0.0

        def nonce(self) -> Any:
            stall, self.stall = self.stall, 0.0
            clock.advance(stall)
            return super().nonce()

    exchange: Any = GuardedExchange(Stalling, server.ccxt_config(), guard=guarded().guard_config)
    exchange.load_markets()
    exchange.stall = 10.0
    exchange.create_order(*ORDER)
    [intent] = exchange.order_journal.intents()
    assert intent.attempts == 2
    assert server.requests.count("POST", PATH) == 1
    exchange.close()


# -- whose journal -------------------------------------------------------------------------------------------------


def test_the_journal_is_that_of_the_key_of_the_moment(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    key, exchange.apiKey = exchange.apiKey, None
    assert exchange.orders_in_doubt() == []
    exchange.apiKey = key
    placed = exchange.create_order(*ORDER)
    assert [i.order_id for i in exchange.order_journal.intents()] == [placed["id"]]


def test_a_sandbox_is_another_account(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.create_order(*ORDER)
    exchange.set_sandbox_mode(True)
    assert exchange.order_journal.intents() == []


def test_the_first_orders_of_all_threads_wait_for_the_recovery(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, mocker: Any
) -> None:
    crashed = guarded()
    crashed.load_markets()
    mocker.patch.object(crashed.session, "request", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        crashed.create_order(*ORDER)
    begun, go_on = threading.Event(), threading.Event()

    class Waiting(ManualClock):
        def sleep(self, seconds: float) -> None:
            begun.set()
            go_on.wait(10)
            clock.sleep(seconds)

    waiting = Waiting()
    mocker.patch.object(waiting, "time", clock.time)
    mocker.patch.object(waiting, "monotonic", clock.monotonic)
    exchange = guarded(clock=waiting)
    exchange.load_markets()
    threads = [threading.Thread(target=exchange.create_order, args=ORDER, daemon=True) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10)
    threads[1].start()
    threads[1].join(0.3)
    posted = server.requests.count("POST", PATH)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert posted == 0
    assert len(server.orders()) == 2


def test_a_guard_config_never_shows_where_the_journal_is() -> None:
    assert "hunter2" not in repr(GuardConfig(journal="postgresql://bot:hunter2@host/db"))


def test_another_key_has_its_own_first_order(server: SimulatedExchange, guarded: Any, mocker: Any) -> None:
    crashed = guarded()
    crashed.load_markets()
    mocker.patch.object(crashed.session, "request", side_effect=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        crashed.create_order(*ORDER)
    mocker.stopall()
    key = crashed.apiKey
    exchange = guarded()
    exchange.apiKey = "another"
    with contextlib.suppress(ccxt.BaseError):
        exchange.create_order(*ORDER)
    exchange.apiKey = key
    exchange.interlock.lift("authentication")
    exchange.create_order(*ORDER)
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.ABSENT, IntentStatus.PLACED]


@pytest.mark.parametrize("make", ["guarded", "guarded_async"])
def test_no_error_on_the_way_of_an_order_shows_a_secret(
    server: SimulatedExchange, make: str, request: Any, mocker: Any
) -> None:
    exchange = request.getfixturevalue(make)()
    exchange.load_markets()
    inner = getattr(exchange, "_exchange", exchange)
    mocker.patch.object(
        type(inner), "on_rest_response", side_effect=RuntimeError(f"key {inner.apiKey}, {inner.secret}")
    )
    for call in (
        lambda: exchange.create_order(*ORDER),
        lambda: exchange.transfer("ETH", 1, "spot", "funding"),
    ):
        with pytest.raises(OutcomeUnknownError) as raised:
            call()
        told = "".join(traceback.format_exception(raised.value))
        assert "RuntimeError" in told
        assert inner.secret not in told
        assert inner.apiKey not in told


def test_an_order_that_nobody_could_judge_for_want_of_memory_is_in_doubt(
    server: SimulatedExchange, guarded: Any, mocker: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    mocker.patch.object(exchange._guard_parts.desk, "answered", side_effect=MemoryError)
    with pytest.raises(MemoryError):
        exchange.create_order(*ORDER)
    mocker.stopall()
    assert exchange.interlock.status().state == "REDUCE_ONLY"
    exchange.create_order(*ORDER)
    assert len(server.orders()) == 2
    assert [i.status for i in exchange.order_journal.intents()] == [IntentStatus.PLACED] * 2


def test_an_order_whose_loop_is_gone_is_in_doubt(server: SimulatedExchange, guarded: Any) -> None:
    """Its coroutine is cleared away outside of any loop, and of its context."""
    exchange: Any = async_support.GuardedExchange(
        "binance", server.ccxt_config(), guard=GuardConfig(journal=guarded().guard_config.journal)
    )
    order = exchange.create_order(*ORDER)

    async def begin() -> None:
        await exchange.load_markets()
        order.send(None)

    with asyncio.Runner() as runner:
        runner.run(begin())
        exchange.interlock.lift("unknown_order", "ETH/BTC")
        with contextlib.suppress(BaseException):
            runner.get_loop().run_until_complete(asyncio.sleep(0))
        with contextlib.suppress(ValueError):
            order.close()
        assert exchange.interlock.stands("unknown_order", "ETH/BTC")
        runner.run(exchange.close())


def test_a_client_id_that_is_used_twice_at_once_leaves_the_first_order_in_flight(
    server: SimulatedExchange, guarded: Any, mocker: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    seen: list[Any] = []

    def send(*_: Any, **__: Any) -> Any:
        mocker.stopall()
        with pytest.raises(DuplicateIntentError):
            exchange.create_order(*ORDER, {"clientOrderId": "mine"})
        seen.extend(exchange.orders_in_doubt())
        raise requests.exceptions.ReadTimeout

    mocker.patch.object(exchange.session, "request", side_effect=send)
    exchange.create_order(*ORDER, {"clientOrderId": "mine"})
    assert seen == []
    assert len(server.orders()) == 1
