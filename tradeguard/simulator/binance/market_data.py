"""Binance's public endpoints."""

from __future__ import annotations

from collections.abc import Callable

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.serialise import amount, kline_json, print_json, symbol_id
from tradeguard.simulator.candles import Print
from tradeguard.simulator.orders import Side
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.timeframes import TIMEFRAMES_MS

__all__ = [
    "agg_trades",
    "best_json",
    "book_ticker",
    "day_json",
    "depth",
    "klines",
    "ping",
    "price",
    "server_time",
    "ticker_24hr",
    "trades",
]

_TRADES_KEPT = 5000


def ping(call: Call) -> object:
    """GET /api/v3/ping."""
    return {}


def server_time(call: Call) -> object:
    """GET /api/v3/time."""
    return {"serverTime": call.view.server_ms}


def klines(call: Call, most: int = 1000) -> object:
    """GET /api/v3/klines; at most `most` of them."""
    book = call.book()
    interval = TIMEFRAMES_MS.get(call.params.required("interval"))
    if interval is None:
        raise BinanceError(-1120, "Invalid interval.")
    candles = book.feed.candles(
        interval,
        call.params.integer("startTime"),
        call.params.integer("endTime"),
        call.params.limit(500, most),
        call.view.market_ms,
    )
    return [kline_json(candle, interval) for candle in candles]


def ticker_24hr(call: Call) -> object:
    """GET /api/v3/ticker/24hr."""
    return _each(call, lambda book: day_json(book, call.view.market_ms))


def price(call: Call) -> object:
    """GET /api/v3/ticker/price."""

    def of(book: SymbolBook) -> dict[str, object]:
        last = book.feed.last_print(call.view.market_ms)
        return {"symbol": symbol_id(book.feed.symbol), "price": amount(last.price)}

    return _each(call, of)


def book_ticker(call: Call) -> object:
    """GET /api/v3/ticker/bookTicker."""

    def of(book: SymbolBook) -> dict[str, object]:
        return {"symbol": symbol_id(book.feed.symbol), **best_json(book, call.view.market_ms)}

    return _each(call, of)


def depth(call: Call) -> object:
    """GET /api/v3/depth."""
    book, limit, now_ms = call.book(), call.params.limit(100, 5000), call.view.market_ms
    sides = {"bids": Side.BUY, "asks": Side.SELL}
    levels = {
        name: [[amount(at), amount(quantity)] for at, quantity in book.depth(side, limit, now_ms)]
        for name, side in sides.items()
    }
    return {"lastUpdateId": book.update_id(now_ms), **levels}


def trades(call: Call) -> object:
    """GET /api/v3/trades and GET /api/v3/historicalTrades."""
    limit = call.params.limit(500, 1000)
    return [print_json(one) for one in _prints(call, limit, call.params.integer("fromId"))]


def agg_trades(call: Call) -> object:
    """GET /api/v3/aggTrades; each print is an aggregate of its own."""
    params = call.params
    limit, start, end = params.limit(500, 1000), params.integer("startTime"), params.integer("endTime")
    found = _prints(call, limit, params.integer("fromId"), start, end)
    return [
        {
            "a": one.number,
            "p": amount(one.price),
            "q": amount(one.quantity),
            "f": one.number,
            "l": one.number,
            "T": one.time_ms,
            "m": one.buyer_is_maker,
            "M": True,
        }
        for one in found
    ]


def _prints(
    call: Call, limit: int, from_id: int | None, start_ms: int | None = None, end_ms: int | None = None
) -> list[Print]:
    feed, now_ms = call.book().feed, call.view.market_ms
    until = now_ms if end_ms is None else min(now_ms, end_ms)
    oldest_first = from_id is not None or start_ms is not None
    if from_id is not None:
        after = from_id - 1
    elif start_ms is not None:
        after = feed.index_at(start_ms) * feed.prints_each - 1
    else:
        after = feed.last_print(max(until, feed.origin_ms)).number - _TRADES_KEPT
    found: list[Print] = []
    for one in feed.prints_after(after, until):
        if one.quantity and (start_ms is None or one.time_ms >= start_ms):
            found.append(one)
            if oldest_first and len(found) == limit:
                break
    return found[:limit] if oldest_first else found[-limit:]


def _each(call: Call, build: Callable[[SymbolBook], dict[str, object]]) -> object:
    """Answer for `symbol`, for `symbols` or for all."""
    name, names = call.params.text("symbol"), call.params.names("symbols")
    if name is not None and names is not None:
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    if name is not None:
        return build(call.book(name))
    if names is not None:
        return [build(call.book(one)) for one in names]
    return [build(book) for book in call.venue.engine.books.values()]


def best_json(book: SymbolBook, now_ms: int) -> dict[str, object]:
    """Return price and quantity of the best bid and ask at `now_ms`."""
    zero = amount(book.rules.tick_size * 0)
    body: dict[str, object] = {}
    for name, side in (("bid", Side.BUY), ("ask", Side.SELL)):
        levels = book.depth(side, 1, now_ms)
        body[f"{name}Price"] = amount(levels[0][0]) if levels else zero
        body[f"{name}Qty"] = amount(levels[0][1]) if levels else zero
    return body


def day_json(book: SymbolBook, now_ms: int) -> dict[str, object]:
    """Return the statistics of the twenty-four hours that end at `now_ms`."""
    day, last = book.day(now_ms), book.feed.last_print(now_ms)
    change = day.close - day.open
    average = day.quote_volume / day.volume if day.volume else day.close
    return {
        "symbol": symbol_id(book.feed.symbol),
        "priceChange": amount(change),
        "priceChangePercent": f"{change / day.open * 100:.3f}",
        "weightedAvgPrice": f"{average:.8f}",
        "prevClosePrice": amount(day.open),
        "lastPrice": amount(day.close),
        "lastQty": amount(last.quantity),
        **best_json(book, now_ms),
        "openPrice": amount(day.open),
        "highPrice": amount(day.high),
        "lowPrice": amount(day.low),
        "volume": amount(day.volume),
        "quoteVolume": f"{day.quote_volume:.8f}",
        "openTime": max(day.open_ms, now_ms - 86_399_999),
        "closeTime": now_ms,
        "firstId": day.first_number,
        "lastId": day.last_number,
        "count": day.last_number - day.first_number + 1,
    }
