"""Names of Binance's market streams, such as `ethbtc@kline_1m`.

Source: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tradeguard.simulator.binance.serialise import symbol_id
from tradeguard.simulator.stream_faults import StreamGroup
from tradeguard.simulator.timeframes import TIMEFRAMES_MS

__all__ = ["Channel", "StreamName", "parse_stream"]


class Channel(StrEnum):
    """What a stream tells of."""

    TRADE = "trade"
    AGG_TRADE = "aggTrade"
    KLINE = "kline"
    TICKER = "ticker"
    MINI_TICKER = "miniTicker"
    BOOK = "bookTicker"
    DEPTH = "depth"


_GROUPS: Mapping[Channel, StreamGroup] = MappingProxyType(
    {
        Channel.TRADE: StreamGroup.TRADE,
        Channel.AGG_TRADE: StreamGroup.TRADE,
        Channel.KLINE: StreamGroup.KLINE,
        Channel.TICKER: StreamGroup.TICKER,
        Channel.MINI_TICKER: StreamGroup.TICKER,
        Channel.BOOK: StreamGroup.BOOK,
        Channel.DEPTH: StreamGroup.DEPTH,
    }
)
_ONE = re.compile(
    r"([a-z0-9]+)@(trade|aggTrade|ticker|miniTicker|bookTicker|depth|kline_(\w+))(@100ms|@1000ms)?"
)
_ALL = re.compile(r"!(ticker|miniTicker)@arr")


@dataclass(frozen=True, slots=True)
class StreamName:
    """One market stream.

    Attributes:
        text: the name as it was sent.
        channel: what it tells of.
        symbols: unified symbols; none where the symbol is not traded here, which the exchange does not mind.
        is_list: whether it comes as a list of all symbols.
        interval: of klines.
        speed_ms: how often it comes at most; 0 for at once.
    """

    text: str
    channel: Channel
    symbols: tuple[str, ...]
    is_list: bool = False
    interval: str = ""
    speed_ms: int = 0

    @property
    def group(self) -> StreamGroup:
        """Which faults it is for."""
        return _GROUPS[self.channel]


def parse_stream(text: str, symbols: Iterable[str]) -> StreamName | None:
    """Return the stream of this name, or None where there is none.

    Args:
        text: as it was sent.
        symbols: unified symbols that are traded.
    """
    everything = _ALL.fullmatch(text)
    if everything is not None:
        return StreamName(text, Channel(everything[1]), tuple(symbols), True, speed_ms=1000)
    parts = _ONE.fullmatch(text)
    if parts is None:
        return None
    name, what, interval, speed = parts.groups()
    channel = Channel.KLINE if interval is not None else Channel(what)
    if interval is not None and interval not in TIMEFRAMES_MS:
        return None
    if speed is not None and channel is not Channel.DEPTH:
        return None
    found = tuple(symbol for symbol in symbols if symbol_id(symbol).lower() == name)
    return StreamName(
        text, channel, found, interval=interval or "", speed_ms=_speed(channel, interval, speed)
    )


def _speed(channel: Channel, interval: str | None, speed: str | None) -> int:
    match channel:
        case Channel.TRADE | Channel.AGG_TRADE:
            return 0
        case Channel.KLINE:
            return 1000 if interval == "1s" else 2000
        case Channel.DEPTH:
            return 100 if speed == "@100ms" else 1000
        case Channel.BOOK:
            return 100
        case _:
            return 1000
