"""Markets: where a symbol's candles come from. A market is a description; `open` makes it run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tradeguard.simulator.candles import Candle
from tradeguard.simulator.symbols import SymbolRules

__all__ = ["CandleSource", "Listing", "Market"]


class CandleSource(Protocol):
    """The candles of one symbol, numbered from 0 and without gaps; the same number gives the same candle."""

    @property
    def length(self) -> int | None:
        """How many candles there are; None where there is no end."""
        ...

    def candle(self, index: int) -> Candle:
        """Return candle `index`, its `open_ms` not yet set."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One symbol as a market offers it.

    Attributes:
        rules: the symbol's trading rules.
        source: its candles.
        candle_ms: how long each of the source's candles lasts.
        history: how many of them lie before the exchange's start.
        seed: what the prints within the candles are drawn from.
    """

    rules: SymbolRules
    source: CandleSource
    candle_ms: int
    history: int
    seed: str


class Market(Protocol):
    """One or more symbols to trade."""

    @property
    def symbols(self) -> Sequence[str]:
        """Unified symbols."""
        ...

    def listings(self, seed: int) -> Sequence[Listing]:
        """Return one listing a symbol; the same seed gives the same market."""
        ...
