"""Markets that come from the cache will do to look around, not to enter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ccxt
import pytest

from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import TradingRestrictedError, async_support
from tradeguard_ccxt.config import GuardConfig

ORDER = ("ETH/BTC", "limit", "buy", 1, 0.03)
DAY = 86_400.0


def no_markets(server: SimulatedExchange) -> None:
    server.faults.add(Fault(kind="server_error", on="GET /api/v3/exchangeInfo", times=None))  # type: ignore[arg-type]


def causes(exchange: Any) -> list[tuple[str, str]]:
    return [(cause.kind, str(cause.state)) for cause in exchange.interlock.status().causes]


def test_markets_of_the_cache_are_flagged_and_trading_may_only_reduce_until_they_are_fresh(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded()
    fresh = exchange.load_markets()
    clock.advance(100)
    no_markets(server)
    assert exchange.load_markets(True).keys() == fresh.keys()
    assert exchange.fetch_markets().is_stale
    assert causes(exchange) == [("stale_markets", "REDUCE_ONLY")]
    with pytest.raises(TradingRestrictedError, match=r"markets of binance are 1\d\d s old.*load_markets"):
        exchange.create_order(*ORDER)
    server.faults.clear()
    clock.advance(60)
    exchange.create_order(*ORDER)  # it asks for them again
    assert causes(exchange) == []
    assert exchange.guard_statistics()["fallbacks"] >= 1


def test_stale_markets_are_asked_for_again_now_and_then_only(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    no_markets(server)
    exchange.load_markets(True)
    seen = server.requests.count("GET", "/api/v3/exchangeInfo")
    for _ in range(5):
        with pytest.raises(TradingRestrictedError):
            exchange.create_order(*ORDER)
        exchange.load_markets()
    assert server.requests.count("GET", "/api/v3/exchangeInfo") == seen
    server.faults.clear()
    clock.advance(60)
    exchange.load_markets()
    assert server.requests.count("GET", "/api/v3/exchangeInfo") == seen + 1
    assert causes(exchange) == []


def test_a_new_process_begins_with_the_markets_of_the_last_one(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    fresh = guarded().load_markets()
    no_markets(server)
    clock.advance(DAY / 2)
    exchange = guarded()
    markets = exchange.load_markets()
    assert markets.keys() == fresh.keys()
    assert markets["ETH/BTC"]["precision"] == fresh["ETH/BTC"]["precision"]
    assert causes(exchange) == [("stale_markets", "REDUCE_ONLY")]
    assert exchange.fetch_order_book("ETH/BTC")["symbol"] == "ETH/BTC"
    with pytest.raises(TradingRestrictedError):
        exchange.create_order(*ORDER)


@pytest.mark.parametrize("why", ["too old", "switched off", "another exchange", "no fallback"])
def test_markets_that_may_not_be_served_are_not(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, why: str
) -> None:
    guarded().load_markets()
    if why == "too old":
        clock.advance(DAY + 1)
    no_markets(server)
    options: dict[str, Any] = {
        "switched off": {"max_age": {"fetch_markets": 0}},
        "no fallback": {"fallback": False},
        "another exchange": {"config": {"options": {"fetchMarkets": {"types": ["spot", "linear"]}}}},
    }
    with pytest.raises(ccxt.NetworkError):
        guarded(**options.get(why, {})).load_markets()


def test_a_way_out_does_not_wait_for_fresh_markets(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    no_markets(server)
    exchange.load_markets(True)
    clock.advance(60)
    seen = server.requests.count("GET", "/api/v3/exchangeInfo")
    with pytest.raises(ccxt.BadRequest):  # spot takes no such order: it was asked
        exchange.create_order("ETH/BTC", "limit", "sell", 1, 0.2, {"reduceOnly": True})
    assert server.requests.count("GET", "/api/v3/exchangeInfo") == seen


async def test_it_is_the_same_for_an_asynchronous_instance(
    server: SimulatedExchange, clock: ManualClock, tmp_path: Path
) -> None:
    guard = GuardConfig(clock=clock, journal=tmp_path / "s.db")
    exchange: Any = async_support.binance(server.ccxt_config(timeout_on_exit=0, guard=guard))
    await exchange.load_markets()
    no_markets(server)
    await exchange.load_markets(True)
    assert causes(exchange) == [("stale_markets", "REDUCE_ONLY")]
    server.faults.clear()
    clock.advance(60)
    await exchange.create_order(*ORDER)
    assert causes(exchange) == []
    await exchange.close()
