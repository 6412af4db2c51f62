"""Which candles an exchange's own messages call closed.

ccxt leaves the flag out: in what it makes of a message, a candle that still grows looks like one that is final.

Sources:
    Binance, `k.x` ("Is this kline closed?"), `k.t` its open:
        https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#klinecandlestick-streams-for-utc
    Bybit, `data[].confirm` ("Whether the tick is ended or not"), `data[].start`:
        https://bybit-exchange.github.io/docs/v5/websocket/public/kline
    OKX, the ninth value of a row, `confirm` ("1: K line is completed"), the first its open:
        https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-candlesticks-channel
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["CANDLE_FLAGS", "CandleFlags"]

CandleFlags = Callable[[Mapping[str, Any]], Iterator[int]]
"""Yields the opens, in epoch milliseconds, of the candles that a message calls closed."""

_OKX_CONFIRM = 8


def _binance(message: Mapping[str, Any]) -> Iterator[int]:
    kline = message.get("k")
    if isinstance(kline, Mapping) and kline.get("x") is True:
        yield int(kline["t"])


def _bybit(message: Mapping[str, Any]) -> Iterator[int]:
    if str(message.get("topic")).startswith("kline."):
        for candle in message.get("data") or ():
            if candle.get("confirm") is True:
                yield int(candle["start"])


def _okx(message: Mapping[str, Any]) -> Iterator[int]:
    arg = message.get("arg")
    if isinstance(arg, Mapping) and str(arg.get("channel")).startswith("candle"):
        for row in message.get("data") or ():
            if len(row) > _OKX_CONFIRM and row[_OKX_CONFIRM] == "1":
                yield int(row[0])


CANDLE_FLAGS: Mapping[str, CandleFlags] = MappingProxyType(
    dict.fromkeys(("binance", "binancecoinm", "binanceus", "binanceusdm"), _binance)
    | {"bybit": _bybit, "okx": _okx}
)
"""By exchange id; any other exchange is not known to say it."""
