"""Reading by REST what a stream would have told: whole pages of trades, candles and orders, or the state of things."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.order_line import OrderLine
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.stream import Stream
from tradeguard_ccxt.stream_kinds import Content
from tradeguard_ccxt.trade_line import TradeLine

__all__ = ["Read", "can_be_read", "is_read_by_id", "read_line", "read_state"]

_PAGE = 1000
_MOST_PAGES = 50
_MOST_LOOK_UPS = 100  # of single orders that are open no more
_DAY_MS = 86_400_000
_OVERLAP_MS = 2000  # what was delivered already is read once more, to see that nothing is missing before it

# Where trades are read from an id on. Binance's aggregated trades, which `fetch_trades` reads, have other ids than
# the trades of its socket; GET /api/v3/historicalTrades has the same, without holes.
_READS_BY_ID: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {key: {"fetchTradesMethod": "publicGetHistoricalTrades"} for key in ("binance", "binanceus")}
)


class Read(NamedTuple):
    """What REST told of one line.

    Attributes:
        items: oldest first.
        is_complete: whether it was read up to the present.
    """

    items: list[Any]
    is_complete: bool


async def read_line(exchange: Any, stream: Stream, key: Any, now_ms: int) -> Read:
    """Return what REST tells of one line since what it delivered last, oldest first; never from the cache.

    Args:
        exchange: the guarded instance.
        stream: the stream.
        key: of the line: a symbol, or a symbol and a timeframe.
        now_ms: the exchange's time.
    """
    line = stream.lines[key]
    if stream.kind.content is Content.ORDERS:
        return await _orders(exchange, key, line, now_ms)
    if stream.kind.content is Content.CANDLES:
        symbol, timeframe = key
        step = int(exchange.parse_timeframe(timeframe) * 1000)
        return await _pages(exchange.fetch_ohlcv, (symbol, timeframe), line.since_ms or now_ms, step, now_ms)
    if stream.kind.is_private:
        since = (line.since_ms or now_ms) - _OVERLAP_MS
        return await _pages(exchange.fetch_my_trades, (key,), since, 0, now_ms)
    if isinstance(line, TradeLine) and is_read_by_id(exchange, stream, key):
        return await _trades_by_id(exchange, key, line)
    since = (line.since_ms or now_ms) - _OVERLAP_MS
    return await _pages(exchange.fetch_trades, (key,), since, 0, now_ms)


def can_be_read(exchange: Any, stream: Stream) -> bool:
    """Whether the exchange has by REST what the stream tells."""
    if stream.kind.fetch is None:
        return False
    if stream.kind.content is Content.ORDERS:
        return bool(exchange.has.get("fetchOpenOrders"))
    first, *rest = stream.kind.fetch.split("_")
    name = first + "".join("OHLCV" if part == "ohlcv" else part.capitalize() for part in rest)
    return bool(exchange.has.get(name))


async def read_state(exchange: Any, stream: Stream, turn: int) -> Any:
    """Return the state that a stream tells of, read by REST; of several books one at each turn."""
    fetch = getattr(exchange, str(stream.kind.fetch))
    arguments = dict(stream.arguments)
    params = arguments.pop("params", None)
    if stream.kind.content is Content.BOOK:
        symbols = stream.symbols
        return await answer_of(fetch(symbols[turn % len(symbols)]))
    if stream.kind.is_private and params:  # those of a public stream are about the stream
        arguments["params"] = dict(params)
    return await answer_of(fetch(**arguments))


async def _pages(fetch: Any, arguments: tuple[Any, ...], since: int, step: int, now_ms: int) -> Read:
    """Read page after page from `since` on, until one has nothing new."""
    found: dict[str, Any] = {}
    for _ in range(_MOST_PAGES):
        page = await answer_of(fetch(*arguments, since, _PAGE))
        known = len(found)
        found.update((repr(_identity(item)), item) for item in page)
        newest = max((_time(item) for item in page), default=0)
        if len(found) == known or newest >= now_ms - step:
            return Read(list(found.values()), is_complete=True)
        since = max(newest, since + 1)
    return Read(list(found.values()), is_complete=False)


async def _trades_by_id(exchange: Any, symbol: str, line: TradeLine) -> Read:
    params = dict(_READS_BY_ID[parts_of(exchange).guard.exchange_id])
    found: list[Any] = []
    following = line.last_number
    for _ in range(_MOST_PAGES):
        wanted = params if following is None else params | {"fromId": following}
        page = await answer_of(exchange.fetch_trades(symbol, None, _PAGE, wanted))
        found += page
        numbers = [int(trade["id"]) for trade in page if str(trade["id"]).isdecimal()]
        if following is None or len(page) < _PAGE or not numbers:
            return Read(found, is_complete=True)
        following = max(numbers) + 1
    return Read(found, is_complete=False)


def is_read_by_id(exchange: Any, stream: Stream, symbol: str) -> bool:
    """Whether the trades of a stream are read by the very ids that its socket tells, which have no holes."""
    name = (stream.arguments.get("params") or {}).get("name", "trade")
    if stream.kind.is_private:
        return False
    known = parts_of(exchange).guard.exchange_id in _READS_BY_ID
    return known and name == "trade" and bool(exchange.market(symbol).get("spot"))


async def _orders(exchange: Any, symbol: str, line: Any, now_ms: int) -> Read:
    """Return the orders of a symbol that are open, that changed since, or that were open when last heard of."""
    found: dict[str, Any] = {}
    is_complete = True
    since = (line.since_ms or 0) - _DAY_MS  # exchanges choose by the time of creation
    for order in await answer_of(exchange.fetch_open_orders(symbol)):
        found[str(order["id"])] = order
    name = next((n for n in ("fetchOrders", "fetchClosedOrders") if exchange.has.get(n)), None)
    if name is not None:
        fetch = exchange.fetch_orders if name == "fetchOrders" else exchange.fetch_closed_orders
        read = await _pages(fetch, (symbol,), since, 0, now_ms)
        is_complete = read.is_complete
        found |= {str(order["id"]): order for order in read.items}
    if isinstance(line, OrderLine) and exchange.has.get("fetchOrder"):
        for identifier in [one for one in line.open_ids if one not in found][:_MOST_LOOK_UPS]:
            found[identifier] = await answer_of(exchange.fetch_order(identifier, symbol))
    return Read(list(found.values()), is_complete)


def _identity(item: Any) -> Any:
    if isinstance(item, Mapping):
        identifier = item.get("id")
        return identifier or (item.get("timestamp"), item.get("price"), item.get("amount"))
    return item[0]


def _time(item: Any) -> int:
    return int((item.get("timestamp") if isinstance(item, Mapping) else item[0]) or 0)
