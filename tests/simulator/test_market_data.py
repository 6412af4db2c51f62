"""Public endpoints, as ccxt's own binance sees them over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ccxt
import pytest

from tradeguard.simulator import ReplayMarket, SimulatedExchange, SyntheticMarket
from tradeguard.simulator.timeframes import TIMEFRAMES_MS
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

ROWS = [
    [0, 100.0, 110.0, 95.0, 105.0, 8.0],
    [60_000, 105.0, 108.0, 104.0, 104.0, 4.0],
    [120_000, 104.0, 104.0, 90.0, 92.0, 16.0],
    [180_000, 92.0, 99.0, 91.0, 98.0, 2.0],
    [240_000, 98.0, 98.5, 97.0, 97.5, 1.0],
]


@pytest.fixture
def replay(start: Start, connect: Connect) -> ccxt.binance:
    """Five recorded candles of a second each; three are past, the fourth is forming."""
    return connect(start(market=ReplayMarket(ROWS, "ETH/USDT", history=3)))


def test_markets_carry_limits_precision_and_order_types(binance: ccxt.binance) -> None:
    market = binance.market("ETH/BTC")
    assert (market["base"], market["quote"], market["spot"], market["active"]) == ("ETH", "BTC", True, True)
    assert market["precision"]["amount"] == 0.0001
    assert market["precision"]["price"] == 0.0000001
    assert market["limits"]["cost"]["min"] == 0.0001
    assert "STOP_LOSS_LIMIT" in market["info"]["orderTypes"]


def test_exchange_info_narrows_to_the_symbols_that_were_asked_for(binance: ccxt.binance) -> None:
    one = binance.public_get_exchangeinfo({"symbol": "BTCUSDT"})["symbols"]
    both = binance.public_get_exchangeinfo({"symbols": '["ETHBTC","BTCUSDT"]'})["symbols"]
    assert [symbol["symbol"] for symbol in one] == ["BTCUSDT"]
    assert [symbol["symbol"] for symbol in both] == ["ETHBTC", "BTCUSDT"]


def test_server_time_is_the_exchange_clock(binance: ccxt.binance, clock: ManualClock) -> None:
    before = binance.fetch_time()
    clock.advance(1.5)
    assert binance.fetch_time() - before == 1500


def test_status_is_ok(binance: ccxt.binance) -> None:
    assert binance.fetch_status()["status"] == "ok"


def test_ticker_of_one_symbol_agrees_with_the_exchange(
    binance: ccxt.binance, exchange: SimulatedExchange
) -> None:
    ticker = binance.fetch_ticker("ETH/BTC")
    assert ticker["last"] == float(exchange.last_price("ETH/BTC"))
    assert ticker["bid"] < ticker["last"] < ticker["ask"]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


def test_tickers_of_some_and_of_all_symbols(binance: ccxt.binance) -> None:
    assert set(binance.fetch_tickers()) == {"ETH/BTC", "BTC/USDT"}
    assert set(binance.fetch_tickers(["BTC/USDT"])) == {"BTC/USDT"}
    assert set(binance.fetch_bids_asks(["ETH/BTC"])) == {"ETH/BTC"}
    assert set(binance.fetch_last_prices()) == {"ETH/BTC", "BTC/USDT"}


def test_order_book_is_sorted_and_as_deep_as_asked_for(binance: ccxt.binance) -> None:
    book = binance.fetch_order_book("ETH/BTC", 20)
    bids, asks = [level[0] for level in book["bids"]], [level[0] for level in book["asks"]]
    assert (len(bids), len(asks)) == (20, 20)
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]


def test_own_resting_order_shows_in_the_order_book(binance: ccxt.binance) -> None:
    best = binance.fetch_order_book("ETH/BTC")["bids"][0][0]
    price = round(best + 0.0000001, 7)
    binance.create_order("ETH/BTC", "limit", "buy", 1.2345, price)
    assert binance.fetch_order_book("ETH/BTC")["bids"][0] == [price, 1.2345]


def test_order_book_never_crosses_an_own_order_that_waits_for_more(
    binance: ccxt.binance, clock: ManualClock
) -> None:
    asks = binance.fetch_order_book("ETH/BTC")["asks"]
    price = asks[3][0]
    amount = round(sum(level[1] for level in asks[:4]) + 500, 4)
    with_money = binance.create_order("ETH/BTC", "limit", "sell", 60, asks[0][0])
    bought = binance.create_order("ETH/BTC", "limit", "buy", min(amount, 190), price)
    clock.advance(0.125)
    book = binance.fetch_order_book("ETH/BTC")
    assert bought["filled"] > 0
    assert with_money["status"] == "open"
    assert book["bids"][0][0] < book["asks"][0][0]


def test_public_trades_add_up_to_the_candle(replay: ccxt.binance, clock: ManualClock) -> None:
    candle = replay.fetch_ohlcv("ETH/USDT", "1s", limit=2)[0]
    trades = replay.fetch_trades("ETH/USDT", since=candle[0], limit=1000)
    inside = [trade for trade in trades if trade["timestamp"] < candle[0] + 1000]
    prices = [trade["price"] for trade in inside]
    assert [prices[0], max(prices), min(prices), prices[-1]] == candle[1:5]
    assert sum(trade["amount"] for trade in inside) == pytest.approx(candle[5])


def test_trade_ids_continue_where_a_page_ended(replay: ccxt.binance) -> None:
    first = replay.fetch_trades("ETH/USDT", params={"fromId": 0}, limit=5)
    rest = replay.fetch_trades("ETH/USDT", params={"fromId": int(first[-1]["id"]) + 1}, limit=5)
    ids = [int(trade["id"]) for trade in first + rest]
    assert ids == sorted(set(ids))
    assert len(ids) == 10


def test_recent_trades_are_the_newest(replay: ccxt.binance) -> None:
    recent = replay.public_get_trades({"symbol": "ETHUSDT", "limit": 3})
    everything = replay.public_get_aggtrades({"symbol": "ETHUSDT", "fromId": 0, "limit": 1000})
    assert [trade["id"] for trade in recent] == [trade["a"] for trade in everything[-3:]]


def test_trades_can_be_bounded_by_time(replay: ccxt.binance, clock: ManualClock) -> None:
    start = replay.fetch_ohlcv("ETH/USDT", "1s", limit=10)[0][0]
    trades = replay.fetch_trades("ETH/USDT", since=start + 1000, params={"until": start + 1999})
    assert trades
    assert all(start + 1000 <= trade["timestamp"] <= start + 1999 for trade in trades)


def test_closed_candles_are_exactly_the_recorded_ones(replay: ccxt.binance) -> None:
    candles = replay.fetch_ohlcv("ETH/USDT", "1s")
    assert [candle[1:] for candle in candles[:3]] == [row[1:] for row in ROWS[:3]]


def test_unfinished_candle_is_included_and_grows(replay: ccxt.binance, clock: ManualClock) -> None:
    young = replay.fetch_ohlcv("ETH/USDT", "1s")[-1]
    clock.advance(0.9)
    grown = replay.fetch_ohlcv("ETH/USDT", "1s")[-1]
    clock.advance(0.1)
    closed = replay.fetch_ohlcv("ETH/USDT", "1s")[-2]
    assert young[0] == grown[0] == closed[0]
    assert young[1] == grown[1] == closed[1] == ROWS[3][1]
    assert young[5] < grown[5]
    assert closed[1:] == ROWS[3][1:]


def test_start_time_pages_from_the_oldest(replay: ccxt.binance) -> None:
    everything = replay.fetch_ohlcv("ETH/USDT", "1s")
    page = replay.fetch_ohlcv("ETH/USDT", "1s", since=everything[0][0], limit=2)
    assert page == everything[:2]


def test_start_time_between_two_candles_begins_with_the_later(replay: ccxt.binance) -> None:
    everything = replay.fetch_ohlcv("ETH/USDT", "1s")
    # ccxt would cut an earlier candle off by itself.
    start_ms = str(everything[0][0] + 1)
    rows = replay.public_get_klines({"symbol": "ETHUSDT", "interval": "1s", "startTime": start_ms})
    assert [row[0] for row in rows] == [candle[0] for candle in everything[1:]]


def test_end_time_alone_pages_from_the_newest(replay: ccxt.binance) -> None:
    everything = replay.fetch_ohlcv("ETH/USDT", "1s")
    page = replay.fetch_ohlcv("ETH/USDT", "1s", limit=2, params={"until": everything[2][0]})
    assert page == everything[1:3]


def test_start_and_end_time_together_bound_both_sides(replay: ccxt.binance) -> None:
    everything = replay.fetch_ohlcv("ETH/USDT", "1s")
    page = replay.fetch_ohlcv("ETH/USDT", "1s", since=everything[1][0], params={"until": everything[2][0]})
    assert page == everything[1:3]


def test_candles_of_the_future_are_an_empty_page(replay: ccxt.binance) -> None:
    assert replay.fetch_ohlcv("ETH/USDT", "1s", since=replay.fetch_time() + 1) == []


def test_a_page_holds_at_most_a_thousand_candles(start: Start, connect: Connect) -> None:
    client = connect(start(market=SyntheticMarket(history=1500)))
    rows = client.public_get_klines({"symbol": "ETHBTC", "interval": "1s", "limit": 1500})
    assert len(rows) == 1000


@pytest.mark.parametrize("timeframe", TIMEFRAMES_MS)
def test_every_timeframe_is_the_exact_aggregate_of_the_seconds(
    timeframe: str, start: Start, connect: Connect
) -> None:
    client = connect(start(market=SyntheticMarket(history=400)))
    seconds = client.fetch_ohlcv("ETH/BTC", "1s", limit=1000)
    length = TIMEFRAMES_MS[timeframe]
    for candle in client.fetch_ohlcv("ETH/BTC", timeframe, limit=1000):
        inside = [second for second in seconds if candle[0] <= second[0] < candle[0] + length]
        assert candle[0] % length == 0
        assert candle[1] == inside[0][1]
        assert candle[2] == max(second[2] for second in inside)
        assert candle[3] == min(second[3] for second in inside)
        assert candle[4] == inside[-1][4]
        assert candle[5] == pytest.approx(sum(second[5] for second in inside))


def test_seconds_within_a_longer_recorded_candle_add_up_to_it(start: Start, connect: Connect) -> None:
    client = connect(start(market=ReplayMarket(ROWS, "ETH/USDT", "1m", history=3)))
    minute = client.fetch_ohlcv("ETH/USDT", "1m", limit=2)[0]
    seconds = client.fetch_ohlcv("ETH/USDT", "1s", since=minute[0], limit=60)
    assert [second[0] for second in seconds] == list(range(minute[0], minute[0] + 60_000, 1000))
    assert max(second[2] for second in seconds) == minute[2]
    assert min(second[3] for second in seconds) == minute[3]
    assert sum(second[5] for second in seconds) == pytest.approx(minute[5])


def test_day_statistics_forget_what_is_older_than_a_day(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    rows = [[hour * 3_600_000, 50.0, 51.0, 49.0, 50.0, 1.0] for hour in range(60)]
    rows[2][2] = 90.0
    client = connect(start(market=ReplayMarket(rows, "ETH/USDT", "1h", history=20)))
    assert client.fetch_ticker("ETH/USDT")["high"] == 90.0
    clock.advance(10 * 3600)
    ticker = client.fetch_ticker("ETH/USDT")
    assert ticker["high"] == 51.0
    assert ticker["baseVolume"] == pytest.approx(24.0, abs=1.1)


def test_market_closes_at_the_end_of_the_recording(
    start: Start, connect: Connect, clock: ManualClock
) -> None:
    exchange = start(market=ReplayMarket(ROWS, "ETH/USDT", history=3))
    client = connect(exchange)
    client.load_markets()
    assert not exchange.finished
    clock.advance(100)
    assert exchange.finished
    assert [candle[1:] for candle in client.fetch_ohlcv("ETH/USDT", "1s")] == [row[1:] for row in ROWS]
    assert client.fetch_ticker("ETH/USDT")["last"] == ROWS[-1][4]
    assert not client.load_markets(reload=True)["ETH/USDT"]["active"]
    with pytest.raises(ccxt.MarketClosed):
        client.create_order("ETH/USDT", "market", "buy", 1)
