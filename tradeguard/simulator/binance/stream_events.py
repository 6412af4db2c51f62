"""Binance's JSON of market stream events.

Source: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

from tradeguard.simulator.binance.market_data import day_json
from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.candles import Print
from tradeguard.simulator.feed import SymbolFeed
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.timeframes import TIMEFRAMES_MS

__all__ = ["agg_trade_event", "kline_event", "ticker_event", "trade_event"]

_MINI = {
    "c": "lastPrice",
    "o": "openPrice",
    "h": "highPrice",
    "l": "lowPrice",
    "v": "volume",
    "q": "quoteVolume",
}
_FULL = {
    "p": "priceChange",
    "P": "priceChangePercent",
    "w": "weightedAvgPrice",
    "x": "prevClosePrice",
    "Q": "lastQty",
    "b": "bidPrice",
    "B": "bidQty",
    "a": "askPrice",
    "A": "askQty",
    "O": "openTime",
    "C": "closeTime",
    "F": "firstId",
    "L": "lastId",
    "n": "count",
}


def trade_event(symbol: str, one: Print) -> dict[str, object]:
    """Return a public trade."""
    return {
        "e": "trade",
        "E": one.time_ms,
        "s": symbol_id(symbol),
        "t": one.number,
        "p": amount(one.price),
        "q": amount(one.quantity),
        "T": one.time_ms,
        "m": one.buyer_is_maker,
        "M": True,
    }


def agg_trade_event(symbol: str, one: Print) -> dict[str, object]:
    """Return an aggregate trade; each print is an aggregate of its own."""
    trade = trade_event(symbol, one)
    number = trade.pop("t")
    return {**trade, "e": "aggTrade", "a": number, "f": number, "l": number}


def ticker_event(book: SymbolBook, now_ms: int, *, is_mini: bool) -> dict[str, object]:
    """Return the statistics of the last twenty-four hours."""
    day = day_json(book, now_ms)
    event = {
        "e": "24hrMiniTicker" if is_mini else "24hrTicker",
        "E": now_ms,
        "s": day["symbol"],
        **{short: day[name] for short, name in _MINI.items()},
    }
    return event if is_mini else {**event, **{short: day[name] for short, name in _FULL.items()}}


def kline_event(feed: SymbolFeed, interval: str, open_ms: int, now_ms: int) -> dict[str, object]:
    """Return the candle that opens at `open_ms`, as it is at `now_ms`."""
    length_ms = TIMEFRAMES_MS[interval]
    close_ms = open_ms + length_ms - 1
    candle = feed.candles(length_ms, open_ms, None, 1, now_ms)[0]
    name = symbol_id(feed.symbol)
    return {
        "e": "kline",
        "E": now_ms,
        "s": name,
        "k": {
            "t": candle.open_ms,
            "T": close_ms,
            "s": name,
            "i": interval,
            "f": max(0, feed.index_at(open_ms)) * feed.prints_each,
            "L": feed.last_print(min(now_ms, close_ms)).number,
            "o": amount(candle.open),
            "c": amount(candle.close),
            "h": amount(candle.high),
            "l": amount(candle.low),
            "v": amount(candle.volume),
            "n": candle.trades,
            "x": close_ms < now_ms,
            "q": f"{candle.quote_volume:.8f}",
            "V": f"{candle.volume / 2:.8f}",
            "Q": f"{candle.quote_volume / 2:.8f}",
            "B": "0",
        },
    }
