"""Keys, nonces, limits and faults in Kraken's words, held against the book."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import ccxt
import pytest
import requests

from tradeguard.simulator import Fault, FaultKind, Phase, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start


def buy(client: ccxt.kraken, **params: Any) -> Any:
    return client.create_order("ETH/BTC", "limit", "buy", 1, 0.04, params)


def post(exchange: SimulatedExchange, nonce: object, **changes: str) -> Any:
    """Send a signed Balance request; `key`, `sign` and `body` are put in place of the right ones."""
    config, path = exchange.ccxt_config(), "/0/private/Balance"
    body = urlencode({"nonce": nonce})
    message = path.encode() + hashlib.sha256(f"{nonce}{body}".encode()).digest()
    sign = base64.b64encode(hmac.new(base64.b64decode(config["secret"]), message, hashlib.sha512).digest())
    headers = {
        "API-Key": changes.get("key", config["apiKey"]),
        "API-Sign": changes.get("sign", sign.decode()),
    }
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    with requests.Session() as session:
        answer = session.post(exchange.url + path, changes.get("body", body), headers=headers, timeout=5)
        return answer.json()


def test_nonces_only_ever_grow(kraken_exchange: SimulatedExchange) -> None:
    outcomes = [post(kraken_exchange, nonce)["error"] for nonce in (5, 6, 6, 4, 7)]
    stale = ["EAPI:Invalid nonce"]
    assert outcomes == [[], [], stale, stale, []]


@pytest.mark.parametrize(
    ("nonce", "changes", "error"),
    [
        (1, {"key": "x"}, "EAPI:Invalid key"),
        (1, {"sign": "eA=="}, "EAPI:Invalid signature"),
        (1, {"sign": "no base64"}, "EAPI:Invalid signature"),
        (1, {"body": "nonce=1&asset=XXBT"}, "EAPI:Invalid signature"),
        ("now", {}, "EAPI:Invalid nonce"),
        (-1, {}, "EAPI:Invalid nonce"),
    ],
)
def test_request_that_is_not_the_accounts_is_refused(
    kraken_exchange: SimulatedExchange, nonce: object, changes: dict[str, str], error: str
) -> None:
    assert post(kraken_exchange, nonce, **changes) == {"error": [error]}
    assert post(kraken_exchange, 1)["error"] == []


def test_ccxt_maps_a_stale_nonce_and_an_unknown_key(
    kraken_exchange: SimulatedExchange, connect: Connect
) -> None:
    post(kraken_exchange, 10**18)
    with pytest.raises(ccxt.InvalidNonce):
        connect(kraken_exchange).fetch_balance()
    with pytest.raises(ccxt.AuthenticationError):
        connect(kraken_exchange, apiKey="x").fetch_balance()


def test_clients_of_one_key_share_their_nonces_on_a_clock_that_stands_still(
    kraken_exchange: SimulatedExchange, connect: Connect
) -> None:
    clients = [connect(kraken_exchange) for _ in range(2)]
    told = [client.fetch_balance()["BTC"]["total"] for client in (*clients, *clients)]
    assert told == [told[0]] * 4  # none is refused


def test_ccxt_keeps_its_own_nonces_on_the_systems_clock(connect: Connect) -> None:
    with SimulatedExchange(dialect="kraken") as exchange:
        assert "nonce" not in exchange.ccxt_config()
        client = connect(exchange)
        for _ in range(3):
            client.fetch_balance()


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("kind", [FaultKind.DROPPED, FaultKind.HUNG, FaultKind.TRUNCATED, FaultKind.EMPTY])
def test_order_post_fails_and_the_book_tells_whether_it_was_accepted(
    kraken_exchange: SimulatedExchange, connect: Connect, kind: FaultKind, phase: Phase
) -> None:
    client = connect(kraken_exchange)
    client.load_markets()
    kraken_exchange.faults.add(Fault(kind, "create", phase))
    client.timeout = 400 if kind is FaultKind.HUNG else 2000
    try:
        assert buy(client, clientOrderId="one")["id"] is None
    except ccxt.BaseError:
        assert kind in (FaultKind.DROPPED, FaultKind.HUNG)
    client.timeout = 2000
    assert [one.client_order_id for one in kraken_exchange.orders()] == ["one"] * (phase is Phase.AFTER)
    assert buy(client, clientOrderId="two")["id"] is not None


@pytest.mark.parametrize(
    ("status", "code", "error", "text"),
    [
        (502, None, ccxt.ExchangeNotAvailable, "<html>"),
        (520, None, ccxt.ExchangeNotAvailable, "520"),
        (504, None, ccxt.RequestTimeout, "<html>"),
        (503, "EService:Timeout", ccxt.ExchangeError, "EService:Timeout"),
        (503, "EService:Market in cancel_only mode", ccxt.OnMaintenance, "cancel_only"),
        (503, "EService:Busy", ccxt.ExchangeNotAvailable, "EService:Busy"),
        (500, -1000, ccxt.ExchangeNotAvailable, "EGeneral:Internal error"),
        (500, -1007, ccxt.ExchangeError, "EService:Timeout"),
        (400, -2015, ccxt.PermissionDenied, "EGeneral:Permission denied"),
        (400, -9999, ccxt.ExchangeNotAvailable, "EGeneral:Internal error"),
    ],
)
def test_server_error_is_a_page_or_krakens_words_under_status_200(
    kraken_exchange: SimulatedExchange,
    kraken: ccxt.kraken,
    status: int,
    code: int | str | None,
    error: type[Exception],
    text: str,
) -> None:
    kraken_exchange.faults.add(Fault(FaultKind.SERVER_ERROR, "account", status=status, code=code))
    with pytest.raises(error, match=text):
        kraken.fetch_balance()
    assert kraken_exchange.requests[-1].status == (status if code is None else 200)


def test_server_error_says_what_it_was_told_to(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken
) -> None:
    fault = Fault(FaultKind.SERVER_ERROR, "create", code=-1000, message="EOrder:Insufficient funds")
    kraken_exchange.faults.add(fault)
    with pytest.raises(ccxt.InsufficientFunds):
        buy(kraken)


def test_limits_speak_of_orders_and_of_the_rest(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken, clock: ManualClock
) -> None:
    kraken_exchange.faults.add(Fault(FaultKind.LIMITED, "create", retry_after=5))
    kraken_exchange.faults.add(Fault(FaultKind.LIMITED, "account", retry_after=5))
    for _ in range(2):
        with pytest.raises(ccxt.DDoSProtection, match="EOrder:Rate limit exceeded"):
            buy(kraken)
        with pytest.raises(ccxt.DDoSProtection, match="EAPI:Rate limit exceeded"):
            kraken.fetch_balance()
    assert "Retry-After" not in kraken.last_response_headers
    clock.advance(5)
    assert buy(kraken)["id"] is not None


def test_beyond_the_weight_is_a_limit_and_then_a_ban(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    client = connect(start(dialect="kraken", request_limit=10))
    for _ in range(10):
        client.fetch_time()
    for _ in range(20):
        with pytest.raises(ccxt.DDoSProtection, match="EAPI:Rate limit exceeded"):
            client.fetch_time()
    with pytest.raises(ccxt.RateLimitExceeded, match="429"):
        client.fetch_time()
    assert client.last_response_headers["Retry-After"] == "120"
    clock.advance(120)
    client.fetch_time()


def test_ban_stops_everything_until_it_is_over(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken, clock: ManualClock
) -> None:
    kraken_exchange.faults.add(Fault(FaultKind.BANNED, "market", retry_after=60))
    for call in (kraken.fetch_time, kraken.fetch_balance):
        with pytest.raises(ccxt.RateLimitExceeded, match="429"):
            call()
    clock.advance(60)
    assert kraken.fetch_balance()["BTC"]["total"] == 10


def test_maintenance_refuses_and_the_status_tells(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken
) -> None:
    kraken_exchange.faults.add(Fault(FaultKind.MAINTENANCE, times=None))
    with pytest.raises(ccxt.ExchangeNotAvailable, match="EService:Unavailable"):
        buy(kraken)
    assert kraken.fetch_status()["status"] == "maintenance"
    kraken_exchange.faults.clear()
    assert kraken.fetch_status()["status"] == "ok"
    assert kraken_exchange.orders() == []


def test_skewed_clock_moves_time_and_deadlines(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken
) -> None:
    kraken_exchange.faults.add(Fault(FaultKind.CLOCK_SKEW, times=None, skew=30))
    assert kraken.fetch_time() == kraken_exchange.time_ms() + 30_000
    with pytest.raises(ccxt.ExchangeError, match="deadline"):
        buy(kraken, deadline=kraken.iso8601(kraken_exchange.time_ms() + 20_000))


def test_new_order_is_invisible_to_every_look_up_for_the_lag(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    client = connect(start(visibility_lag=3.0, dialect="kraken"))
    client.load_markets()
    order_id = buy(client)["id"]
    client.create_order("ETH/BTC", "market", "buy", 1)

    def seen() -> list[int]:
        closed, trades = client.fetch_closed_orders(), client.fetch_my_trades()
        return [len(client.fetch_open_orders()), len(closed), len(trades)]

    hidden = seen()
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(order_id)
    clock.advance(3)
    assert (hidden, seen()) == ([0, 0, 0], [1, 1, 1])
    assert client.fetch_order(order_id)["status"] == "open"


def test_look_ups_may_lag_or_miss_the_newest(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    for name in ("older", "newer"):
        buy(kraken, clientOrderId=name)
    kraken_exchange.faults.add(Fault(FaultKind.LOOKUP_LAG, "lookup", delay=5))
    kraken_exchange.faults.add(Fault(FaultKind.LOOKUP_GAP, "lookup", delay=5))
    pages = [[one["clientOrderId"] for one in kraken.fetch_open_orders()] for _ in range(3)]
    assert pages == [[], ["older"], ["newer", "older"]]


def test_request_log_knows_pair_and_client_id(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken
) -> None:
    buy(kraken, clientOrderId="mine")
    record = kraken_exchange.requests.select("POST", "/AddOrder")[0]
    assert (record.symbol, record.client_order_id, record.group) == ("XETHXXBT", "mine", "create")


def test_audit_holds_intents_against_krakens_ids(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken
) -> None:
    class Intent:
        client_order_id = "mine"
        status = "PLACED"
        order_id = buy(kraken, clientOrderId="mine")["id"]

    assert kraken_exchange.audit([Intent()]).clean
