"""Reads: retried, paused, resynced, and served from the cache with their age when nothing helps."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tradeguard.exceptions import CircuitBreakerOpenError, NetworkException, TradingException
from tradeguard.simulator import Fault, SimulatedExchange
from tradeguard.testing import ManualClock
from tradeguard_ccxt import CircuitOpenError, StaleDict, StaleList, TradingRestrictedError

TICKER = "/api/v3/ticker/24hr"

TRANSIENT: dict[str, dict[str, Any]] = {
    "dropped": {"kind": "dropped"},
    "hung": {"kind": "hung"},
    "500 -1000": {"kind": "server_error", "status": 500, "code": -1000},
    "502": {"kind": "server_error", "status": 502},
    "503": {"kind": "server_error", "status": 503},
    "truncated": {"kind": "truncated"},
    "empty": {"kind": "empty"},
    "html": {"kind": "html"},
    "limited": {"kind": "limited", "retry_after": 2.0},
    "clock skew": {"kind": "clock_skew", "skew": -5.0},
}


@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_passing_fault_of_a_read_is_retried_and_changes_nothing_in_the_result(
    server: SimulatedExchange, guarded: Any, fault: str
) -> None:
    exchange = guarded(timeout_ms=150)
    plain = ccxt.binance(server.ccxt_config())
    expected = plain.fetch_balance()["total"]
    exchange.load_markets()
    server.faults.add(Fault(on="account", **TRANSIENT[fault]))
    assert exchange.fetch_balance()["total"] == expected
    stats = exchange.guard_statistics()
    assert stats["failures"] == 0
    assert exchange.guard_monitor.get_error_statistics()["total_errors"] >= (fault != "clock skew")


def test_every_read_is_equal_guarded_and_plain(server: SimulatedExchange, guarded: Any) -> None:
    exchange, plain = guarded(), ccxt.binance(server.ccxt_config())
    order = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    exchange.create_order("ETH/BTC", "market", "sell", 0.5)
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("load_markets", ()),
        ("fetch_time", ()),
        ("fetch_ticker", ("ETH/BTC",)),
        ("fetch_tickers", ()),
        ("fetch_order_book", ("ETH/BTC",)),
        ("fetch_trades", ("ETH/BTC",)),
        ("fetch_ohlcv", ("ETH/BTC", "1s")),
        ("fetch_balance", ()),
        ("fetch_order", (order["id"], "ETH/BTC")),
        ("fetch_open_orders", ("ETH/BTC",)),
        ("fetch_orders", ("ETH/BTC",)),
        ("fetch_my_trades", ("ETH/BTC",)),
    ]
    for name, args in calls:
        assert getattr(exchange, name)(*args) == getattr(plain, name)(*args), name


def test_a_business_error_is_neither_retried_nor_counted(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    for _ in range(10):
        with pytest.raises(ccxt.OrderNotFound):
            exchange.fetch_order("999", "ETH/BTC")
    assert server.requests.count("GET", "/api/v3/order") == 10
    assert exchange.guard_statistics()["circuits"]["account"]["state"] == "closed"


def test_ccxts_own_blind_retry_is_off_for_writes_and_reads(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded(config={"options": {"maxRetriesOnFailure": 5}})
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create", phase="after"))  # type: ignore[arg-type]
    exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03, {"maxRetriesOnFailure": 5})
    assert server.requests.count("POST", "/api/v3/order") == 1
    assert len(server.orders()) == 1


def test_a_result_from_the_cache_says_so_and_no_entry_is_made_on_it(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded(max_age={"fetch_ticker": 100.0})
    live = exchange.fetch_ticker("ETH/BTC")
    assert not hasattr(live, "is_stale")
    server.pull_plug()
    stale = exchange.fetch_ticker("ETH/BTC")
    assert isinstance(stale, StaleDict)
    assert stale == live
    assert stale.is_stale
    assert 0 <= stale.age < 100
    assert stale.cached_at.timestamp() == pytest.approx(clock.time() - stale.age)
    server.plug_in()
    clock.advance(60)
    with pytest.raises(TradingRestrictedError, match=r"ETH/BTC is .* s old"):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert exchange.order_journal.intents() == []
    exchange.fetch_ticker("ETH/BTC")
    exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert exchange.guard_statistics()["fallbacks"] == 1


@pytest.mark.parametrize(
    ("method", "argument"),
    [("fetch_ticker", "ETHBTC"), ("fetch_tickers", ["ETH/BTC"]), ("fetch_bids_asks", None)],
)
def test_no_entry_is_made_on_a_stale_price_however_it_was_asked_for(
    server: SimulatedExchange, clock: ManualClock, guarded: Any, method: str, argument: Any
) -> None:
    exchange = guarded(max_age={method: 100.0})
    getattr(exchange, method)(argument)
    server.pull_plug()
    assert getattr(exchange, method)(argument).is_stale
    server.plug_in()
    clock.advance(60)
    with pytest.raises(TradingRestrictedError, match="market data of ETH/BTC"):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    getattr(exchange, method)(argument)
    exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)


def test_fresh_orders_are_no_fresh_price(server: SimulatedExchange, clock: ManualClock, guarded: Any) -> None:
    exchange = guarded(max_age={"fetch_ticker": 100.0, "fetch_open_orders": 100.0})
    exchange.fetch_ticker("ETH/BTC")
    server.pull_plug()
    assert exchange.fetch_ticker("ETH/BTC").is_stale
    server.plug_in()
    clock.advance(60)
    exchange.fetch_open_orders("ETH/BTC")
    with pytest.raises(TradingRestrictedError):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)


@pytest.mark.parametrize("change", ["key", "sandbox"])
def test_nobody_is_served_what_was_cached_for_another(
    server: SimulatedExchange, guarded: Any, change: str
) -> None:
    exchange = guarded(max_age={"fetch_balance": 100.0})
    exchange.fetch_balance()
    if change == "key":
        exchange.apiKey = "another-key"
    else:
        exchange.set_sandbox_mode(True)
        exchange.urls["api"] = {"public": server.url, "private": server.url}
    server.pull_plug()
    with pytest.raises(ccxt.NetworkError):
        exchange.fetch_balance()


def test_nothing_changes_what_the_cache_remembers(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded(max_age={"fetch_ohlcv": 1000.0})
    live = exchange.fetch_ohlcv("ETH/BTC", "1s", limit=5)
    before = [list(row) for row in live]
    live[0][4] = -1
    server.pull_plug()
    stale = exchange.fetch_ohlcv("ETH/BTC", "1s", limit=5)
    assert isinstance(stale, StaleList)
    assert stale == before


def test_too_old_is_no_fallback(server: SimulatedExchange, clock: ManualClock, guarded: Any) -> None:
    exchange = guarded(max_age={"fetch_ticker": 10.0})
    exchange.fetch_ticker("ETH/BTC")
    server.pull_plug()
    clock.advance(11)
    with pytest.raises(ccxt.NetworkError):
        exchange.fetch_ticker("ETH/BTC")


@pytest.mark.parametrize("method", ["fetch_balance", "fetch_open_orders"])
def test_what_money_hangs_on_has_no_fallback_unless_asked_for(
    server: SimulatedExchange, guarded: Any, method: str
) -> None:
    args = ("ETH/BTC",) if method == "fetch_open_orders" else ()
    careful, asked = guarded(), guarded(max_age={method: 1000.0})
    for exchange in (careful, asked):
        getattr(exchange, method)(*args)
    server.pull_plug()
    with pytest.raises(ccxt.NetworkError):
        getattr(careful, method)(*args)
    assert getattr(asked, method)(*args).is_stale


def test_an_open_circuit_leaves_the_exchange_alone_and_notices_its_recovery(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded(fallback=False)
    exchange.load_markets()
    server.faults.add(Fault(kind="server_error", on="market", times=None))  # type: ignore[arg-type]
    for _ in range(3):
        with pytest.raises(ccxt.ExchangeNotAvailable):
            exchange.fetch_ticker("ETH/BTC")
    seen = server.requests.count("GET", TICKER)
    for _ in range(20):
        with pytest.raises(CircuitOpenError) as rejected:
            exchange.fetch_ticker("ETH/BTC")
    assert server.requests.count("GET", TICKER) == seen
    assert isinstance(rejected.value, CircuitBreakerOpenError)
    assert isinstance(rejected.value, ccxt.ExchangeNotAvailable)
    assert 0 < rejected.value.retry_after <= 10
    placed = exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert exchange.cancel_order(placed["id"], "ETH/BTC")["status"] == "canceled"
    server.faults.clear()
    clock.advance(10)
    assert exchange.fetch_ticker("ETH/BTC")["symbol"] == "ETH/BTC"


def test_a_ban_silences_every_circuit_until_it_ends(
    server: SimulatedExchange, clock: ManualClock, guarded: Any
) -> None:
    exchange = guarded(fallback=False)
    exchange.load_markets()
    server.faults.add(Fault(kind="banned", on="market", retry_after=300.0))  # type: ignore[arg-type]
    with pytest.raises(ccxt.DDoSProtection):
        exchange.fetch_ticker("ETH/BTC")
    seen = len(server.requests)
    for call in (
        exchange.fetch_balance,
        lambda: exchange.fetch_ticker("ETH/BTC"),
        lambda: exchange.cancel_order("1", "ETH/BTC"),
    ):
        with pytest.raises(CircuitOpenError):
            call()
    assert len(server.requests) == seen
    clock.advance(301)
    assert exchange.fetch_balance()["BTC"]["total"] == 10


def test_retry_after_is_honoured(server: SimulatedExchange, clock: ManualClock, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="limited", on="market", retry_after=12.0))  # type: ignore[arg-type]
    began = clock.monotonic()
    exchange.fetch_ticker("ETH/BTC")
    assert clock.monotonic() - began >= 12.0
    assert server.requests.count("GET", TICKER) == 2
    assert exchange.guard_statistics()["limits"]["limits"] == 1


def test_errors_are_caught_both_ways_and_tell_where_they_come_from(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="market", times=None))  # type: ignore[arg-type]
    with pytest.raises(ccxt.NetworkError) as raised:
        exchange.fetch_order_book("ETH/BTC")
    error = raised.value
    assert isinstance(error, NetworkException)
    assert isinstance(error, TradingException)
    assert error.context["exchange"] == "binance"
    assert error.context["operation"] == "fetch_order_book"
    assert error.context["symbol"] == "ETH/BTC"
    assert error.context["attempts"] == 4


def test_a_refused_key_halts_trading_until_a_private_call_succeeds(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    secret, exchange.secret = exchange.secret, "wrong-secret-wrong-secret"
    with pytest.raises(ccxt.AuthenticationError) as raised:
        exchange.fetch_balance()
    assert "wrong-secret" not in str(raised.value)
    assert exchange.interlock.status().state == "HALTED"
    exchange.secret = secret
    with pytest.raises(TradingRestrictedError, match="refused the key"):
        exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    exchange.fetch_balance()
    assert exchange.interlock.status().state == "NORMAL"


def test_no_secret_is_in_any_error(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded(timeout_ms=150)
    exchange.load_markets()
    server.faults.add(Fault(kind="hung", on="account", times=None))  # type: ignore[arg-type]
    with pytest.raises(ccxt.RequestTimeout) as raised:
        exchange.fetch_balance()
    texts, error = [], raised.value
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__ or error.__context__
    for text in texts:
        assert exchange.secret not in text
        assert exchange.apiKey not in text
        assert "signature=" not in text or "signature=***" in text


def test_the_monitor_knows_each_failure_by_its_operation_and_symbol(
    server: SimulatedExchange, guarded: Any
) -> None:
    exchange = guarded()
    exchange.load_markets()
    records: list[Any] = []
    exchange.guard_monitor.add_listener(records.append)
    server.faults.add(Fault(kind="dropped", on="market"))  # type: ignore[arg-type]
    exchange.fetch_order_book("ETH/BTC")
    error, rescue = records
    assert (error.component, error.operation, error.rescued) == (
        "binance.market_data",
        "fetch_order_book",
        True,
    )
    assert error.context["symbol"] == "ETH/BTC"
    assert (rescue.kind, rescue.operation) == ("retry", "fetch_order_book")


def test_a_look_up_that_finds_nothing_is_no_error(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded()
    exchange.load_markets()
    server.faults.add(Fault(kind="dropped", on="create"))  # type: ignore[arg-type]
    exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
    assert exchange.guard_monitor.get_error_statistics()["by_component"] == {"binance.trading": 1}


def test_each_change_of_a_circuit_is_recorded_once(server: SimulatedExchange, guarded: Any) -> None:
    exchange = guarded(fallback=False)
    exchange.load_markets()
    records: list[Any] = []
    exchange.guard_monitor.add_listener(records.append)
    server.faults.add(Fault(kind="server_error", on="market", times=None))  # type: ignore[arg-type]
    for _ in range(3):
        with pytest.raises(ccxt.ExchangeNotAvailable):
            exchange.fetch_ticker("ETH/BTC")
    transitions = [(r.circuit, r.old_state, r.new_state) for r in records if hasattr(r, "new_state")]
    assert transitions == [("binance.market_data", "closed", "open")]
