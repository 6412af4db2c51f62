"""Synthetic markets."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import SyntheticMarket
from tradeguard.simulator.candles import Candle

if TYPE_CHECKING:
    from tests.simulator.conftest import Connect, Start


def candles(market: SyntheticMarket, count: int, seed: int = 0) -> list[list[Candle]]:
    return [[listing.source.candle(index) for index in range(count)] for listing in market.listings(seed)]


def test_same_seed_is_the_same_market_in_whatever_order_it_is_asked() -> None:
    forwards = candles(SyntheticMarket(seed=5), 50)[0]
    source = SyntheticMarket(seed=5).listings(0)[0].source
    backwards = [source.candle(index) for index in reversed(range(50))]
    assert forwards == backwards[::-1]


def test_seed_of_the_exchange_counts_where_the_market_has_none() -> None:
    assert candles(SyntheticMarket(), 20, seed=1) != candles(SyntheticMarket(), 20, seed=2)
    assert candles(SyntheticMarket(seed=3), 20, seed=1) == candles(SyntheticMarket(seed=3), 20, seed=2)


def test_symbols_move_apart() -> None:
    one, other = candles(SyntheticMarket(["ETH/BTC", "BTC/USDT"], start_price=100.0), 20)
    assert [candle.close for candle in one] != [candle.close for candle in other]


def test_each_candle_is_possible_and_opens_where_the_last_one_closed() -> None:
    walk = candles(SyntheticMarket(volatility=0.01), 300)[0]
    for before, candle in zip([None, *walk], walk, strict=False):
        assert 0 < candle.low <= min(candle.open, candle.close)
        assert candle.high >= max(candle.open, candle.close)
        assert candle.volume > 0
        assert before is None or candle.open == before.close


def test_price_begins_where_it_was_told_to() -> None:
    market = SyntheticMarket(["ETH/BTC", "BTC/USDT"], start_price={"BTC/USDT": 12_345.0})
    eth, btc = candles(market, 1)
    assert eth[0].open == Decimal("0.05")
    assert btc[0].open == Decimal(12345)


def test_greater_volatility_wanders_farther() -> None:
    def width(volatility: float) -> float:
        walk = candles(SyntheticMarket(seed=1, volatility=volatility), 300)[0]
        return float(max(candle.high for candle in walk) / min(candle.low for candle in walk))

    assert width(0.0001) < width(0.001) < width(0.01)


def test_no_volatility_is_a_flat_line() -> None:
    assert {candle.close for candle in candles(SyntheticMarket(volatility=0.0), 50)[0]} == {Decimal("0.05")}


def test_long_walk_comes_back(start: Start) -> None:
    walk = candles(SyntheticMarket(seed=2, volatility=0.001), 20_000)[0]
    assert all(Decimal("0.04") < candle.close < Decimal("0.0625") for candle in walk)


def test_timeframe_and_history_are_its_own(start: Start, connect: Connect) -> None:
    client = connect(start(market=SyntheticMarket(timeframe="1h", history=30)))
    rows = client.fetch_ohlcv("ETH/BTC", "1h", limit=1000)
    assert len(rows) == 31


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"symbols": []}, "symbols: none given"),
        ({"symbols": "ETHBTC"}, "symbol: 'ETHBTC'"),
        ({"volatility": -0.1}, "volatility: -0.1 is not between 0 and 0.2"),
        ({"volatility": float("nan")}, "volatility: nan"),
        ({"volume": 0}, "volume: 0"),
        ({"history": -5}, "history: -5"),
        ({"start_price": 0}, "start_price: 0"),
        ({"start_price": {"XRP/ETH": 1}}, "start_price: 'XRP/ETH' is none of the market's symbols"),
        ({"timeframe": "1w"}, "timeframe: '1w'"),
    ],
)
def test_bad_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationException, match=message):
        SyntheticMarket(**arguments)
