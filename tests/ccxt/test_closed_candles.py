"""Candles that the exchange itself calls closed: told once each, as they closed, and no other candle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.simulator.streaming import moved
from tradeguard.simulator import SimulatedExchange
from tradeguard_ccxt.pro import GuardedExchange

SYMBOL = "ETH/BTC"
NOW_MS = 1_700_000_000_000
Told = list[tuple[str, str, list[Any]]]


async def watched(server: SimulatedExchange, exchange: Any, turns: int) -> None:
    for _ in range(turns):
        await moved(server, exchange.watch_ohlcv(SYMBOL, "1s"), seconds=0.5)


async def test_each_candle_is_told_as_it_closed(
    guarded_pro: Callable[..., Any], server: SimulatedExchange
) -> None:
    exchange, told = guarded_pro(), Told()
    exchange.listen_for_closed_candles(lambda *candle: told.append(candle))
    await watched(server, exchange, 20)
    opens = [row[0] for _, _, row in told]
    assert len(opens) >= 5
    assert opens == list(range(opens[0], opens[0] + 1000 * len(opens), 1000))
    assert {(symbol, timeframe) for symbol, timeframe, _ in told} == {(SYMBOL, "1s")}
    assert [row for _, _, row in told] == await exchange.fetch_ohlcv(SYMBOL, "1s", opens[0], len(opens))


async def test_whoever_has_ended_hears_nothing_more(
    guarded_pro: Callable[..., Any], server: SimulatedExchange
) -> None:
    exchange, told, others = guarded_pro(), Told(), Told()
    end = exchange.listen_for_closed_candles(lambda *candle: told.append(candle))
    exchange.listen_for_closed_candles(lambda *candle: others.append(candle))
    await watched(server, exchange, 8)
    known = len(told)
    end()
    end()
    await watched(server, exchange, 8)
    assert 0 < known == len(told) < len(others)


async def test_a_row_that_was_told_stays_as_it_was(
    guarded_pro: Callable[..., Any], server: SimulatedExchange
) -> None:
    exchange, told = guarded_pro(), Told()
    exchange.listen_for_closed_candles(lambda *candle: told.append(candle))
    await watched(server, exchange, 8)
    cached = {row[0]: row for row in exchange.ohlcvs[SYMBOL]["1s"]}
    for _, _, row in told:
        assert row == cached[row[0]]
        assert row is not cached[row[0]]


@pytest.fixture
async def heard() -> AsyncIterator[Callable[..., Told]]:
    """Hands messages to ccxt's own class of an exchange, as its socket would; returns what was told."""
    made: list[Any] = []

    def hear(exchange_id: str, url: str, *messages: dict[str, Any]) -> Told:
        exchange: Any = GuardedExchange(exchange_id)
        made.append(exchange)
        market = {"id": "BTCUSDT" if exchange_id != "okx" else "BTC-USDT", "symbol": "BTC/USDT", "spot": True}
        exchange.set_markets([{**market, "type": "spot", "base": "BTC", "quote": "USDT", "swap": False,
                               "contract": False, "active": True, "limits": {}, "precision": {}}])  # fmt: skip
        told = Told()
        exchange.listen_for_closed_candles(lambda *candle: told.append(candle))
        client = exchange.client(url)
        for message in messages:
            exchange.handle_message(client, message)
        return told

    yield hear
    for exchange in made:
        await exchange.close()


def binance(open_ms: int, close: str, *, closed: bool) -> dict[str, Any]:
    kline = {"t": open_ms, "T": open_ms + 59_999, "s": "BTCUSDT", "i": "1m", "o": "1", "c": close, "h": "9",
             "l": "1", "v": "5", "x": closed}  # fmt: skip
    return {"e": "kline", "E": open_ms + 60_001, "s": "BTCUSDT", "k": kline}


def bybit(open_ms: int, close: str, *, closed: bool) -> dict[str, Any]:
    candle = {"start": open_ms, "end": open_ms + 59_999, "interval": "1", "open": "1", "close": close, "high": "9",
              "low": "1", "volume": "5", "turnover": "1", "confirm": closed, "timestamp": open_ms + 60_001}  # fmt: skip
    return {"topic": "kline.1.BTCUSDT", "data": [candle], "ts": open_ms, "type": "snapshot"}


def okx(open_ms: int, close: str, *, closed: bool) -> dict[str, Any]:
    row = [str(open_ms), "1", "9", "1", close, "5", "5", "5", "1" if closed else "0"]
    return {"arg": {"channel": "candle1m", "instId": "BTC-USDT"}, "data": [row]}


@pytest.mark.parametrize(
    ("exchange_id", "url", "message"),
    [
        ("binance", "wss://stream.binance.com:9443/ws/0", binance),
        ("bybit", "wss://stream.bybit.com/v5/public/spot", bybit),
        ("okx", "wss://ws.okx.com:8443/ws/v5/business", okx),
    ],
)
async def test_the_flag_of_each_exchange_is_read_as_it_documents_it(
    heard: Callable[..., Told], exchange_id: str, url: str, message: Callable[..., dict[str, Any]]
) -> None:
    told = heard(
        exchange_id,
        url,
        message(NOW_MS, "2", closed=False),
        message(NOW_MS, "3", closed=True),
        message(NOW_MS + 60_000, "4", closed=False),
    )
    assert ("BTC/USDT", "1m", [NOW_MS, 1.0, 9.0, 1.0, 3.0, 5.0]) in told
    assert {(row[0], row[4]) for _, _, row in told} == {(NOW_MS, 3.0)}


async def test_an_exchange_that_is_not_known_to_flag_candles_tells_none(heard: Callable[..., Told]) -> None:
    at = "2023-11-14T22:13:00.000000000Z"
    candle = {"open": 1, "high": 9, "low": 1, "close": 3, "volume": 5, "vwap": 2, "trades": 3, "symbol": "BTC/USDT",
              "interval": 1, "interval_begin": at, "timestamp": at}  # fmt: skip
    message = {"channel": "ohlc", "type": "update", "timestamp": at, "data": [candle]}
    assert heard("kraken", "wss://ws.kraken.com/v2", message) == []
