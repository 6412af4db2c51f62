"""Replay: a market that repeats recorded candles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.candles import Candle
from tradeguard.simulator.market import Listing
from tradeguard.simulator.recorded_trades import candles_of_trades
from tradeguard.simulator.recording import RecordedCandle, read_csv, read_rows
from tradeguard.simulator.symbols import PRECISION, rules_for, split_symbol
from tradeguard.simulator.timeframes import timeframe_ms

__all__ = ["ReplayMarket"]


class ReplayMarket:
    """Recorded candles of one symbol, each replayed as one candle of a timeframe of your choice.

    Open, high, low, close and volume are exactly those of the recording; only the stamps are new, since the
    replay happens now. When the recording ends, the market closes: orders are refused, no candle is invented.

    Args:
        recording: path of a CSV file with the columns `timestamp,open,high,low,close,volume` (milliseconds at
            open), or rows of those six values.
        symbol: unified symbol to list it under.
        timeframe: how long each recorded candle lasts in the replay, such as `1s` to see 5 minutes a second.
        start: recorded stamp in milliseconds of the first candle that happens live; earlier ones are history,
            as far as `history` reaches. None: the first `history` candles are history.
        history: how many candles lie before the start, to be fetched as the past.

    Raises:
        ConfigurationException: the recording cannot be read or holds a value that cannot be true, or an
            argument is out of bounds.
    """

    def __init__(
        self,
        recording: str | Path | Iterable[Sequence[Any]],
        symbol: str = "ETH/BTC",
        timeframe: str = "1s",
        start: int | None = None,
        history: int | None = None,
    ) -> None:
        split_symbol(symbol)
        self._symbol = symbol
        self._candle_ms = timeframe_ms(timeframe)
        rows = read_csv(recording) if isinstance(recording, str | Path) else read_rows(recording)
        first_live = _first_live(rows, start, history)
        self._history = first_live if history is None else history
        self._rows = rows[first_live - self._history :]

    @classmethod
    def from_trades(
        cls,
        recording: str | Path,
        symbol: str = "ETH/BTC",
        interval: str = "1m",
        timeframe: str = "1s",
        start: int | None = None,
        history: int | None = None,
    ) -> ReplayMarket:
        """Return a market that replays the candles which recorded trades make.

        Args:
            recording: path of a CSV file with the columns `timestamp,price,amount`, ascending in time.
            symbol: unified symbol to list it under.
            interval: how much recorded time goes into one candle.
            timeframe: how long that candle lasts in the replay.
            start: as for the class.
            history: as for the class.

        Raises:
            ConfigurationException: as for the class.
        """
        return cls(candles_of_trades(recording, timeframe_ms(interval)), symbol, timeframe, start, history)

    @property
    def symbols(self) -> tuple[str]:
        """The one symbol."""
        return (self._symbol,)

    @property
    def rows(self) -> Sequence[RecordedCandle]:
        """The candles as they will be replayed, history first, under their recorded stamps."""
        return tuple(self._rows)

    def listings(self, seed: int) -> tuple[Listing]:
        """Return the symbol's listing; the seed decides what happens within each candle."""
        price = self._rows[0][4]
        tick_size = min(_tick_of(self._rows), rules_for(self._symbol, price).tick_size)
        rules = rules_for(self._symbol, price, tick_size)
        return (
            Listing(
                rules=rules,
                source=_Recording(self._rows),
                candle_ms=self._candle_ms,
                history=self._history,
                seed=f"{seed}/{self._symbol}",
            ),
        )

    def __repr__(self) -> str:
        return f"ReplayMarket({self._symbol!r}, candles={len(self._rows)}, history={self._history})"


class _Recording:
    def __init__(self, rows: Sequence[RecordedCandle]) -> None:
        self._rows = rows

    @property
    def length(self) -> int:
        return len(self._rows)

    def candle(self, index: int) -> Candle:
        _, opened, high, low, close, volume = self._rows[index]
        # The recording does not tell the quote volume; the mean price is its usual estimate.
        mean = (opened + high + low + close) / 4
        return Candle(0, opened, high, low, close, volume, round(volume * mean, PRECISION), 0)


def _first_live(rows: Sequence[RecordedCandle], start: int | None, history: int | None) -> int:
    if history is not None and (isinstance(history, bool) or not isinstance(history, int) or history < 0):
        raise ConfigurationException(
            f"history: {history!r} is not a number of candles", component="simulator"
        )
    if start is None:
        first = history or 0
    else:
        later = (index for index, row in enumerate(rows) if row[0] >= start)
        first = next(later, len(rows))
    if first >= len(rows):
        what = f"history: {history}" if start is None else f"start: {start}"
        message = f"{what} leaves none of the {len(rows)} candles to be replayed"
        raise ConfigurationException(message, component="simulator")
    if history is not None and history > first:
        message = f"history: {history} candles wanted, the recording has {first} before start {start}"
        raise ConfigurationException(message, component="simulator")
    return first


def _tick_of(rows: Sequence[RecordedCandle]) -> Decimal:
    decimals = 0
    for row in rows:
        for price in row[1:5]:
            exponent = price.normalize().as_tuple().exponent
            decimals = max(decimals, -exponent if isinstance(exponent, int) else 0)
            if decimals >= PRECISION:
                return Decimal(1).scaleb(-PRECISION)
    return Decimal(1).scaleb(-decimals)
