"""Keys, signatures and the age of a request."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import ccxt
import pytest
import requests

from tradeguard.simulator import Fault, FaultKind, SimulatedExchange
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start


def signed(exchange: SimulatedExchange, **params: object) -> tuple[int, dict[str, object]]:
    """Send a signed GET /account with exactly these parameters."""
    config = exchange.ccxt_config()
    query = urlencode(params)
    signature = hmac.new(config["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"{exchange.url}/api/v3/account?{query}&signature={signature}"
    with requests.Session() as session:
        answer = session.get(url, headers={"X-MBX-APIKEY": config["apiKey"]}, timeout=5)
        return answer.status_code, answer.json()


def test_well_signed_request_passes(exchange: SimulatedExchange) -> None:
    status, body = signed(exchange, timestamp=exchange.time_ms())
    assert status == 200
    assert body["canTrade"] is True


def test_microsecond_timestamp_passes(exchange: SimulatedExchange) -> None:
    assert signed(exchange, timestamp=exchange.time_ms() * 1000)[0] == 200


@pytest.mark.parametrize(
    ("age_ms", "window", "code"),
    [
        (5000, None, None),
        (5001, None, -1021),
        (100, 100, None),
        (101, 100, -1021),
        (60_000, 60_000, None),
        (0, 60_001, -1131),
        (0, "soon", -1100),
        (-999, None, None),
        (-1000, None, -1021),
    ],
)
def test_age_is_judged_to_the_millisecond(
    exchange: SimulatedExchange, age_ms: int, window: object, code: int | None
) -> None:
    params = {"timestamp": exchange.time_ms() - age_ms}
    status, body = signed(exchange, **params, **({} if window is None else {"recvWindow": window}))
    assert (status, body.get("code")) == ((200, None) if code is None else (400, code))


def test_missing_timestamp_is_refused(exchange: SimulatedExchange) -> None:
    status, body = signed(exchange, recvWindow=5000)
    assert (status, body["code"]) == (400, -1102)


def test_wrong_secret_is_refused(exchange: SimulatedExchange, connect: Connect) -> None:
    client = connect(exchange, secret="wrong")
    with pytest.raises(ccxt.AuthenticationError, match="-1022"):
        client.fetch_balance()


def test_unknown_key_is_refused(exchange: SimulatedExchange, connect: Connect) -> None:
    client = connect(exchange, apiKey="a" * 64)
    with pytest.raises(ccxt.AuthenticationError, match="-2015"):
        client.fetch_balance()
    assert exchange.requests[-1].status == 401


def test_malformed_key_is_refused(exchange: SimulatedExchange, connect: Connect) -> None:
    client = connect(exchange, apiKey="short")
    with pytest.raises(ccxt.AuthenticationError, match="-2014"):
        client.fetch_balance()


def test_request_that_was_changed_on_the_way_is_refused(exchange: SimulatedExchange) -> None:
    config = exchange.ccxt_config()
    query = urlencode({"timestamp": exchange.time_ms()})
    signature = hmac.new(config["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"{exchange.url}/api/v3/account?{query}&recvWindow=60000&signature={signature}"
    with requests.Session() as session:
        answer = session.get(url, headers={"X-MBX-APIKEY": config["apiKey"]}, timeout=5)
    assert answer.json()["code"] == -1022


def test_repeated_parameter_is_refused(exchange: SimulatedExchange) -> None:
    with requests.Session() as session:
        answer = session.get(f"{exchange.url}/api/v3/depth?symbol=ETHBTC&symbol=BTCUSDT", timeout=5)
    assert answer.json()["code"] == -1101


def test_skewed_clock_refuses_until_the_client_follows_it(
    exchange: SimulatedExchange, connect: Connect
) -> None:
    exchange.faults.add(Fault(FaultKind.CLOCK_SKEW, skew=30, times=None))
    client = connect(exchange)
    with pytest.raises(ccxt.InvalidNonce, match="recvWindow"):
        client.fetch_balance()
    client.load_time_difference()
    assert client.fetch_balance()["ETH"]["total"] == 100


def test_clock_behind_calls_requests_early(exchange: SimulatedExchange, connect: Connect) -> None:
    exchange.faults.add(Fault(FaultKind.CLOCK_SKEW, "account", skew=-2))
    with pytest.raises(ccxt.InvalidNonce, match="1000ms ahead"):
        connect(exchange).fetch_balance()


def test_keys_follow_from_seed_and_account(start: Start) -> None:
    one, same, other = start(seed=1), start(seed=1), start(seed=2)
    one.add_account("other", {})
    keys = one.ccxt_config()["apiKey"]
    assert keys == same.ccxt_config()["apiKey"]
    assert len({keys, other.ccxt_config()["apiKey"], one.ccxt_config("other")["apiKey"]}) == 3


def test_secret_is_in_no_representation(exchange: SimulatedExchange) -> None:
    secret = exchange.ccxt_config()["secret"]
    credentials = exchange._venue.credentials_of("default")
    assert secret not in repr(exchange) + repr(credentials)


def test_age_is_checked_again_before_the_engine(
    exchange: SimulatedExchange, connect: Connect, clock: ManualClock
) -> None:
    client = connect(exchange, options={"recvWindow": 2000})
    exchange.faults.add(Fault(FaultKind.LATE, "create", delay=3))
    with pytest.raises(ccxt.InvalidNonce, match="recvWindow"):
        client.create_order("ETH/BTC", "market", "buy", 1)
    assert exchange.orders() == []
