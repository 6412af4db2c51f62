"""How long to wait before the next attempt: pure functions of the attempt's number.

The jitters are those of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, cast, get_args

from tradeguard.bounds import refuse, require_number

__all__ = ["Backoff", "Jitter", "RetryStrategy", "retry_hint"]

Jitter = Literal["none", "full", "equal", "decorrelated"]


class RetryStrategy(StrEnum):
    """How the delay after attempt n grows from the base delay b (and the factor f)."""

    FIXED = "fixed"
    """b"""
    LINEAR = "linear"
    """b * n"""
    EXPONENTIAL = "exponential"
    """b * f**(n - 1)"""
    FIBONACCI = "fibonacci"
    """b * (1, 1, 2, 3, 5, ...)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Delays between attempts.

    Attributes:
        strategy: how the delay grows.
        base_delay: seconds, >= 0.
        max_delay: no delay is longer; seconds, >= 0.
        backoff_factor: growth of the exponential strategy, >= 1.
        jitter: `none`; `full`: from 0 to the delay; `equal`: from half of it; `decorrelated`: from the base
            delay to three times the last one, whatever the strategy.

    Raises:
        ConfigurationException: if a value is out of its bounds.
    """

    strategy: RetryStrategy = RetryStrategy.EXPONENTIAL
    base_delay: float = 1.0
    max_delay: float = 60.0
    backoff_factor: float = 2.0
    jitter: Jitter = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.strategy, RetryStrategy):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not be typed
            refuse("strategy", self.strategy, "a RetryStrategy")
        require_number("base_delay", self.base_delay, minimum=0)
        require_number("max_delay", self.max_delay, minimum=0)
        require_number("backoff_factor", self.backoff_factor, minimum=1)
        if self.jitter not in get_args(Jitter):
            refuse("jitter", self.jitter, f"one of {', '.join(get_args(Jitter))}")

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after the failed attempt number `attempt` (from 1), without jitter."""
        base, cap = float(self.base_delay), float(self.max_delay)
        if base == 0.0:
            return 0.0
        match self.strategy:
            case RetryStrategy.FIXED:
                delay = base
            case RetryStrategy.LINEAR:
                delay = base * attempt
            case RetryStrategy.EXPONENTIAL:
                delay = _exponential(base, float(self.backoff_factor), attempt)
            case _:  # FIBONACCI
                delay = _fibonacci(base, attempt, cap)
        return min(delay, cap)

    def jittered(
        self, attempt: int, previous: float | None, uniform: Callable[[float, float], float]
    ) -> float:
        """Return the seconds to wait after the failed attempt number `attempt` (from 1).

        Args:
            attempt: the attempt that just failed.
            previous: the last delay of this call in seconds, or None after its first attempt.
            uniform: draws a float between two bounds, as `random.uniform` does.
        """
        match self.jitter:
            case "none":
                return self.delay(attempt)
            case "full":
                return uniform(0.0, self.delay(attempt))
            case "equal":
                half = self.delay(attempt) / 2
                return half + uniform(0.0, half)
            case _:  # decorrelated
                base = min(float(self.base_delay), float(self.max_delay))
                last = base if previous is None else max(previous, base)
                return uniform(base, min(last * 3, float(self.max_delay)))


def retry_hint(source: object) -> float | None:
    """Return the seconds after which `source`, an error or a result, asks to be tried again, or None.

    The hint is its attribute `retry_after`, else the entry of that name in its `context` or, where it is a
    dictionary, in itself. Only finite numbers >= 0 count.
    """
    hint = getattr(source, "retry_after", None)
    if hint is None:
        fields = cast("object", source) if isinstance(source, Mapping) else getattr(source, "context", None)
        if isinstance(fields, Mapping):
            hint = cast("Mapping[str, object]", fields).get("retry_after")
    if isinstance(hint, bool) or not isinstance(hint, (int, float)):
        return None
    # A huge int passes here as it is: only the comparison with a bound ever sees it.
    return hint if 0 <= hint < float("inf") else None


def _exponential(base: float, factor: float, attempt: int) -> float:
    try:
        return base * factor ** (attempt - 1)
    except OverflowError:
        return float("inf")


def _fibonacci(base: float, attempt: int, cap: float) -> float:
    last, current = 0.0, 1.0  # beyond their range floats are infinite, where an int could not be multiplied
    for _ in range(attempt - 1):
        if base * current >= cap:
            break
        last, current = current, last + current
    return base * current
