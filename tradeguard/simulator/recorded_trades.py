"""Recorded trades: reading them, and the candles that they make."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from tradeguard.simulator.recording import RecordedCandle, number_in, read_table, refuse_value

__all__ = ["TRADE_COLUMNS", "candles_of_trades"]

TRADE_COLUMNS = ("timestamp", "price", "amount")
"""Epoch milliseconds; quote currency per base; base currency."""

_Trade = tuple[int, Decimal, Decimal]


def candles_of_trades(path: str | Path, interval_ms: int) -> list[RecordedCandle]:
    """Read a CSV file of trades and return their candles, without a gap.

    An interval without trades has the price before it and no volume, as exchanges show it.

    Args:
        path: a file with the columns `TRADE_COLUMNS`, ascending in time; further columns are ignored.
        interval_ms: length of a candle.

    Raises:
        ConfigurationException: the file cannot be read or a value in it cannot be true; the message names
            file, line, column and value.
    """
    candles: list[RecordedCandle] = []
    for open_ms, trades in groupby(_trades(path), key=lambda trade: trade[0] - trade[0] % interval_ms):
        while candles and candles[-1][0] + interval_ms < open_ms:
            close = candles[-1][4]
            candles.append((candles[-1][0] + interval_ms, close, close, close, close, Decimal(0)))
        inside = list(trades)
        prices = [price for _, price, _ in inside]
        volume = sum((amount for _, _, amount in inside), Decimal(0))
        candles.append((open_ms, prices[0], max(prices), min(prices), prices[-1], volume))
    if not candles:
        refuse_value(str(path), "has no trades")
    return candles


def _trades(path: str | Path) -> Iterator[_Trade]:
    before = 0
    for place, (stamp_text, price_text, amount_text) in read_table(path, TRADE_COLUMNS):
        stamp = number_in(stamp_text, f"{place}, column 'timestamp'")
        if stamp != int(stamp) or stamp < before:
            refuse_value(f"{place}, column 'timestamp'", f"{stamp_text!r} does not follow {before}")
        before = int(stamp)
        price = number_in(price_text, f"{place}, column 'price'")
        amount = number_in(amount_text, f"{place}, column 'amount'")
        if price <= 0:
            refuse_value(f"{place}, column 'price'", f"{price} is not above 0")
        if amount < 0:
            refuse_value(f"{place}, column 'amount'", f"{amount} is below 0")
        yield before, price, amount
