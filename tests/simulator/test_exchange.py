"""The life of an exchange: starting, stopping, outages, arguments."""

from __future__ import annotations

import socket
import threading
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ccxt
import ccxt.async_support
import pytest
import requests

import tradeguard.simulator
from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import Fault, FaultKind, FaultPlan, ReplayMarket, SimulatedExchange, SyntheticMarket
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

ROWS = [[n * 60_000, 100.0, 101.0, 99.0, 100.0, 5.0] for n in range(4)]


def test_public_names_are_these() -> None:
    assert tradeguard.simulator.__all__ == sorted(tradeguard.simulator.__all__)
    assert set(tradeguard.simulator.__all__) >= {
        "Audit",
        "Fault",
        "FaultKind",
        "FaultPlan",
        "ReplayMarket",
        "SimulatedExchange",
        "SyntheticMarket",
    }


def test_starting_and_stopping_twice_is_no_error() -> None:
    exchange = SimulatedExchange()
    exchange.start()
    url = exchange.url
    exchange.start()
    assert exchange.url == url
    exchange.stop()
    exchange.stop()


def test_stopped_exchange_can_be_started_again_on_its_port(connect: Connect) -> None:
    exchange = SimulatedExchange(seed=1)
    with exchange:
        url = exchange.url
        connect(exchange).create_order("ETH/BTC", "market", "buy", 1)
    assert len(exchange.orders()) == 1
    with exchange:
        assert exchange.url == url
        assert len(connect(exchange).fetch_orders("ETH/BTC")) == 1


def test_no_thread_and_no_listener_is_left() -> None:
    before = set(threading.enumerate())
    with SimulatedExchange() as exchange:
        port = int(exchange.url.rpartition(":")[2])
        with requests.Session() as session:
            assert session.get(f"{exchange.url}/api/v3/ping", timeout=5).json() == {}
    assert set(threading.enumerate()) == before
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_stopping_ends_hung_requests(connect: Connect) -> None:
    exchange = SimulatedExchange(faults=FaultPlan([Fault(FaultKind.HUNG)])).start()
    client = connect(exchange, timeout=5000)
    errors: list[Exception] = []

    def ask() -> None:
        try:
            client.fetch_time()
        except ccxt.NetworkError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not exchange.requests.count():
        pass
    exchange.stop()
    asking.join(timeout=4)
    assert len(errors) == 1


def test_serving_forever_ends_with_stop() -> None:
    exchange = SimulatedExchange(port=0)
    exchange.start()
    serving = threading.Thread(target=exchange.serve_forever)
    serving.start()
    exchange.stop()
    serving.join(timeout=5)
    assert not serving.is_alive()


def test_unstarted_exchange_has_no_address() -> None:
    with pytest.raises(ConfigurationException, match="not running"):
        _ = SimulatedExchange().url


def test_pulled_plug_refuses_connections_until_it_is_plugged_in(
    exchange: SimulatedExchange, binance: ccxt.binance
) -> None:
    exchange.pull_plug()
    exchange.pull_plug()
    with pytest.raises(ccxt.NetworkError) as caught:
        binance.fetch_time()
    assert "refused" in str(caught.value.__cause__)
    exchange.plug_in()
    exchange.plug_in()
    assert binance.fetch_time() > 0


def test_market_goes_on_during_an_outage(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    before = binance.fetch_ohlcv("ETH/BTC", "1s")[-1][0]
    exchange.pull_plug()
    clock.advance(60)
    exchange.plug_in()
    assert binance.fetch_ohlcv("ETH/BTC", "1s")[-1][0] == before + 60_000


def test_outage_ends_by_itself(
    exchange: SimulatedExchange, binance: ccxt.binance, clock: ManualClock
) -> None:
    exchange.outage(30)
    with pytest.raises(ccxt.NetworkError):
        binance.fetch_time()
    clock.advance(30)
    for _ in range(10_000):
        try:
            assert binance.fetch_time() > 0
            break
        except ccxt.NetworkError:
            continue
    else:
        pytest.fail("the exchange did not come back")


def test_outage_resets_what_is_under_way(connect: Connect) -> None:
    with SimulatedExchange(faults=FaultPlan([Fault(FaultKind.HUNG)])) as exchange:
        client = connect(exchange, timeout=5000)
        errors: list[Exception] = []

        def ask() -> None:
            try:
                client.fetch_time()
            except ccxt.NetworkError as error:
                errors.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while not exchange.requests.count():
            pass
        exchange.pull_plug()
        asking.join(timeout=4)
    assert len(errors) == 1
    assert not isinstance(errors[0], ccxt.RequestTimeout)


def test_stopping_during_an_outage_leaves_nothing(exchange: SimulatedExchange) -> None:
    exchange.pull_plug()
    exchange.stop()
    exchange.start()
    with requests.Session() as session:
        assert session.get(f"{exchange.url}/api/v3/ping", timeout=5).status_code == 200


def test_plug_of_a_stopped_exchange_cannot_be_pulled() -> None:
    with pytest.raises(ConfigurationException, match="not running"):
        SimulatedExchange().pull_plug()


async def test_async_client_trades_too(exchange: SimulatedExchange) -> None:
    client = ccxt.async_support.binance(exchange.ccxt_config())
    try:
        order = await client.create_order("ETH/BTC", "market", "buy", 1)
        ticker = await client.fetch_ticker("ETH/BTC")
    finally:
        await client.close()
    assert order["status"] == "closed"
    assert ticker["last"] == float(exchange.last_price("ETH/BTC"))


def test_orders_of_many_threads_land_once_each(exchange: SimulatedExchange, connect: Connect) -> None:
    clients = [connect(exchange) for _ in range(4)]
    for client in clients:
        client.load_markets()

    def trade(name: int, client: ccxt.binance) -> None:
        for number in range(15):
            side = "buy" if number % 2 else "sell"
            params = {"clientOrderId": f"{name}-{number}"}
            client.create_order("ETH/BTC", "market", side, 0.1, None, params)

    threads = [threading.Thread(target=trade, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [order.client_order_id for order in exchange.orders()]
    assert sorted(names) == sorted(f"{name}-{number}" for name in range(4) for number in range(15))
    assert exchange.requests.count("POST", "/order") == 60
    totals = exchange._venue.engine.ledger.totals()
    assert (totals["ETH"], totals["BTC"]) == (100, 10)


def test_config_leads_nowhere_but_here(exchange: SimulatedExchange, connect: Connect) -> None:
    client = connect(exchange)
    addresses = [url for name, url in client.urls["api"].items() if isinstance(url, str)]
    assert addresses
    assert all(url.startswith(exchange.url) for url in addresses)
    assert client.enableRateLimit is False


def test_config_is_merged_with_what_is_put_over_it(exchange: SimulatedExchange) -> None:
    config = exchange.ccxt_config(timeout=123, options={"recvWindow": 1})
    assert config["timeout"] == 123
    assert config["options"]["recvWindow"] == 1
    assert config["options"]["fetchCurrencies"] is False


def test_config_of_an_unknown_account_is_refused(exchange: SimulatedExchange) -> None:
    with pytest.raises(ConfigurationException, match="'nobody'"):
        exchange.ccxt_config("nobody")


def test_config_hands_over_the_clock_only_where_it_is_not_the_systems(start: Start) -> None:
    with SimulatedExchange() as real:
        assert "milliseconds" not in real.ccxt_config()
    assert start().ccxt_config()["milliseconds"]() == 1_700_000_000_000


def test_requests_are_counted_and_kept(exchange: SimulatedExchange, binance: ccxt.binance) -> None:
    before = exchange.requests.count("GET", "/api/v3/ticker/24hr")
    binance.fetch_ticker("ETH/BTC")
    binance.create_order("ETH/BTC", "market", "buy", 1, None, {"clientOrderId": "mine"})
    record = exchange.requests.select("POST", "order")[-1]
    assert exchange.requests.count("GET", "/api/v3/ticker/24hr") == before + 1
    assert (record.client_order_id, record.symbol, record.status) == ("mine", "ETHBTC", 200)
    assert record.time == exchange.time_ms() / 1000
    exchange.requests.clear()
    assert len(exchange.requests) == 0


def test_default_balances_are_enough_to_trade_every_symbol(start: Start) -> None:
    exchange = start(market=SyntheticMarket(["ETH/BTC", "XRP/ETH"]))
    totals = {asset: balance.total for asset, balance in exchange.balances().items()}
    assert totals == {"BTC": Decimal(10), "ETH": Decimal(100), "XRP": Decimal(1000)}


def test_several_markets_trade_side_by_side(start: Start, connect: Connect) -> None:
    exchange = start(market=[ReplayMarket(ROWS, "ETH/USDT"), SyntheticMarket("BTC/USDT")])
    assert exchange.symbols == ("ETH/USDT", "BTC/USDT")
    assert set(connect(exchange).fetch_tickers()) == {"ETH/USDT", "BTC/USDT"}


def test_path_of_a_recording_is_a_market(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    lines = ["timestamp,open,high,low,close,volume", *(",".join(map(str, row)) for row in ROWS)]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert start(market=str(path)).symbols == ("ETH/BTC",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": 70_000}, "port: 70000"),
        ({"port": -1}, "port: -1"),
        ({"port": "80"}, "port: '80'"),
        ({"host": "0.0.0.0"}, "host: '0.0.0.0' is not a loopback address"),
        ({"host": "example.com"}, "host: 'example.com'"),
        ({"seed": 1.5}, "seed: 1.5"),
        ({"balances": {"ETH": -1}}, r"balances\['ETH'\]: -1 is not 0 or more"),
        ({"balances": {"ETH": "many"}}, r"balances\['ETH'\]: 'many'"),
        ({"balances": {"ETH": float("inf")}}, r"balances\['ETH'\]: inf"),
        ({"timeframe": "7m"}, "timeframe: '7m' is not one of 1s"),
        ({"visibility_lag": -1}, "visibility_lag: -1"),
        ({"maker_fee": 1.5}, "maker_fee: 1.5"),
        ({"taker_fee": -0.1}, "taker_fee: -0.1"),
        ({"request_limit": 0}, "request_limit: 0"),
        ({"hang_seconds": 0}, "hang_seconds: 0"),
        ({"faults": "hostile"}, "faults: 'hostile' is not a FaultPlan"),
        ({"market": 5}, "market: 5"),
        ({"market": []}, r"market: \[\]"),
        ({"market": [SyntheticMarket(), SyntheticMarket()]}, "ETH/BTC is listed twice"),
        ({"market": "missing.csv"}, "missing.csv: cannot be read"),
    ],
)
def test_bad_argument_is_named_when_the_exchange_is_built(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationException, match=message):
        SimulatedExchange(**arguments)


def test_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationException, match=f"port: {port} on 127.0.0.1 cannot be bound"):
            SimulatedExchange(port=port).start()


def test_unknown_symbol_has_no_price(exchange: SimulatedExchange) -> None:
    with pytest.raises(ConfigurationException, match="'XRP/ETH' is not one of ETH/BTC, BTC/USDT"):
        exchange.last_price("XRP/ETH")


def test_unknown_account_has_no_balances(exchange: SimulatedExchange) -> None:
    with pytest.raises(ConfigurationException, match="'nobody'"):
        exchange.balances("nobody")


def test_account_name_is_taken_once(exchange: SimulatedExchange) -> None:
    with pytest.raises(ConfigurationException, match="'default' is taken"):
        exchange.add_account("default", {})


@pytest.mark.simulated_exchange(seed=9, balances={"ETH": 3, "BTC": 0})
def test_fixture_builds_what_its_marker_says(
    simulated_exchange: SimulatedExchange, manual_clock: ManualClock, connect: Connect
) -> None:
    manual_clock.advance(5)
    assert simulated_exchange.time_ms() == int(manual_clock.time() * 1000)
    assert connect(simulated_exchange).fetch_balance()["ETH"]["total"] == 3
