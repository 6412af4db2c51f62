"""The market that a simulated exchange trades: recorded candles, or a synthetic one."""

from __future__ import annotations

from pathlib import Path

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import ReplayMarket, SyntheticMarket
from tradeguard.simulator.market import Market
from tradeguard.simulator.recording import read_csv

__all__ = ["market_for"]


def market_for(
    data: Path | None, symbol: str, *, timeframe: str, history: int, least_history: int, live: int
) -> Market:
    """Return the market of a run.

    Args:
        data: CSV file of recorded candles; None for a synthetic market.
        symbol: unified symbol to list it under.
        timeframe: how long a candle lasts, such as `1s`.
        history: candles that lie in the past when the exchange starts; of a short recording fewer, half at most.
        least_history: how many there must be.
        live: candles that are needed from the start on.

    Raises:
        ConfigurationException: the file cannot be read, or has too few candles.
    """
    if data is None:
        return SyntheticMarket(symbol, timeframe=timeframe, history=history)
    rows = read_csv(data)
    if len(rows) < least_history + live:
        raise ConfigurationException(
            f"{data}: has {len(rows)} candles, and {least_history + live} are needed for this run",
            component="cli",
        )
    past = min(history, len(rows) - live, max(least_history, len(rows) // 2))
    return ReplayMarket(rows, symbol, timeframe, history=past)
