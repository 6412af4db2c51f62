"""Request weights, 429 and the ban that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ccxt
import pytest

from tradeguard.simulator import SimulatedExchange
from tradeguard.simulator.limits import WeightLimiter
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

MINUTE = 60_000


def test_used_weight_is_told_with_every_answer(binance: ccxt.binance) -> None:
    before = int(binance.last_response_headers["X-MBX-USED-WEIGHT-1M"])
    binance.fetch_ohlcv("ETH/BTC", "1s")
    binance.fetch_balance()
    assert int(binance.last_response_headers["X-MBX-USED-WEIGHT-1M"]) == before + 2 + 20


@pytest.mark.parametrize(
    ("method", "params", "weight"),
    [
        ("public_get_depth", {"symbol": "ETHBTC"}, 5),
        ("public_get_depth", {"symbol": "ETHBTC", "limit": "1000"}, 50),
        ("public_get_ticker_24hr", {"symbol": "ETHBTC"}, 2),
        ("public_get_ticker_24hr", {}, 80),
        ("public_get_ticker_price", {}, 4),
        ("private_get_openorders", {"symbol": "ETHBTC"}, 6),
        ("private_get_openorders", {}, 80),
        ("private_get_mytrades", {"symbol": "ETHBTC", "orderId": "1"}, 5),
        ("private_get_mytrades", {"symbol": "ETHBTC"}, 20),
    ],
)
def test_weight_follows_the_parameters(
    exchange: SimulatedExchange, binance: ccxt.binance, method: str, params: dict[str, str], weight: int
) -> None:
    getattr(binance, method)(dict(params))
    assert exchange.requests[-1].weight == weight


def test_beyond_the_limit_is_429_until_the_minute_ends_and_418_for_those_who_go_on(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    clock.set_time(1_700_000_040.0 + 20)
    client = connect(start(request_limit=10))
    for _ in range(10):
        client.fetch_time()
    with pytest.raises(ccxt.DDoSProtection, match="429"):
        client.fetch_time()
    assert client.last_response_headers["Retry-After"] == "40"
    for _ in range(19):
        with pytest.raises(ccxt.DDoSProtection, match="429"):
            client.fetch_time()
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        client.fetch_time()
    assert client.last_response_headers["Retry-After"] == "120"
    clock.advance(119)
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        client.fetch_time()
    clock.advance(1)
    assert client.fetch_time() > 0


def test_no_limit_is_no_limit(start: Start, connect: Connect) -> None:
    exchange = start(request_limit=None)
    client = connect(exchange)
    for _ in range(100):
        client.public_get_ticker_24hr()
    assert {record.status for record in exchange.requests} == {200}


def test_budget_is_fresh_in_each_minute() -> None:
    limiter = WeightLimiter(limit=10, patience=3)
    assert limiter.admit("a", 10, 0) is None
    refusal = limiter.admit("a", 1, 59_999)
    assert refusal is not None
    assert (refusal.banned, refusal.until_ms) == (False, MINUTE)
    assert limiter.admit("a", 10, MINUTE) is None


def test_addresses_have_budgets_of_their_own() -> None:
    limiter = WeightLimiter(limit=10)
    assert limiter.admit("a", 10, 0) is None
    assert limiter.admit("b", 10, 0) is None
    assert limiter.admit("a", 1, 0) is not None


def test_each_ban_is_twice_as_long_and_at_most_three_days() -> None:
    limiter = WeightLimiter(limit=1, patience=0)
    now_ms, lengths = 0, []
    for _ in range(14):
        limiter.admit("a", 1, now_ms)
        refusal = limiter.admit("a", 1, now_ms)
        assert refusal is not None
        lengths.append(refusal.until_ms - now_ms)
        now_ms = refusal.until_ms + MINUTE
    assert lengths[:3] == [120_000, 240_000, 480_000]
    assert lengths[-1] == 3 * 86_400_000
