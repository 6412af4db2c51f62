"""What to retry, how often, how long after and for how long altogether."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from tradeguard.backoff import Backoff, Jitter, RetryStrategy
from tradeguard.bounds import refuse, require_callable, require_int, require_number, require_types
from tradeguard.callables import PlainCallError, is_cancellation
from tradeguard.exceptions import CircuitBreakerOpenError, ConfigurationException, ValidationException
from tradeguard.retry_budget import RetryBudget

__all__ = ["RetryConfig"]

_logger = logging.getLogger(__name__)

_NEVER_RETRIED: Final = (CircuitBreakerOpenError, PlainCallError)
_USELESS_TO_RETRY: Final = (ConfigurationException, ValidationException)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """What to retry and how; all times in seconds.

    Attributes:
        max_attempts: calls at most, the first one included; >= 1.
        base_delay: b of the strategy, >= 0.
        max_delay: no wait is longer, hints included; >= 0.
        strategy: how waits grow, see `RetryStrategy`.
        backoff_factor: f of the exponential strategy, >= 1.
        jitter: `none`, `full`, `equal` or `decorrelated`, see `Backoff`.
        retry_on_exceptions: an exception class, a tuple of them, or a predicate on the exception. None: every
            Exception but ConfigurationException and ValidationException. An open circuit is never retried.
        retry_on_result: a predicate on the result; True means that the result is no good.
        on_retry: called with the number of the attempt that just failed and the wait that follows.
        on_give_up: called with the number of the last attempt and the error, when what could have been
            retried is not, for want of attempts, time or budget.
        deadline: for everything from the first attempt on: none starts after it and no wait crosses it; > 0.
        attempt_timeout: bounds each attempt, > 0: a coroutine is cancelled, a plain function is left behind
            on a worker.
        budget: shared with others, bounds the retries of all together.

    Raises:
        ConfigurationException: if a value is out of its bounds.
    """

    max_attempts: int = 3
    base_delay: float = 1.0
    max_delay: float = 60.0
    strategy: RetryStrategy = RetryStrategy.EXPONENTIAL
    backoff_factor: float = 2.0
    jitter: Jitter = "none"
    retry_on_exceptions: (
        type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool] | None
    ) = None
    retry_on_result: Callable[[Any], bool] | None = None
    on_retry: Callable[[int, float], object] | None = None
    on_give_up: Callable[[int, Exception], object] | None = None
    deadline: float | None = None
    attempt_timeout: float | None = None
    budget: RetryBudget | None = None

    def __post_init__(self) -> None:
        require_int("max_attempts", self.max_attempts, minimum=1)
        self.backoff()
        kinds = self.retry_on_exceptions
        if kinds is not None and (isinstance(kinds, type) or not callable(kinds)):
            object.__setattr__(self, "retry_on_exceptions", require_types("retry_on_exceptions", kinds))
        for hook in ("retry_on_result", "on_retry", "on_give_up"):
            require_callable(hook, getattr(self, hook))
        require_number("deadline", self.deadline, minimum=0, exclusive=True, optional=True)
        require_number("attempt_timeout", self.attempt_timeout, minimum=0, exclusive=True, optional=True)
        if self.budget is not None and not isinstance(self.budget, RetryBudget):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not be typed
            refuse("budget", self.budget, "a RetryBudget or None")

    def backoff(self) -> Backoff:
        """Return the delays that this config asks for."""
        return Backoff(
            strategy=self.strategy,
            base_delay=self.base_delay,
            max_delay=self.max_delay,
            backoff_factor=self.backoff_factor,
            jitter=self.jitter,
        )

    def retries(self, error: Exception) -> bool:
        """Tell whether a call that failed with `error` may be tried again at all."""
        if isinstance(error, _NEVER_RETRIED) or is_cancellation(error):
            return False
        wanted = self.retry_on_exceptions
        if wanted is None:
            return not isinstance(error, _USELESS_TO_RETRY)
        if isinstance(wanted, tuple):
            return isinstance(error, wanted)
        try:
            return bool(cast("Callable[[Exception], bool]", wanted)(error))
        except Exception:
            # The caller needs to see the error itself more than the predicate's.
            _logger.exception("retry_on_exceptions failed; the error that it was asked about is not retried")
            return False
