"""Candles and prints: what a market shows of its trading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["ZERO", "Candle", "Print", "candle_of_prints", "merge"]

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Candle:
    """The trading of one interval.

    Attributes:
        open_ms: epoch milliseconds at which the interval opens.
        open: first price, quote currency per base, as are the next three.
        high: highest price.
        low: lowest price.
        close: last price.
        volume: base currency traded.
        quote_volume: quote currency traded.
        trades: number of prints.
    """

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    quote_volume: Decimal = ZERO
    trades: int = 0


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade.

    Attributes:
        number: position in the symbol's sequence of prints, ascending.
        time_ms: epoch milliseconds.
        price: quote currency per base.
        quantity: base currency; zero where the price moved without a trade.
        buyer_is_maker: whether the seller took.
    """

    number: int
    time_ms: int
    price: Decimal
    quantity: Decimal
    buyer_is_maker: bool


def merge(candles: Iterable[Candle], open_ms: int) -> Candle:
    """Return the candle that opens at `open_ms` and spans `candles`, which are ascending and not empty."""
    iterator = iter(candles)
    first = next(iterator)
    high, low, close = first.high, first.low, first.close
    volume, quote_volume, trades = first.volume, first.quote_volume, first.trades
    for candle in iterator:
        high = max(high, candle.high)
        low = min(low, candle.low)
        close = candle.close
        volume += candle.volume
        quote_volume += candle.quote_volume
        trades += candle.trades
    return Candle(open_ms, first.open, high, low, close, volume, quote_volume, trades)


def candle_of_prints(prints: Iterable[Print], open_ms: int) -> Candle:
    """Return the candle that `prints`, ascending and not empty, add up to."""
    seen = list(prints)
    prices = [one.price for one in seen]
    return Candle(
        open_ms=open_ms,
        open=prices[0],
        high=max(prices),
        low=min(prices),
        close=prices[-1],
        volume=sum((one.quantity for one in seen), ZERO),
        quote_volume=sum((one.price * one.quantity for one in seen), ZERO),
        trades=sum(1 for one in seen if one.quantity),
    )
