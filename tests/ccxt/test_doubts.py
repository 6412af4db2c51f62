"""What is broken off or unknown is resolved in the background, or by the operator's word."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import IntentStatus, InterlockState
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard_ccxt import GuardConfig, GuardedExchange, OrderUnknownError
from tradeguard_ccxt import async_support as guarded_async
from tradeguard_ccxt.flavours import Synchronous

ORDER = ("ETH/BTC", "limit", "buy", 1, 0.03)


@pytest.fixture
def live() -> Iterator[SimulatedExchange]:
    """An exchange in real time, as the background needs it."""
    with SimulatedExchange(seed=1) as server:
        yield server


def real_time(tmp_path: Path) -> GuardConfig:
    return GuardConfig(
        journal=tmp_path / "state.db", order_expiry=0.5, visibility_lag=0.1, resolve_interval=0.05
    )


def interrupting(exchange: Any, *, after: bool) -> Callable[..., Any]:
    """Break every POST off, before or after the exchange got it."""
    through = exchange.session.request

    def request(method: str, *args: Any, **kwargs: Any) -> Any:
        if method != "POST":
            return through(method, *args, **kwargs)
        if after:
            through(method, *args, **kwargs)
        raise KeyboardInterrupt

    return request


@pytest.mark.parametrize("after", [True, False])
def test_an_order_that_ctrl_c_broke_off_is_resolved_in_the_background(
    live: SimulatedExchange, tmp_path: Path, mocker: Any, after: bool
) -> None:
    exchange: Any = GuardedExchange("binance", live.ccxt_config(), guard=real_time(tmp_path))
    exchange.load_markets()
    lifted = threading.Event()
    exchange.guard_monitor.add_listener(
        lambda record: lifted.set() if "order_recovered" in repr(record) else None
    )
    patched = mocker.patch.object(
        exchange.session, "request", side_effect=interrupting(exchange, after=after)
    )
    with pytest.raises(KeyboardInterrupt):
        exchange.create_order(*ORDER)
    assert exchange.interlock.status().state is InterlockState.REDUCE_ONLY
    mocker.stop(patched)
    assert lifted.wait(20)
    [intent] = exchange.order_journal.intents()
    assert intent.status is (IntentStatus.PLACED if after else IntentStatus.ABSENT)
    assert len(live.orders()) == int(after)
    exchange.create_order(*ORDER)
    exchange.close()
    assert not any(thread.name == "tradeguard-doubts" for thread in threading.enumerate())


async def test_a_cancelled_order_of_a_coroutine_is_resolved_in_the_background(
    live: SimulatedExchange, tmp_path: Path
) -> None:
    exchange: Any = guarded_async.GuardedExchange("binance", live.ccxt_config(), guard=real_time(tmp_path))
    await exchange.load_markets()
    recovered = asyncio.Event()
    exchange.guard_monitor.add_listener(
        lambda record: recovered.set() if "order_recovered" in repr(record) else None
    )
    live.faults.add(Fault(kind="hung", on="create", phase="after"))  # type: ignore[arg-type]
    placing = asyncio.ensure_future(exchange.create_order(*ORDER))
    async with asyncio.timeout(20):
        while not live.orders():  # noqa: ASYNC110 - the server is in a thread of its own
            await asyncio.sleep(0.01)
        placing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await placing
        assert exchange.interlock.status().state is InterlockState.REDUCE_ONLY
        await recovered.wait()
    [intent] = exchange.order_journal.intents()
    assert (intent.status, intent.order_id) == (IntentStatus.PLACED, live.orders()[0].order_id)
    await exchange.close()


def unknown(server: SimulatedExchange, exchange: Any) -> Any:
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    server.faults.add(Fault(kind="server_error", on="lookup", times=None))  # type: ignore[arg-type]
    with pytest.raises(OrderUnknownError):
        exchange.create_order(*ORDER)
    [doubt] = exchange.orders_in_doubt()
    return doubt


@pytest.mark.parametrize("order_id", ["42", None])
def test_the_operator_may_say_what_no_look_up_can(
    server: SimulatedExchange, guarded: Any, order_id: str | None
) -> None:
    exchange = guarded()
    doubt = unknown(server, exchange)
    declared = exchange.declare_order(doubt.client_order_id, order_id=order_id, why="seen on the web page")
    assert declared.status is (IntentStatus.ABSENT if order_id is None else IntentStatus.PLACED)
    assert exchange.order_journal.intents() == [declared]
    assert "seen on the web page" in declared.error
    assert exchange.orders_in_doubt() == []
    assert exchange.interlock.status().state is InterlockState.NORMAL
    with pytest.raises(ConfigurationException, match="only an UNKNOWN one"):
        exchange.declare_order(doubt.client_order_id)


def test_what_is_not_in_the_journal_cannot_be_declared(guarded: Any) -> None:
    with pytest.raises(ConfigurationException, match="no order 'nonsense'"):
        guarded().declare_order("nonsense")


def test_what_another_process_resolved_restricts_no_longer(
    server: SimulatedExchange, guarded: Any, clock: Any
) -> None:
    exchange = guarded()
    unknown(server, exchange)
    server.faults.clear()
    clock.advance(60)
    assert [i.status for i in guarded().recover_orders()] == [IntentStatus.PLACED]
    assert exchange.create_order(*ORDER)["id"]
    assert exchange.interlock.status().state is InterlockState.NORMAL


def test_close_position_is_sent_once_and_passes_where_reduce_only_orders_do(
    server: SimulatedExchange, guarded: Any
) -> None:
    class Closing(ccxt.binance):  # type: ignore[misc]
        def close_position(self, symbol: Any, side: Any = None, params: Any = None) -> Any:
            return self.request("order", ["private"], "POST", {"symbol": "ETHBTC"})

    exchange: Any = GuardedExchange(Closing, server.ccxt_config(timeout=150), guard=guarded().guard_config)
    exchange.load_markets()
    exchange.interlock.restrict("stale_data", InterlockState.REDUCE_ONLY, reason="r", lifted_by="l")
    server.faults.add(Fault(kind="dropped", on="create"))  # type: ignore[arg-type]
    with pytest.raises(ccxt.ExchangeError, match="nobody can tell"):
        exchange.close_position("ETH/BTC")
    assert server.requests.count("POST", "/api/v3/order") == 1
    exchange.interlock.halt("stop")
    with pytest.raises(ccxt.OperationRejected):
        exchange.close_position("ETH/BTC")
    assert server.requests.count("POST", "/api/v3/order") == 1
    exchange.close()


def test_what_comes_up_while_the_background_ends_is_not_left_alone() -> None:
    flavour = Synchronous(SYSTEM_CLOCK)
    rounds: list[int] = []
    again = threading.Event()

    async def flow() -> bool:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            flavour.repeat(0.001, flow)  # a doubt that this round has not seen
        else:
            again.set()
        return True

    flavour.repeat(0.001, flow)
    assert again.wait(5)
    flavour.stop()
