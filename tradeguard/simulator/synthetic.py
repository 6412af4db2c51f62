"""Synthetic markets: prices drawn from a seed."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.candles import Candle
from tradeguard.simulator.market import Listing
from tradeguard.simulator.symbols import PRECISION, SymbolRules, rules_for, split_symbol
from tradeguard.simulator.timeframes import timeframe_ms

__all__ = ["SyntheticMarket"]

_START_PRICES: Mapping[str, float] = MappingProxyType(
    {"ETH/BTC": 0.05, "BTC/USDT": 40_000.0, "ETH/USDT": 2_000.0, "BNB/USDT": 300.0, "XRP/ETH": 0.0014}
)
# The pull back to the start price keeps a run of weeks from wandering to where no order is affordable.
_PULL = 0.001


class SyntheticMarket:
    """A random walk around a start price, one a symbol, with wicks and uneven volume.

    The log price of each candle moves by a normal step and is pulled back gently (an Ornstein-Uhlenbeck walk).

    Args:
        symbols: one unified symbol or several.
        seed: fixes the market; None takes the exchange's seed.
        timeframe: how long each candle lasts, such as `1s`.
        volatility: standard deviation of the log return of one candle, 0 to 0.2.
        start_price: of every symbol, or by symbol, in quote currency; those left out have a usual price.
        volume: mean base currency traded in one candle, above 0.
        history: candles before the start, 0 or more.

    Raises:
        ConfigurationException: an argument is out of bounds; the message names it.
    """

    def __init__(
        self,
        symbols: str | Iterable[str] = "ETH/BTC",
        seed: int | None = None,
        *,
        timeframe: str = "1s",
        volatility: float = 0.0005,
        start_price: float | Mapping[str, float] | None = None,
        volume: float = 50.0,
        history: int = 1000,
    ) -> None:
        self._symbols = (symbols,) if isinstance(symbols, str) else tuple(symbols)
        if not self._symbols:
            raise ConfigurationException("symbols: none given", component="simulator")
        for symbol in self._symbols:
            split_symbol(symbol)
        self._seed = seed
        self._candle_ms = timeframe_ms(timeframe)
        self._volatility = _within("volatility", volatility, 0.0, 0.2)
        self._volume = _within("volume", volume, 1e-6, 1e9)
        if isinstance(history, bool) or not isinstance(history, int) or history < 0:
            raise ConfigurationException(
                f"history: {history!r} is not a number of candles", component="simulator"
            )
        self._history = history
        self._prices = {symbol: self._price(symbol, start_price) for symbol in self._symbols}

    @property
    def symbols(self) -> Sequence[str]:
        """Unified symbols."""
        return self._symbols

    def listings(self, seed: int) -> list[Listing]:
        """Return the listings; a seed of its own goes before `seed`."""
        return [self._listing(symbol, seed if self._seed is None else self._seed) for symbol in self._symbols]

    def _listing(self, symbol: str, seed: int) -> Listing:
        price = self._prices[symbol]
        rules = rules_for(symbol, Decimal(repr(price)))
        name = f"{seed}/{symbol}"
        return Listing(
            rules=rules,
            source=_Walk(name, rules, price, self._volatility, self._volume),
            candle_ms=self._candle_ms,
            history=self._history,
            seed=name,
        )

    def _price(self, symbol: str, start_price: float | Mapping[str, float] | None) -> float:
        if isinstance(start_price, Mapping):
            unknown = sorted(set(start_price) - set(self._symbols))
            if unknown:
                message = f"start_price: {unknown[0]!r} is none of the market's symbols"
                raise ConfigurationException(message, component="simulator")
            start_price = start_price.get(symbol)
        if start_price is None:
            start_price = _START_PRICES.get(symbol.partition(":")[0], 1.0)
        return _within("start_price", start_price, 1e-6, 1e6)

    def __repr__(self) -> str:
        return f"SyntheticMarket({list(self._symbols)!r}, seed={self._seed!r})"


class _Walk:
    """Candles drawn in order and kept as whole ticks and lots, so that each can be asked for again."""

    def __init__(self, seed: str, rules: SymbolRules, price: float, volatility: float, volume: float) -> None:
        self._random = random.Random(seed)
        self._tick = rules.tick_size
        self._lot = rules.step_size
        self._center = math.log(price / float(rules.tick_size))
        self._position = self._center
        self._volatility = volatility
        self._mean_lots = volume / float(rules.step_size)
        first = max(1, round(math.exp(self._position)))
        # Close, high, low and lots of each candle; it opens at the close before it.
        self._numbers = array("q", (first, first, first, 0))

    @property
    def length(self) -> None:
        return None

    def candle(self, index: int) -> Candle:
        numbers, place = self._numbers, 4 * index + 4
        while len(numbers) <= place:
            numbers.extend(self._next(numbers[-4]))
        opened, (close, high, low, lots) = numbers[place - 4], numbers[place : place + 4]
        volume, mean = lots * self._lot, (opened + high + low + close) * self._tick / 4
        return Candle(
            0,
            opened * self._tick,
            high * self._tick,
            low * self._tick,
            close * self._tick,
            volume,
            round(volume * mean, PRECISION),
        )

    def _next(self, opened: int) -> tuple[int, int, int, int]:
        draw = self._random
        step = draw.gauss(0.0, self._volatility) - _PULL * (self._position - self._center)
        self._position += step
        close = max(1, round(math.exp(self._position)))
        reach = self._volatility / 2
        high = round(max(opened, close) * (1 + abs(draw.gauss(0.0, reach))))
        low = max(1, round(min(opened, close) * (1 - min(abs(draw.gauss(0.0, reach)), 0.9))))
        lots = max(1, round(self._mean_lots * draw.lognormvariate(-0.125, 0.5)))
        return close, high, low, lots


def _within(name: str, value: float, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        message = f"{name}: {value!r} is not between {low:g} and {high:g}"
        raise ConfigurationException(message, component="simulator")
    return float(value)
