"""The event loop of a store, and the synchronous face of an exchange on it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import ccxt.async_support
import pytest

import tradeguard
from tradeguard.deadlines import current_deadline
from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.awaited_exchange import AwaitedExchange, is_asynchronous
from tradeguard_backtrader.loop_thread import LoopEndedError, LoopThread
from tradeguard_ccxt import GuardedExchange, pro

_place: ContextVar[str] = ContextVar("place", default="nowhere")


async def nothing() -> None:
    pass


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    thread.start()
    yield thread
    thread.stop(nothing, 5.0)


async def place() -> str:
    await asyncio.sleep(0)
    return _place.get()


def loops() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "tradeguard-event-loop"]


def test_a_coroutine_runs_in_the_context_of_whoever_waits_for_it(loop: LoopThread) -> None:
    _place.set("here")
    assert loop.call(place) == "here"
    with tradeguard.deadline(5.0) as bound:
        assert loop.call(deadline_of) is bound


async def deadline_of() -> Any:
    return current_deadline()


def test_what_runs_in_the_background_is_bounded_by_no_deadline_of_its_beginner(loop: LoopThread) -> None:
    _place.set("here")
    with tradeguard.deadline(5.0):
        assert loop.spawn(deadline_of).result(5.0) is None
    assert loop.spawn(place).result(5.0) == "nowhere"


def test_an_error_is_raised_where_it_was_waited_for(loop: LoopThread) -> None:
    async def fail(text: str) -> None:
        raise ccxt.NetworkError(text)

    with pytest.raises(ccxt.NetworkError, match="down"):
        loop.call(fail, "down")


def test_calls_of_several_threads_overlap(loop: LoopThread) -> None:
    both = asyncio.Barrier(2)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(loop.call, both.wait) for _ in range(2)]
        assert sorted(call.result(10.0) for call in calls) == [0, 1]


def test_whoever_waits_when_the_loop_ends_is_released() -> None:
    thread, begun = LoopThread(), threading.Event()
    thread.start()
    ended: list[BaseException] = []

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            thread.call(hang)
        except Exception as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert begun.wait(10.0)
    thread.stop(nothing, 5.0)
    waiting.join(10.0)
    assert [type(error) for error in ended] == [concurrent.futures.CancelledError]
    assert loops() == []


def test_a_loop_that_has_ended_says_so_and_can_begin_again() -> None:
    thread = LoopThread()
    with pytest.raises(LoopEndedError, match="while cerebro"):
        thread.call(nothing)
    for _ in range(2):
        thread.start()
        thread.start()
        assert len(loops()) == 1
        thread.stop(nothing, 5.0)
        thread.stop(nothing, 5.0)
        assert loops() == []


def test_an_end_that_hangs_or_fails_still_ends_the_loop() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    async def fail() -> None:
        raise OSError("no")

    for last, error in ((hang, TimeoutError), (fail, OSError)):
        thread = LoopThread()
        thread.start()
        with pytest.raises(error):
            thread.stop(last, 0.2)
        assert loops() == []


def test_the_loop_itself_cannot_wait_for_the_loop(loop: LoopThread) -> None:
    async def wait() -> None:
        loop.call(nothing)

    with pytest.raises(RuntimeError, match="cannot block"):
        loop.call(wait)


# -- the face ---------------------------------------------------------------------------------------------------


def test_what_an_exchange_is_can_be_told_by_its_class() -> None:
    assert is_asynchronous(pro.binance())
    assert is_asynchronous(ccxt.async_support.binance())
    assert not is_asynchronous(GuardedExchange("binance", {}))
    assert not is_asynchronous(object())


def test_attributes_are_the_exchanges_own_and_coroutines_are_waited_for(loop: LoopThread) -> None:
    exchange = pro.GuardedExchange("binance", {})
    face = AwaitedExchange(exchange, loop)
    assert face.has is exchange.has
    assert face.interlock is exchange.interlock
    assert face.guard_monitor is exchange.guard_monitor
    assert face.id == "binance"
    assert not hasattr(face, "no_such_method")
    assert not is_asynchronous(face)
    assert face.fetch_time.args == (exchange.fetch_time,)
    assert "binance" in repr(face).lower()


def test_an_exchange_that_was_opened_on_a_loop_that_is_gone_is_refused() -> None:
    exchange = pro.GuardedExchange("binance", {})

    async def opened() -> None:
        exchange.open()

    runner = asyncio.Runner()
    runner.run(opened())
    face = AwaitedExchange(exchange, LoopThread())
    with pytest.raises(ConfigurationException, match="was opened on another event loop"):
        face.start()
    runner.run(exchange.close())
    runner.close()
    face.start()
    assert face.event_loop.call(place) is not None
    face.stop(5.0)
    assert (exchange.session, loops()) == (None, [])


def test_an_exchange_that_is_open_on_a_running_loop_is_used_there_and_left_open() -> None:
    other = LoopThread()
    other.start()
    exchange = pro.GuardedExchange("binance", {})

    async def opened() -> None:
        exchange.open()

    other.call(opened)
    face = AwaitedExchange(exchange, LoopThread())
    face.start()
    assert len(loops()) == 1
    assert face.event_loop.call(running) is exchange.asyncio_loop
    hanging = face.event_loop.spawn(asyncio.Event().wait)
    face.stop(5.0)
    assert hanging.cancelled()
    assert exchange.session is not None
    assert other.call(running) is exchange.asyncio_loop
    other.stop(exchange.close, 5.0)
    assert (exchange.session, loops()) == (None, [])


async def running() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_a_run_inside_the_loop_of_the_exchange_is_refused() -> None:
    async def blocked() -> None:
        exchange = pro.GuardedExchange("binance", {})
        exchange.open()
        try:
            with pytest.raises(ConfigurationException, match="was opened on another event loop"):
                AwaitedExchange(exchange, LoopThread()).start()
        finally:
            await exchange.close()

    asyncio.run(blocked())
