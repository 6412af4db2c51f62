"""Kraken's public endpoints, as ccxt's own kraken reads them over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest
import requests

from tradeguard.simulator import Fault, FaultKind, ReplayMarket, SimulatedExchange
from tradeguard.simulator.kraken.names import Pair, asset_code, asset_id
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

CANDLES = [[n * 60_000, 100.0 + n, 103.0 + n, 99.0 + n, 101.0 + n, 50.0 + n] for n in range(30)]


@pytest.fixture
def replay(start: Start, connect: Connect, clock: ManualClock) -> ccxt.kraken:
    clock.set_time(1_700_000_040.0)
    market = ReplayMarket(CANDLES, "ETH/USD", timeframe="1m", history=10)
    return connect(start(market=market, dialect="kraken"))


@pytest.mark.parametrize(
    ("symbol", "pair_id", "altname", "wsname"),
    [
        ("BTC/USD", "XXBTZUSD", "XBTUSD", "XBT/USD"),
        ("ETH/BTC", "XETHXXBT", "ETHXBT", "ETH/XBT"),
        ("ETH/USDT", "ETHUSDT", "ETHUSDT", "ETH/USDT"),
        ("DOGE/BTC", "XXDGXXBT", "XDGXBT", "XDG/XBT"),
        ("ADA/ETH", "ADAETH", "ADAETH", "ADA/ETH"),
    ],
)
def test_pairs_have_krakens_names(symbol: str, pair_id: str, altname: str, wsname: str) -> None:
    pair = Pair(symbol)
    assert (pair.id, pair.altname, pair.wsname) == (pair_id, altname, wsname)
    assert [asset_code(name) for name in (pair.base, pair.quote)] == symbol.split("/")


def test_assets_without_prefix_keep_their_name() -> None:
    assert [asset_id(code) for code in ("BTC", "DOGE", "EUR", "USDT", "SOL")] == [
        "XXBT",
        "XXDG",
        "ZEUR",
        "USDT",
        "SOL",
    ]


def test_markets_and_currencies_load_with_their_rules(kraken: ccxt.kraken) -> None:
    market = kraken.market("BTC/USD")
    assert {symbol: kraken.market(symbol)["id"] for symbol in kraken.symbols} == {
        "BTC/USD": "XXBTZUSD",
        "ETH/BTC": "XETHXXBT",
        "ETH/USDT": "ETHUSDT",
    }
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.01, 0.00001)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.00001, 0.01)
    assert (market["maker"], market["taker"], market["active"]) == (0.001, 0.001, True)
    assert sorted(kraken.currencies) == ["BTC", "ETH", "USD", "USDT"]
    assert kraken.currency("BTC")["id"] == "XXBT"


def test_time_and_status_are_the_exchanges(kraken: ccxt.kraken, clock: ManualClock) -> None:
    clock.advance(7)
    assert kraken.fetch_time() == int(clock.time()) * 1000
    assert kraken.fetch_status()["status"] == "ok"


def test_ticker_agrees_with_the_exchange(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    ticker, book = kraken.fetch_ticker("ETH/BTC"), kraken.fetch_order_book("ETH/BTC", 5)
    assert ticker["last"] == float(kraken_exchange.last_price("ETH/BTC"))
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert (ticker["bid"], ticker["ask"]) == (book["bids"][0][0], book["asks"][0][0])
    assert set(kraken.fetch_tickers()) == {"ETH/BTC", "BTC/USD", "ETH/USDT"}
    assert list(kraken.fetch_tickers(["BTC/USD"])) == ["BTC/USD"]


def test_order_book_is_sorted_and_as_deep_as_asked_for(kraken: ccxt.kraken) -> None:
    book = kraken.fetch_order_book("BTC/USD", 7)
    bids, asks = ([level[0] for level in book[side]] for side in ("bids", "asks"))
    assert (bids, asks) == (sorted(bids, reverse=True), sorted(asks))
    assert (len(bids), len(asks), bids[0] < asks[0]) == (7, 7, True)


def test_closed_candles_are_exactly_the_recorded_ones(replay: ccxt.kraken) -> None:
    rows = replay.fetch_ohlcv("ETH/USD", "1m")
    assert [row[1:] for row in rows[:-1]] == [row[1:] for row in CANDLES[:10]]
    assert rows[-1][1] == CANDLES[10][1]


def test_candles_since_a_time_begin_with_it(replay: ccxt.kraken) -> None:
    rows = replay.fetch_ohlcv("ETH/USD", "1m")
    assert replay.fetch_ohlcv("ETH/USD", "1m", since=rows[4][0]) == rows[4:]
    answer = replay.public_get_ohlc({"pair": "ETHUSD", "since": str(rows[4][0] // 1000)})["result"]
    assert [row[0] * 1000 for row in answer["XETHZUSD"]] == [row[0] for row in rows[5:]]
    assert answer["last"] * 1000 == rows[-2][0]


def test_longer_candles_are_aggregates(replay: ccxt.kraken, clock: ManualClock) -> None:
    clock.advance(600)
    minutes = {row[0]: row for row in replay.fetch_ohlcv("ETH/USD", "1m")}
    five = replay.fetch_ohlcv("ETH/USD", "5m")[1]
    inside = [minutes[five[0] + n * 60_000] for n in range(5)]
    assert five[1:] == [
        inside[0][1],
        max(row[2] for row in inside),
        min(row[3] for row in inside),
        inside[-1][4],
        pytest.approx(sum(row[5] for row in inside)),
    ]


def test_at_most_720_candles_are_served_however_old_since_is(start: Start, connect: Connect) -> None:
    exchange = start(dialect="kraken", timeframe="1m")
    assert len(connect(exchange).fetch_ohlcv("ETH/BTC", "1m", since=0)) == 720


def test_public_trades_add_up_to_the_candle(replay: ccxt.kraken) -> None:
    rows = replay.fetch_ohlcv("ETH/USD", "1m")
    trades = replay.fetch_trades("ETH/USD")
    inside = [one for one in trades if rows[-2][0] <= one["timestamp"] < rows[-1][0]]
    assert sum(one["amount"] for one in inside) == pytest.approx(rows[-2][5])
    assert [one["timestamp"] for one in trades] == sorted(one["timestamp"] for one in trades)


def test_public_trades_since_a_time_are_the_oldest_after_it(replay: ccxt.kraken) -> None:
    trades = replay.fetch_trades("ETH/USD")
    since = trades[10]["timestamp"] // 1000 * 1000
    later = replay.public_get_trades({"pair": "ETHUSD", "since": str(since // 1000), "count": "5"})
    ids = [str(row[6]) for row in later["result"]["XETHZUSD"]]
    assert ids == [one["id"] for one in trades if one["timestamp"] > since][:5]
    after_last = replay.public_get_trades({"pair": "ETHUSD", "since": later["result"]["last"]})
    assert str(after_last["result"]["XETHZUSD"][0][6]) not in ids


@pytest.mark.parametrize("name", ["XETHXXBT", "ETHXBT", "ETH/XBT"])
def test_a_pair_answers_to_all_its_names(kraken: ccxt.kraken, name: str) -> None:
    assert list(kraken.public_get_ticker({"pair": name})["result"]) == ["XETHXXBT"]


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("public_get_ticker", {"pair": "NONE"}, "EQuery:Unknown asset pair"),
        ("public_get_depth", {}, "EGeneral:Invalid arguments:pair"),
        ("public_get_ohlc", {"pair": "XBTUSD", "interval": "7"}, "EGeneral:Invalid arguments:interval"),
        ("public_get_trades", {"pair": "XBTUSD", "since": "x"}, "EGeneral:Invalid arguments:since"),
    ],
)
def test_bad_requests_are_refused_under_status_200(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken, method: str, params: dict[str, str], error: str
) -> None:
    with pytest.raises(ccxt.ExchangeError, match=error):
        getattr(kraken, method)(params)
    assert kraken_exchange.requests[-1].status == 200


def test_unknown_methods_and_paths_are_told_apart(kraken_exchange: SimulatedExchange) -> None:
    answers = [
        requests.get(f"{kraken_exchange.url}{path}", timeout=5)
        for path in ("/0/public/Nothing", "/0/private/Balance", "/api/v3/time")
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    assert answers[0].json() == answers[1].json() == {"error": ["EGeneral:Unknown method"]}
    assert "<html>" in answers[2].text


def test_market_closes_at_the_end_of_the_recording(replay: ccxt.kraken, clock: ManualClock) -> None:
    clock.advance(3600)
    replay.load_markets(reload=True)
    assert replay.market("ETH/USD")["active"] is False
    with pytest.raises(ccxt.OnMaintenance, match="cancel_only"):
        replay.create_order("ETH/USD", "limit", "buy", 1, 90)


@pytest.mark.parametrize(
    ("kind", "missing"), [(FaultKind.MISSING_VALUES, (4, 5)), (FaultKind.HALF_BUILT, (3, 4, 5))]
)
def test_newest_closed_candle_lacks_values(
    kraken_exchange: SimulatedExchange, kraken: ccxt.kraken, kind: FaultKind, missing: tuple[int, ...]
) -> None:
    whole = kraken.fetch_ohlcv("ETH/BTC", "1m")
    kraken_exchange.faults.add(Fault(kind, "GET /0/public/OHLC"))
    spoilt = kraken.fetch_ohlcv("ETH/BTC", "1m")
    wanted = [None if place in missing else value for place, value in enumerate(whole[-2])]
    assert spoilt == [*whole[:-2], wanted, whole[-1]]
    assert kraken.fetch_ohlcv("ETH/BTC", "1m") == whole


def test_ticker_lacks_its_price(kraken_exchange: SimulatedExchange, kraken: ccxt.kraken) -> None:
    kraken_exchange.faults.add(Fault(FaultKind.MISSING_VALUES, "market"))
    assert kraken.fetch_ticker("ETH/BTC")["last"] is None


def test_config_leads_nowhere_but_here(kraken_exchange: SimulatedExchange) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for one in value.values() for text in texts(one)]
        return [value] if isinstance(value, str) else []

    client = ccxt.pro.kraken(kraken_exchange.ccxt_config())
    assert {text.split("/")[2] for text in texts(client.urls["api"])} == {kraken_exchange.url.split("/")[2]}


async def test_async_client_reads_and_trades(kraken_exchange: SimulatedExchange) -> None:
    client = ccxt.async_support.kraken(kraken_exchange.ccxt_config())
    try:
        price = (await client.fetch_ticker("ETH/BTC"))["last"]
        placed = await client.create_order("ETH/BTC", "limit", "buy", 1, 0.04, {"clientOrderId": "mine"})
        found = await client.fetch_order(placed["id"])
        await client.cancel_order(placed["id"])
    finally:
        await client.close()
    assert price == float(kraken_exchange.last_price("ETH/BTC"))
    assert (found["clientOrderId"], found["status"]) == ("mine", "open")
    assert kraken_exchange.orders()[0].status == "CANCELED"
