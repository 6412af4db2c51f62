"""Replaying recorded candles."""

from __future__ import annotations

import csv
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import ReplayMarket
from tradeguard.testing import ManualClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start

ROWS = [[n * 300_000, 10.0 + n, 12.0 + n, 9.0 + n, 11.0 + n, 5.0] for n in range(10)]


def closes(market: ReplayMarket) -> list[int]:
    return [int(row[4]) for row in market.rows]


def test_history_lies_before_the_start(start: Start, connect: Connect) -> None:
    client = connect(start(market=ReplayMarket(ROWS, history=4)))
    candles = client.fetch_ohlcv("ETH/BTC", "1s")
    assert [candle[4] for candle in candles[:4]] == [11.0, 12.0, 13.0, 14.0]
    assert (len(candles), candles[4][1]) == (5, ROWS[4][1])


def test_start_names_the_first_live_candle_by_its_recorded_stamp() -> None:
    assert closes(ReplayMarket(ROWS, start=ROWS[6][0])) == list(range(11, 21))
    assert closes(ReplayMarket(ROWS, start=ROWS[6][0], history=2)) == list(range(15, 21))
    assert closes(ReplayMarket(ROWS, start=ROWS[6][0] - 1, history=0)) == list(range(17, 21))


def test_without_history_the_first_candle_is_forming(start: Start, connect: Connect) -> None:
    assert len(connect(start(market=ReplayMarket(ROWS))).fetch_ohlcv("ETH/BTC", "1s")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"history": 10}, "history: 10 leaves none of the 10 candles"),
        ({"history": -1}, "history: -1 is not a number of candles"),
        ({"history": 1.5}, "history: 1.5"),
        ({"start": 10**13}, "start: 10000000000000 leaves none"),
        ({"start": 300_000, "history": 5}, "history: 5 candles wanted, the recording has 1 before start"),
        ({"symbol": "ETHBTC"}, "symbol: 'ETHBTC' is not of the form BASE/QUOTE"),
        ({"symbol": "eth/btc"}, "symbol: 'eth/btc'"),
        ({"timeframe": "5s"}, "timeframe: '5s'"),
    ],
)
def test_bad_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationException, match=message):
        ReplayMarket(ROWS, **arguments)


@pytest.mark.parametrize(("price", "tick"), [(1.0, "0.00001"), (1.12345678, "0.00000001"), (2000.0, "0.01")])
def test_tick_is_at_least_as_fine_as_the_recorded_prices(start: Start, price: float, tick: str) -> None:
    exchange = start(market=ReplayMarket([[0, price, price, price, price, 5.0]], "ETH/USDT"))
    assert exchange._venue.engine.books["ETH/USDT"].rules.tick_size == Decimal(tick)


def test_candle_without_trades_fills_nothing(start: Start, connect: Connect, clock: ManualClock) -> None:
    rows = [[n * 60_000, 100.0, 100.0, 100.0, 100.0, 5.0 if n < 2 else 0.0] for n in range(5)]
    exchange = start(market=ReplayMarket(rows, "ETH/USDT", history=1), balances={"USDT": 1000})
    client = connect(exchange)
    client.load_markets()
    clock.advance(1.5)
    client.create_order("ETH/USDT", "limit", "buy", 1, 100)
    clock.advance(2)
    assert exchange.orders()[0].filled == 0
    assert client.fetch_ohlcv("ETH/USDT", "1s")[-1][1:] == [100.0, 100.0, 100.0, 100.0, 0.0]
    assert len(client.fetch_trades("ETH/USDT", params={"fromId": 0})) == 16


def test_recorded_month_is_replayed_to_the_last_digit(
    start: Start, connect: Connect, clock: ManualClock, shared_data: Path
) -> None:
    path = shared_data / "ETHBTC-5m-2018-01.csv"
    with path.open(newline="", encoding="utf-8") as file:
        recorded = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    exchange = start(market=ReplayMarket(path, history=500))
    client = connect(exchange)
    clock.advance(len(recorded))
    replayed: list[list[float]] = []
    since = client.fetch_ohlcv("ETH/BTC", "1s", since=0, limit=1)[0][0]
    while page := client.fetch_ohlcv("ETH/BTC", "1s", since=since, limit=1000):
        replayed += page
        since = page[-1][0] + 1
    assert [candle[1:] for candle in replayed] == [row[1:] for row in recorded]
    assert {later[0] - earlier[0] for earlier, later in pairwise(replayed)} == {1000}
    assert exchange.finished
