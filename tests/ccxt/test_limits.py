"""What an exchange says of our traffic is heeded by all who talk to it: bans, used weight, and its clock."""

from __future__ import annotations

import gc
import weakref
from email.utils import formatdate
from typing import Any, ClassVar

import ccxt
import pytest

from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import CircuitOpenError, GuardConfig, GuardedExchange, async_support
from tradeguard_ccxt.bans import Bans
from tradeguard_ccxt.drift import ClockDrift
from tradeguard_ccxt.failures import Answer

NOW = 1_700_000_000.0  # twenty seconds past the minute


def banned(server: SimulatedExchange, exchange: Any, seconds: float) -> None:
    server.faults.add(Fault(kind="banned", on="market", retry_after=seconds))  # type: ignore[arg-type]
    with pytest.raises(ccxt.DDoSProtection):
        exchange.fetch_ticker("ETH/BTC")


async def test_a_ban_stops_all_instances_that_talk_to_the_host_sync_and_async(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    first, second = guarded(fallback=False), guarded(fallback=False)
    other: Any = async_support.binance(
        server.ccxt_config(timeout_on_exit=0, guard=GuardConfig(clock=clock, fallback=False))
    )
    for exchange in (first, second):
        exchange.load_markets()
    await other.load_markets()
    banned(server, first, 300.0)
    seen = len(server.requests)
    later = guarded(fallback=False)
    for call in (second.fetch_balance, lambda: second.cancel_order("1", "ETH/BTC"), later.fetch_time):
        with pytest.raises(CircuitOpenError) as told:
            call()
        assert told.value.retry_after == pytest.approx(300.0)
        assert isinstance(told.value.cause, ccxt.DDoSProtection)
    with pytest.raises(CircuitOpenError):
        await other.fetch_ticker("ETH/BTC")
    assert len(server.requests) == seen
    assert second.guard_statistics()["limits"]["banned_for"] == pytest.approx(300.0)
    clock.advance(301)
    assert second.fetch_balance()["BTC"]["total"] == 10
    assert (await other.fetch_ticker("ETH/BTC"))["symbol"] == "ETH/BTC"
    await other.close()


def test_a_ban_by_one_host_is_none_by_another(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    first = guarded(fallback=False)
    first.load_markets()
    with SimulatedExchange(seed=2, clock=clock) as elsewhere:
        other: Any = GuardedExchange("binance", elsewhere.ccxt_config(), guard=GuardConfig(clock=clock))
        banned(server, first, 300.0)
        assert other.fetch_ticker("ETH/BTC")["symbol"] == "ETH/BTC"
        other.close()


def test_a_short_ban_is_waited_for_by_the_others(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    first, second = guarded(), guarded()
    for exchange in (first, second):
        exchange.load_markets()
    first._guard_parts.guard.bans.add(server.url.removeprefix("http://"), 12.0, clock.monotonic(), "banned")
    began = clock.monotonic()
    assert second.fetch_ticker("ETH/BTC")["symbol"] == "ETH/BTC"
    assert clock.monotonic() - began >= 12.0


def test_bans_are_kept_for_a_clock_and_forgotten_with_it() -> None:
    clock = ManualClock()
    bans = Bans.by(clock)
    assert Bans.by(clock) is bans
    assert Bans.by(ManualClock()) is not bans
    gone = weakref.ref(bans)
    del clock, bans
    gc.collect()
    assert gone() is None


class Told(ccxt.binance):  # type: ignore[misc]
    """Answers each request with headers of the test's."""

    headers_told: ClassVar[dict[str, str]] = {}
    refused: ClassVar[bool] = False
    asked = 0

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        type(self).asked += 1
        answer: Any = {"serverTime": NOW * 1000, "symbols": []}
        self.on_rest_response(200, "OK", url, method, self.headers_told, "", {}, None)
        if self.refused and "/time" not in url:
            raise ccxt.InvalidNonce("the timestamp is outside of the recvWindow")
        return answer


def told(clock: ManualClock, headers: dict[str, str], *, refused: bool = False, **guard: Any) -> Any:
    cls = type("Told", (Told,), {"headers_told": headers, "refused": refused, "asked": 0})
    keys = {"apiKey": "k" * 16, "secret": "s" * 16, "enableRateLimit": False}
    return GuardedExchange(cls, keys, guard=GuardConfig(clock=clock, **guard))


def test_reads_wait_for_the_next_minute_when_nearly_all_weight_is_used() -> None:
    clock = ManualClock(epoch=NOW)
    exchange = told(clock, {"X-MBX-USED-WEIGHT-1M": "5900"}, deadline=60.0)
    exchange.fetch_time()
    assert clock.monotonic() == 0
    exchange.public_get_ping()
    assert clock.monotonic() == pytest.approx(40.0)
    assert exchange.guard_statistics()["limits"]["eased"] == 2


@pytest.mark.parametrize(
    ("headers", "call"),
    [
        ({"X-MBX-USED-WEIGHT-1M": "3000"}, "public_get_ping"),  # there is enough left
        ({"X-MBX-USED-WEIGHT-1M": "much"}, "public_get_ping"),
        ({}, "public_get_ping"),
        ({"X-MBX-USED-WEIGHT-1M": "5900"}, "private_delete_order"),  # a write does not wait
    ],
)
def test_what_need_not_wait_for_weight_does_not(headers: dict[str, str], call: str) -> None:
    clock = ManualClock(epoch=NOW)
    exchange = told(clock, headers, deadline=60.0)
    exchange.fetch_time()
    getattr(exchange, call)()
    assert clock.monotonic() == 0


def test_each_api_of_an_exchange_has_its_own_budget() -> None:
    clock = ManualClock(epoch=NOW)
    exchange = told(clock, {"X-MBX-USED-WEIGHT-1M": "2350"}, deadline=60.0)
    exchange.public_get_ping()
    exchange.public_get_ping()
    assert clock.monotonic() == 0
    exchange.fapipublic_get_ping()
    exchange.public_get_ping()
    assert clock.monotonic() == pytest.approx(40.0)


def test_a_read_whose_deadline_ends_before_the_minute_goes_on() -> None:
    clock = ManualClock(epoch=NOW)
    exchange = told(clock, {"X-MBX-USED-WEIGHT-1M": "5900"}, deadline=30.0)
    exchange.fetch_time()
    exchange.fetch_time()
    assert clock.monotonic() == 0


def test_the_drift_of_our_clock_is_told_from_the_dates_of_the_answers() -> None:
    clock = ManualClock(epoch=NOW)
    exchange = told(clock, {"Date": formatdate(NOW - 5.0, usegmt=True)})
    assert exchange.guard_statistics()["clock"] == {"ahead": None, "uncertainty": None, "resyncs": 0}
    exchange.fetch_time()
    drift = exchange.guard_statistics()["clock"]
    assert drift["ahead"] == pytest.approx(4.5, abs=0.5)
    assert drift["uncertainty"] <= 0.5


def test_the_drift_is_narrowed_down_answer_by_answer_and_begins_anew_when_a_clock_is_set() -> None:
    drift = ClockDrift()
    for tenth in range(10):  # our clock is 5 s ahead; each exchange takes 20 ms
        asked = NOW + tenth * 1.1
        date = formatdate(int(asked + 0.01 - 5.0), usegmt=True)
        drift.observe(Answer(200, {"date": date}), asked, asked + 0.02)
    assert drift.read()["ahead"] == pytest.approx(5.0, abs=0.1)
    assert drift.read()["uncertainty"] <= 0.1
    drift.observe(Answer(200, {"date": formatdate(NOW, usegmt=True)}), NOW, NOW + 0.02)
    assert drift.read()["ahead"] == pytest.approx(-0.5, abs=0.6)
    before = drift.read()
    for junk in ({}, {"date": "soon"}, {"date": ""}):
        drift.observe(Answer(200, junk), NOW, NOW)
    assert drift.read() == before


def test_a_timestamp_that_is_refused_for_ever_is_set_right_once_and_then_told() -> None:
    exchange = told(ManualClock(epoch=NOW), {}, refused=True)
    with pytest.raises(ccxt.InvalidNonce):
        exchange.private_get_account()
    assert type(exchange).asked == 3  # the request, the exchange's time, the request
    assert exchange.guard_statistics()["clock"]["resyncs"] == 1
