"""Kraken's public endpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime

from tradeguard.simulator.candles import Candle, Print
from tradeguard.simulator.kraken.call import Call
from tradeguard.simulator.kraken.errors import invalid
from tradeguard.simulator.kraken.names import Pair, altname, asset_code, asset_id
from tradeguard.simulator.kraken.serialise import amount, seconds
from tradeguard.simulator.orders import Side
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.symbols import split_symbol

__all__ = ["asset_pairs", "assets", "depth", "ohlc", "server_time", "system_status", "ticker", "trades"]

_INTERVALS = frozenset({1, 5, 15, 30, 60, 240, 1440, 10_080, 21_600})
_CANDLES = 720
_TRADES = 1000
_NANOSECOND_DIGITS = 15
_MINUTE_MS = 60_000


def server_time(call: Call) -> object:
    """GET /0/public/Time."""
    moment = datetime.fromtimestamp(call.view.server_ms // 1000, UTC)
    return {"unixtime": call.view.server_ms // 1000, "rfc1123": format_datetime(moment, usegmt=True)}


def system_status(call: Call) -> object:
    """GET /0/public/SystemStatus."""
    moment = datetime.fromtimestamp(call.view.server_ms // 1000, UTC)
    status = "maintenance" if call.view.in_maintenance else "online"
    return {"status": status, "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}


def assets(call: Call) -> object:
    """GET /0/public/Assets."""
    codes = {code for symbol in call.venue.engine.books for code in split_symbol(symbol)}
    wanted = {asset_code(name) for name in call.params.names("asset")}
    return {
        asset_id(code): {
            "aclass": "currency",
            "altname": altname(code),
            "decimals": 10,
            "display_decimals": 5,
            "status": "enabled",
        }
        for code in sorted(codes & wanted if wanted else codes)
    }


def asset_pairs(call: Call) -> object:
    """GET /0/public/AssetPairs."""
    settlement, now_ms = call.venue.engine.settlement, call.view.market_ms
    fees = (settlement.maker_fee, settlement.taker_fee)
    return {Pair(book.feed.symbol).id: _pair_json(book, fees, now_ms) for book in _books(call)}


def ticker(call: Call) -> object:
    """GET /0/public/Ticker."""
    return {Pair(book.feed.symbol).id: _ticker_json(book, call.view.market_ms) for book in _books(call)}


def ohlc(call: Call) -> object:
    """GET /0/public/OHLC: at most the newest 720 candles, whatever `since` says; the last one is forming."""
    book, interval, since = call.book(), call.params.integer("interval"), call.params.integer("since")
    interval = 1 if interval is None else interval
    if interval not in _INTERVALS:
        raise invalid("interval")
    candles = book.feed.candles(interval * _MINUTE_MS, None, None, _CANDLES, call.view.market_ms)
    rows = [_row(candle) for candle in candles if since is None or candle.open_ms > since * 1000]
    closed = [
        candle.open_ms for candle in candles if candle.open_ms + interval * _MINUTE_MS <= call.view.now_ms
    ]
    return {Pair(book.feed.symbol).id: rows, "last": (closed[-1] if closed else candles[-1].open_ms) // 1000}


def depth(call: Call) -> object:
    """GET /0/public/Depth."""
    book, now_ms = call.book(), call.view.market_ms
    count = call.params.integer("count")
    count = 100 if count is None else min(max(count, 1), 500)
    levels = {
        name: [
            [amount(at), amount(quantity), now_ms // 1000] for at, quantity in book.depth(side, count, now_ms)
        ]
        for name, side in (("asks", Side.SELL), ("bids", Side.BUY))
    }
    return {Pair(book.feed.symbol).id: levels}


def trades(call: Call) -> object:
    """GET /0/public/Trades: the newest, or the oldest after `since`, in seconds or nanoseconds."""
    book, now_ms = call.book(), call.view.market_ms
    feed, since = book.feed, call.params.text("since")
    count = call.params.integer("count")
    count = _TRADES if count is None else min(max(count, 1), _TRADES)
    if since is None:
        after = feed.last_print(now_ms).number - 2 * count
        found = [one for one in feed.prints_after(after, now_ms) if one.quantity][-count:]
    else:
        since_ms = _moment_ms(since)
        after = feed.index_at(since_ms) * feed.prints_each - 1
        found = [one for one in feed.prints_after(after, now_ms) if one.quantity and one.time_ms > since_ms][
            :count
        ]
    last_ms = found[-1].time_ms if found else now_ms
    return {Pair(feed.symbol).id: [_print_json(one) for one in found], "last": str(last_ms * 1_000_000)}


def _books(call: Call) -> list[SymbolBook]:
    names = call.params.names("pair")
    return [call.book(name) for name in names] if names else list(call.venue.engine.books.values())


def _moment_ms(text: str) -> int:
    if not text.replace(".", "", 1).isdecimal():
        raise invalid("since")
    number = Decimal(text)
    return int(number / 1_000_000 if len(text.partition(".")[0]) > _NANOSECOND_DIGITS else number * 1000)


def _row(candle: Candle) -> list[object]:
    average = candle.quote_volume / candle.volume if candle.volume else candle.close
    prices = (candle.open, candle.high, candle.low, candle.close, Decimal(f"{average:.8f}"), candle.volume)
    return [candle.open_ms // 1000, *map(amount, prices), candle.trades]


def _print_json(one: Print) -> list[object]:
    side = "s" if one.buyer_is_maker else "b"
    return [amount(one.price), amount(one.quantity), seconds(one.time_ms), side, "l", "", one.number]


def _ticker_json(book: SymbolBook, now_ms: int) -> dict[str, object]:
    day, last = book.day(now_ms), book.feed.last_print(now_ms)
    average = day.quote_volume / day.volume if day.volume else day.close
    count = day.last_number - day.first_number + 1
    return {
        "a": _best(book, Side.SELL, now_ms),
        "b": _best(book, Side.BUY, now_ms),
        "c": [amount(day.close), amount(last.quantity)],
        "v": [amount(day.volume)] * 2,
        "p": [f"{average:.8f}"] * 2,
        "t": [count] * 2,
        "l": [amount(day.low)] * 2,
        "h": [amount(day.high)] * 2,
        "o": amount(day.open),
    }


def _best(book: SymbolBook, side: Side, now_ms: int) -> list[str]:
    price, quantity = next(iter(book.depth(side, 1, now_ms)), (Decimal(0), Decimal(0)))
    return [amount(price), str(int(quantity)), f"{quantity:.3f}"]


def _pair_json(book: SymbolBook, fees: tuple[Decimal, Decimal], now_ms: int) -> dict[str, object]:
    rules, pair = book.rules, Pair(book.feed.symbol)
    maker, taker = (float(fee * 100) for fee in fees)
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": pair.base,
        "aclass_quote": "currency",
        "quote": pair.quote,
        "lot": "unit",
        "cost_decimals": 8,
        "pair_decimals": _decimals(rules.tick_size),
        "lot_decimals": _decimals(rules.step_size),
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[0, taker]],
        "fees_maker": [[0, maker]],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": f"{rules.min_quantity:f}",
        "costmin": f"{rules.min_notional:f}",
        "tick_size": f"{rules.tick_size:f}",
        "status": "cancel_only" if book.feed.is_closed(now_ms) else "online",
    }


def _decimals(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
