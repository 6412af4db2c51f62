"""Asynchronous instances: cancelled anywhere, on one loop after another, and thrown away, they leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import types
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tradeguard.orders import IntentStatus
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, async_support, pro
from tradeguard_ccxt.flavours import Asynchronous

ORDER = ("ETH/BTC", "limit", "buy", 1, 0.03)


@pytest.fixture
async def exchange(server: SimulatedExchange, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Any]:
    guard = GuardConfig(
        clock=clock, journal=tmp_path / "s.db", order_expiry=5.0, visibility_lag=1.0, fallback=False
    )
    made: Any = async_support.binance(server.ccxt_config(timeout_on_exit=0, guard=guard))
    await made.load_markets()
    made.enableRateLimit = True
    yield made
    await made.close()


@types.coroutine
def cancelled_at(coroutine: Coroutine[Any, Any, Any], suspension: int) -> Any:
    """Await a coroutine, and cancel the task the moment that it suspends for the n-th time."""
    error: BaseException | None = None
    for count in itertools.count():
        try:
            waited = coroutine.send(None) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            return stop.value
        if count == suspension:
            asyncio.current_task().cancel()  # type: ignore[union-attr]
        try:
            yield waited
            error = None
        except BaseException as thrown:
            error = thrown


async def each_cancellation(call: Callable[[], Coroutine[Any, Any, Any]]) -> AsyncIterator[int]:
    """Cancel a call at its first await, at its second, and so on, until it ends before it can be cancelled."""
    for suspension in itertools.count():
        cancelled = False
        try:
            await asyncio.ensure_future(cancelled_at(call(), suspension))
        except asyncio.CancelledError:
            cancelled = True
        yield suspension
        if not cancelled:
            assert suspension > 1  # the rate limit and the answer at least
            return


async def test_a_trial_that_is_cancelled_at_any_await_gives_its_place_back(
    exchange: Any, clock: ManualClock
) -> None:
    circuit = exchange.guard_circuits["market_data"]

    async def trial() -> None:
        circuit.open_until(clock.time() + 5.0)
        clock.advance(5.0)
        await exchange.fetch_ticker("ETH/BTC")

    async for _ in each_cancellation(trial):
        assert (await exchange.fetch_ticker("ETH/BTC"))["symbol"] == "ETH/BTC"
        assert circuit.get_state().value == "closed"
    assert exchange.guard_statistics()["failures"] == 0
    assert exchange.guard_monitor.get_error_statistics()["total_errors"] == 0


async def test_a_pause_outlives_those_that_are_cancelled_while_they_wait(
    exchange: Any, clock: ManualClock, server: SimulatedExchange, mocker: Any
) -> None:
    server.faults.add(Fault(kind="limited", on="market", retry_after=12.0))  # type: ignore[arg-type]
    waiting = asyncio.Event()

    async def wait(_: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    patched = mocker.patch.object(clock, "sleep_async", wait)
    task = asyncio.ensure_future(exchange.fetch_ticker("ETH/BTC"))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    mocker.stop(patched)
    assert exchange.guard_statistics()["circuits"]["market_data"]["paused_for"] == pytest.approx(12.0)
    began = clock.monotonic()
    await exchange.fetch_ticker("ETH/BTC")
    assert clock.monotonic() - began >= 12.0


@pytest.mark.parametrize("fault", [None, "dropped", "server_error"])
async def test_an_order_that_is_cancelled_at_any_await_is_journaled_as_what_became_of_it(
    exchange: Any, server: SimulatedExchange, fault: Any
) -> None:
    async def place() -> None:
        server.faults.clear()
        if fault is not None:  # then it is looked up
            server.faults.add(Fault(kind=fault, on="create", phase="after"))  # type: ignore[arg-type]
        await exchange.create_order(*ORDER)

    async for _ in each_cancellation(place):
        server.faults.clear()
        in_doubt = exchange.order_journal.intents(IntentStatus.SENT)
        assert (exchange.interlock.status().state.value == "REDUCE_ONLY") == bool(in_doubt)
        await exchange.recover_orders()
        assert exchange.orders_in_doubt() == []
        assert exchange.interlock.status().state.value == "NORMAL"
    intents = exchange.order_journal.intents()
    placed = {intent.client_order_id for intent in intents if intent.status is IntentStatus.PLACED}
    assert {order.client_order_id for order in server.orders()} == placed
    assert {str(intent.status) for intent in intents} <= {"PLACED", "ABSENT"}
    assert fault or exchange.guard_statistics()["circuits"]["trading"]["state"] == "closed"


async def test_a_cancel_that_is_cancelled_at_any_await_can_be_made_again(
    exchange: Any, server: SimulatedExchange
) -> None:
    orders = [await exchange.create_order(*ORDER)]

    def cancel() -> Any:
        return exchange.cancel_order(orders[-1]["id"], "ETH/BTC")

    async for _ in each_cancellation(cancel):
        with contextlib.suppress(ccxt.OrderNotFound):
            await cancel()
        orders.append(await exchange.create_order(*ORDER))
    assert [o.status for o in server.orders()].count("NEW") == 1
    assert exchange.guard_statistics()["circuits"]["trading"]["state"] == "closed"


async def test_what_waits_for_the_rate_limit_may_be_cancelled(exchange: Any, clock: ManualClock) -> None:
    tasks = [asyncio.ensure_future(exchange.fetch_order_book("ETH/BTC")) for _ in range(6)]
    await asyncio.sleep(0)
    for task in tasks[:5]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results[:5]] == [asyncio.CancelledError] * 5
    assert results[5]["symbol"] == "ETH/BTC"


async def test_retry_after_is_honoured_though_headers_come_as_the_exchange_spells_them(
    exchange: Any, clock: ManualClock, server: SimulatedExchange
) -> None:
    server.faults.add(Fault(kind="limited", on="market", retry_after=12.0))  # type: ignore[arg-type]
    began = clock.monotonic()
    await exchange.fetch_ticker("ETH/BTC")
    assert 12.0 <= clock.monotonic() - began < 13.0


class Hasty:
    """A server that answers a connection's first request and drops it at the second."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.serving: list[Any] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.append(asyncio.current_task())
        answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        with contextlib.suppress(asyncio.IncompleteReadError):
            for reply in (answer, b""):
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.append(head.decode().split(" ", 1)[0])
                writer.write(reply)
                await writer.drain()
        writer.transport.abort()


@pytest.mark.parametrize(
    ("endpoint", "attempts"),
    [("publicGetPing", 2), ("privateDeleteOrder", 1), ("publicPutUserDataStream", 1)],
)
async def test_a_request_on_a_connection_that_is_dropped_is_sent_once_for_each_attempt(
    endpoint: str, attempts: int
) -> None:
    hasty = Hasty()
    listener = await asyncio.start_server(hasty.serve, "127.0.0.1", 0)
    guard = GuardConfig(clock=ManualClock())
    made: Any = async_support.binance({"timeout_on_exit": 0, "enableRateLimit": False, "guard": guard})
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    made.urls["api"] = dict.fromkeys(made.urls["api"], url)
    made.apiKey = made.secret = "k" * 16
    await made.publicGetPing()
    with contextlib.suppress(ccxt.BaseError):
        await getattr(made, endpoint)()
    assert made.guard_statistics()["attempts"] == 1 + attempts
    assert len(hasty.seen) == 1 + attempts
    await made.close()
    listener.close()
    await asyncio.gather(*hasty.serving)


class Canned(ccxt.async_support.binance):  # type: ignore[misc]
    """Answers without a network, now and then with a failure."""

    asked = 0

    async def fetch(self, url: str, *_: Any, **__: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked % 10 == 0:
            raise ccxt.RequestTimeout(f"timed out: {self.asked}")
        return {"serverTime": 1_700_000_000_000}


async def test_thousands_of_calls_leave_neither_objects_nor_tasks_behind(tmp_path: Path) -> None:
    exchange: Any = async_support.GuardedExchange(
        Canned, {"timeout_on_exit": 0, "enableRateLimit": False}, guard=GuardConfig(clock=ManualClock())
    )

    async def calls(number: int) -> int:
        for _ in range(number):
            await exchange.fetch_time()
        gc.collect()
        return len(gc.get_objects())

    before = await calls(1000)
    assert await calls(1000) - before < 300
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert exchange.guard_statistics()["retries"] > 100
    await exchange.close()


@pytest.mark.parametrize("module", [async_support, pro], ids=["async", "pro"])
async def test_a_closed_instance_is_forgotten(server: SimulatedExchange, tmp_path: Path, module: Any) -> None:
    gone = []
    for _ in range(3):
        guard = GuardConfig(journal=tmp_path / "s.db")
        made = module.binance(server.ccxt_config(timeout_on_exit=0, guard=guard))
        await made.fetch_ticker("ETH/BTC")
        await made.close()
        gone += [weakref.ref(made), weakref.ref(made._guard_parts.guard)]
        del made
    gc.collect()
    assert [ref() for ref in gone] == [None] * 6
    server.pull_plug()  # it has seen that the connections are closed


def test_those_who_wait_for_one_another_may_do_so_on_one_loop_after_another(clock: ManualClock) -> None:
    flavour = Asynchronous(clock)

    async def enter() -> None:
        async with flavour.exclusive() as entered:
            assert entered
            await asyncio.sleep(0)

    async def both() -> None:
        await asyncio.gather(enter(), enter())

    for _ in range(2):
        asyncio.run(both())


def test_an_instance_may_be_opened_on_one_loop_after_another(
    server: SimulatedExchange, tmp_path: Path, clock: ManualClock
) -> None:
    guard = GuardConfig(journal=tmp_path / "s.db", clock=clock)
    made: Any = async_support.binance(
        server.ccxt_config(timeout_on_exit=0, guard=guard, enableRateLimit=True)
    )

    async def session() -> None:
        async with made:
            await asyncio.gather(*(made.create_order(*ORDER) for _ in range(3)))
            assert (await made.fetch_ticker("ETH/BTC"))["symbol"] == "ETH/BTC"

    for _ in range(2):
        asyncio.run(session())
    assert len(server.orders()) == 6
    server.pull_plug()  # it has seen that the connections are closed
