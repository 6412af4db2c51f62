"""The path of the price within a candle: prints that add up to exactly that candle."""

from __future__ import annotations

import hashlib
import random
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from itertools import pairwise

from tradeguard.simulator.candles import ZERO, Candle, Print
from tradeguard.simulator.symbols import SymbolRules

__all__ = ["prints_of", "prints_per_candle", "unit"]


def prints_per_candle(candle_ms: int) -> int:
    """Return how many prints a candle of this length is made of: 8, and one a minute in longer ones."""
    return max(8, min(candle_ms // 60_000, 240))


def prints_of(
    candle: Candle, open_ms: int, candle_ms: int, first_number: int, seed: str, rules: SymbolRules
) -> tuple[Print, ...]:
    """Return the prints of `candle`, ascending in time.

    The path goes from the open to one extreme, to the other, to the close; which extreme comes first, how
    far the steps between them go and how the volume is spread is drawn from `seed` and `first_number`.
    Prices are whole ticks and quantities whole steps, but for what the candle's own volume has beyond them;
    the quantities add up to it exactly.
    """
    draw = random.Random(f"{seed}#{first_number}")
    count = prints_per_candle(candle_ms)
    prices = _prices(candle, count, draw, rules.tick_size)
    quantities = _split(candle.volume, count, draw, rules.step_size)
    before = prices[0]
    prints = []
    for k in range(count):
        price = prices[k]
        falling = price < before if price != before else draw.random() < 0.5
        time_ms = open_ms + k * candle_ms // count
        prints.append(Print(first_number + k, time_ms, price, quantities[k], falling))
        before = price
    return tuple(prints)


def unit(text: str) -> float:
    """Return a number in [0, 1) that depends on `text` alone, whatever the process or the order of calls."""
    digest = hashlib.blake2b(text.encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2.0**56


def _prices(candle: Candle, count: int, draw: random.Random, tick: Decimal) -> list[Decimal]:
    low, high = _snapped(candle.low, tick), _snapped(candle.high, tick)
    extremes = (low, high) if draw.random() < 0.5 else (high, low)
    knots = (_snapped(candle.open, tick), *extremes, _snapped(candle.close, tick))
    # Indices of the knots: first and last are the ends, the extremes lie at a drawn place between them.
    early = draw.randint(1, count - 3)
    late = draw.randint(early + 1, count - 2)
    places = (0, early, late, count - 1)
    prices = [knots[0]] * count
    for (start, end), (here, there) in zip(pairwise(places), pairwise(knots), strict=True):
        for k in range(start, end):
            share = Decimal(k - start) / (end - start)
            wobble = Decimal(draw.uniform(-0.15, 0.15)) if k > start else ZERO
            price = here + (there - here) * min(max(share + wobble, ZERO), Decimal(1))
            prices[k] = min(max(_snapped(price, tick), low), high)
    prices[-1] = knots[3]
    return prices


def _split(volume: Decimal, count: int, draw: random.Random, step: Decimal) -> list[Decimal]:
    if volume <= 0:
        return [ZERO] * count
    weights = [draw.uniform(0.25, 1.75) for _ in range(count)]
    total = sum(weights)
    parts = [_steps(volume * Decimal(weight / total), step, ROUND_DOWN) for weight in weights[1:]]
    return [volume - sum(parts, ZERO), *parts]


def _snapped(price: Decimal, tick: Decimal) -> Decimal:
    return _steps(price, tick, ROUND_HALF_EVEN)


def _steps(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding) * step
