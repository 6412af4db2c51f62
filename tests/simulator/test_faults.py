"""Each kind of fault, held against the book: what the client sees, and what the exchange has done."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import ccxt
import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import Fault, FaultKind, FaultPlan, Phase, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect

RAISES: dict[FaultKind, type[Exception] | None] = {
    FaultKind.DROPPED: ccxt.NetworkError,
    FaultKind.HUNG: ccxt.RequestTimeout,
    FaultKind.SERVER_ERROR: ccxt.ExchangeNotAvailable,
    FaultKind.TRUNCATED: None,
    FaultKind.EMPTY: None,
    FaultKind.HTML: None,
}


def buy(client: ccxt.binance, **params: Any) -> Any:
    return client.create_order("ETH/BTC", "limit", "buy", 1, 0.04, params)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("kind", RAISES)
def test_order_post_fails_and_the_book_tells_whether_it_was_accepted(
    exchange: SimulatedExchange, connect: Connect, kind: FaultKind, phase: Phase
) -> None:
    client = connect(exchange, timeout=150 if kind is FaultKind.HUNG else 2000)
    client.load_markets()
    exchange.faults.add(Fault(kind, "create", phase))
    error = RAISES[kind]
    if error is None:
        assert buy(client, clientOrderId="one")["id"] is None
    else:
        with pytest.raises(error):
            buy(client, clientOrderId="one")
    on_book = [order.client_order_id for order in exchange.orders()]
    assert on_book == (["one"] if phase is Phase.AFTER else [])
    assert exchange.requests.select("POST", "/order")[-1].fault == f"{kind}/{phase}"
    assert buy(client, clientOrderId="two")["id"] is not None


@pytest.mark.parametrize("phase", Phase)
def test_cancel_that_was_dropped_is_done_or_not(
    exchange: SimulatedExchange, binance: ccxt.binance, phase: Phase
) -> None:
    order = buy(binance)
    exchange.faults.add(Fault(FaultKind.DROPPED, "cancel", phase))
    with pytest.raises(ccxt.NetworkError):
        binance.cancel_order(order["id"], "ETH/BTC")
    assert exchange.orders()[0].status == ("CANCELED" if phase is Phase.AFTER else "NEW")


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (500, None, ccxt.ExchangeNotAvailable),
        (502, None, ccxt.ExchangeNotAvailable),
        (503, None, ccxt.ExchangeNotAvailable),
        (504, None, ccxt.RequestTimeout),
        (403, None, ccxt.ExchangeNotAvailable),
        (521, None, ccxt.ExchangeNotAvailable),
        (500, -1000, ccxt.OperationFailed),
        (500, -1001, ccxt.OperationFailed),
        (500, -1006, ccxt.OperationFailed),
        (504, -1007, ccxt.RequestTimeout),
        (401, -2015, ccxt.AuthenticationError),
    ],
)
def test_server_error_is_a_page_or_binances_json(
    exchange: SimulatedExchange,
    binance: ccxt.binance,
    status: int,
    code: int | None,
    error: type[Exception],
) -> None:
    exchange.faults.add(Fault(FaultKind.SERVER_ERROR, "account", status=status, code=code))
    with pytest.raises(error):
        binance.fetch_balance()
    assert exchange.requests[-1].status == status
    assert ("<html>" in binance.last_http_response) == (code is None)


def test_server_error_says_what_it_was_told_to(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    fault = Fault(FaultKind.SERVER_ERROR, "create", status=400, code=-2010, message="Duplicate order sent.")
    exchange.faults.add(fault)
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        buy(binance)


@pytest.mark.parametrize("kind", [FaultKind.TRUNCATED, FaultKind.EMPTY, FaultKind.HTML])
def test_spoilt_answer_comes_with_status_200(
    exchange: SimulatedExchange, binance: ccxt.binance, kind: FaultKind
) -> None:
    exchange.faults.add(Fault(kind, "market"))
    binance.fetch_ohlcv("ETH/BTC", "1s", limit=3)
    assert exchange.requests[-1].status == 200
    assert exchange.requests[-1].fault == f"{kind}/before"


@pytest.mark.parametrize("phase", Phase)
def test_late_answer_takes_exchange_time(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock, phase: Phase
) -> None:
    sent_ms = exchange.time_ms()
    exchange.faults.add(Fault(FaultKind.LATE, "create", phase, delay=3))
    order = buy(binance)
    assert exchange.time_ms() == sent_ms + 3000
    assert order["timestamp"] == (sent_ms if phase is Phase.AFTER else sent_ms + 3000)


def test_late_answer_is_waited_for_on_a_clock_that_cannot_be_moved(connect: Connect) -> None:
    with SimulatedExchange(faults=FaultPlan([Fault(FaultKind.LATE, "market", delay=0.03)])) as exchange:
        client = connect(exchange)
        began = time.monotonic()
        client.fetch_time()
    assert time.monotonic() - began >= 0.03


def test_a_look_into_the_frozen_past_gives_back_nothing_that_was_taken(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    exchange.faults.add(Fault(FaultKind.FROZEN, "GET /api/v3/depth", times=None))
    binance.fetch_order_book("ETH/BTC")
    clock.advance(10)
    before = binance.fetch_bids_asks(["ETH/BTC"])["ETH/BTC"]["askVolume"]
    binance.create_order("ETH/BTC", "market", "buy", 1)
    binance.fetch_order_book("ETH/BTC")
    assert binance.fetch_bids_asks(["ETH/BTC"])["ETH/BTC"]["askVolume"] == pytest.approx(before - 1)


def test_late_acceptance_places_the_order_after_the_client_gave_up(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    exchange.faults.add(Fault(FaultKind.LATE_ACCEPTANCE, "create", delay=4))
    with pytest.raises(ccxt.NetworkError):
        buy(binance, clientOrderId="late")
    clock.advance(3.999)
    with pytest.raises(ccxt.OrderNotFound):
        binance.fetch_order(None, "ETH/BTC", {"clientOrderId": "late"})
    clock.advance(0.001)
    found = binance.fetch_order(None, "ETH/BTC", {"clientOrderId": "late"})
    assert found["timestamp"] == exchange.time_ms()


def test_late_acceptance_ends_with_the_receive_window(
    exchange: SimulatedExchange, connect: Connect, clock: ManualClock
) -> None:
    client = connect(exchange, options={"recvWindow": 3000})
    client.load_markets()
    exchange.faults.add(Fault(FaultKind.LATE_ACCEPTANCE, "create", delay=3.001))
    with pytest.raises(ccxt.NetworkError):
        buy(client)
    clock.advance(60)
    assert exchange.orders() == []


def test_late_acceptance_may_answer_that_it_timed_out(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    exchange.faults.add(Fault(FaultKind.LATE_ACCEPTANCE, "create", delay=1, status=504, code=-1007))
    with pytest.raises(ccxt.RequestTimeout, match="execution status unknown"):
        buy(binance)
    assert exchange.orders() == []
    clock.advance(1)
    assert len(exchange.orders()) == 1


def test_late_orders_enter_the_book_in_the_order_of_time(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    for name, delay in (("slow", 3), ("fast", 1)):
        exchange.faults.add(Fault(FaultKind.LATE_ACCEPTANCE, "create", delay=delay))
        with pytest.raises(ccxt.NetworkError):
            buy(binance, clientOrderId=name)
    clock.advance(10)
    assert [order.client_order_id for order in exchange.orders()] == ["fast", "slow"]


def test_limit_holds_for_what_it_is_on_until_it_is_over(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    exchange.faults.add(Fault(FaultKind.LIMITED, "market", retry_after=5))
    for waited in (0, 4):
        clock.advance(waited)
        with pytest.raises(ccxt.DDoSProtection, match="429"):
            binance.fetch_ticker("ETH/BTC")
    assert binance.last_response_headers["Retry-After"] == "1"
    assert buy(binance)["id"] is not None
    clock.advance(1)
    assert binance.fetch_ticker("ETH/BTC")["last"] > 0


def test_limit_may_name_no_time(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    exchange.faults.add(Fault(FaultKind.LIMITED, "market", retry_after=None))
    with pytest.raises(ccxt.DDoSProtection):
        binance.fetch_ticker("ETH/BTC")
    assert "Retry-After" not in binance.last_response_headers
    assert binance.fetch_ticker("ETH/BTC")["last"] > 0


def test_ban_stops_everything_until_it_is_over(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    exchange.faults.add(Fault(FaultKind.BANNED, "market", retry_after=60))
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        binance.fetch_ticker("ETH/BTC")
    assert binance.last_response_headers["Retry-After"] == "60"
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        buy(binance)
    clock.advance(60)
    assert buy(binance)["id"] is not None


def test_maintenance_refuses_and_the_status_tells(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    exchange.faults.add(Fault(FaultKind.MAINTENANCE, times=None))
    with pytest.raises(ccxt.OnMaintenance):
        buy(binance)
    assert binance.fetch_status()["status"] == "maintenance"
    exchange.faults.clear()
    assert binance.fetch_status()["status"] == "ok"
    assert exchange.orders() == []


def test_frozen_market_data_stands_still_while_the_market_goes_on(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    fault = Fault(FaultKind.FROZEN, "market", times=None)
    exchange.faults.add(fault)
    before = (binance.fetch_ohlcv("ETH/BTC", "1s"), binance.fetch_ticker("ETH/BTC")["last"])
    clock.advance(30)
    assert (binance.fetch_ohlcv("ETH/BTC", "1s"), binance.fetch_ticker("ETH/BTC")["last"]) == before
    exchange.faults.remove(fault)
    assert binance.fetch_ohlcv("ETH/BTC", "1s")[-1][0] == before[0][-1][0] + 30_000


@pytest.mark.parametrize(
    ("kind", "missing"), [(FaultKind.MISSING_VALUES, (4, 5)), (FaultKind.HALF_BUILT, (3, 4, 5))]
)
def test_newest_closed_candle_lacks_values(
    exchange: SimulatedExchange, binance: ccxt.binance, kind: FaultKind, missing: tuple[int, ...]
) -> None:
    whole = binance.fetch_ohlcv("ETH/BTC", "1s", limit=3)
    exchange.faults.add(Fault(kind, "GET /api/v3/klines"))
    spoilt = binance.fetch_ohlcv("ETH/BTC", "1s", limit=3)
    wanted = [None if place in missing else value for place, value in enumerate(whole[1])]
    assert spoilt == [whole[0], wanted, whole[2]]
    assert binance.fetch_ohlcv("ETH/BTC", "1s", limit=3) == whole


def test_ticker_lacks_its_price(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    exchange.faults.add(Fault(FaultKind.MISSING_VALUES, "market"))
    assert binance.fetch_ticker("ETH/BTC")["last"] is None


def test_fault_on_one_endpoint_spares_the_others(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    exchange.faults.add(Fault(FaultKind.DROPPED, "GET /api/v3/depth", times=None))
    with pytest.raises(ccxt.NetworkError):
        binance.fetch_order_book("ETH/BTC")
    assert binance.fetch_ticker("ETH/BTC")["last"] > 0


def test_hung_connection_is_closed_at_its_bound(start: Any, connect: Connect, clock: ManualClock) -> None:
    exchange = start(hang_seconds=0.1)
    exchange.faults.add(Fault(FaultKind.HUNG, "market"))
    with pytest.raises(ccxt.NetworkError) as caught:
        connect(exchange, timeout=5000).fetch_time()
    assert not isinstance(caught.value, ccxt.RequestTimeout)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "earthquake"),
        ("on", "everything"),
        ("on", "FETCH /api/v3/order"),
        ("on", None),
        ("phase", "during"),
        ("times", 0),
        ("times", 1.5),
        ("skip", -1),
        ("rate", 1.1),
        ("rate", -0.1),
        ("rate", float("nan")),
        ("rate", True),
        ("delay", -1),
        ("retry_after", -1),
        ("retry_after", 1e9),
        ("skew", 1e6),
        ("status", 200),
        ("status", "503"),
        ("code", "-1007"),
    ],
)
def test_bad_field_of_a_fault_is_named(field: str, value: object) -> None:
    arguments: dict[str, Any] = {"kind": "dropped", field: value}
    with pytest.raises(ConfigurationException, match=f"fault {field}: "):
        Fault(**arguments)


def test_names_are_accepted_as_text() -> None:
    fault = Fault("dropped", "create_order", "after")  # type: ignore[arg-type]
    assert fault == Fault(FaultKind.DROPPED, "create", Phase.AFTER)
