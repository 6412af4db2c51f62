"""One call's way through its attempts: every decision, and no waiting, so that sync and async share it."""

from __future__ import annotations

import logging
import random
from types import TracebackType
from typing import Any, Protocol, Self

from tradeguard.backoff import Backoff, retry_hint
from tradeguard.clock import Clock
from tradeguard.deadlines import current_deadline, deadline_error
from tradeguard.exceptions import RecoveryException
from tradeguard.redaction import redact
from tradeguard.retry_config import RetryConfig

__all__ = ["RetryRun", "Retrying"]

_logger = logging.getLogger(__name__)


class Retrying(Protocol):
    """What a run needs of its retry manager."""

    config: RetryConfig
    backoff: Backoff
    clock: Clock
    rng: random.Random

    def record(self, outcome: str, attempts: int, delay: float) -> None:
        """Count a finished call."""
        ...


class RetryRun:
    """Decides after each attempt of one call; leaving it as a context manager records how the call ended.

    Args:
        manager: whose config, clock and statistics count.
        what: names the call in errors and logs.
        began: when the first attempt began, if it has, in seconds of the manager's clock.

    Attributes:
        attempt: the number of the current attempt, from 1.
        attempts: how many have begun.
    """

    def __init__(self, manager: Retrying, what: str, began: float | None = None) -> None:
        self.manager = manager
        self.what = what
        self.attempt = 1
        self.attempts = 0
        self._outcome = "cancelled"
        self._ambient = current_deadline()
        self._started = manager.clock.monotonic() if began is None else began
        self._previous_delay: float | None = None
        self._total_delay = 0.0
        self._reserved = False
        self._failure: Exception | None = None
        budget = manager.config.budget
        if budget is not None:
            budget.record_call(self._started)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        budget = self.manager.config.budget
        if self._reserved and budget is not None:
            budget.refund()
        self.manager.record(self._outcome, self.attempts, self._total_delay)

    def begin(self) -> None:
        """Count an attempt that is about to start.

        Raises:
            Exception: that of the attempt before, if a deadline has passed meanwhile: a clock may oversleep.
            CallTimeoutError: if an enclosing deadline has passed before the first attempt.
        """
        failure, self._failure = self._failure, None
        if failure is not None and not self.fits(0.0):
            self._outcome = "failed"
            raise failure
        if self._ambient is not None and self._ambient.remaining() <= 0:
            self._outcome = "failed"
            raise deadline_error(self.what, self._ambient)
        self.attempts += 1

    def after_error(self, error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt, or None to let `error` go to the caller."""
        if not self.manager.config.retries(error):
            self._outcome = "failed"
            return None
        return self._next(error, retry_hint(error))

    def after_result(self, result: Any) -> float | None:
        """Return the seconds to wait before the next attempt, or None to let `result` go to the caller.

        Raises:
            RecoveryException: if the result is no good and there is no next attempt.
        """
        unwanted = self.manager.config.retry_on_result
        self._outcome = "failed"  # if the predicate raises, that is how the call ends
        if unwanted is None or not unwanted(result):
            self._outcome = "successful"
            return None
        error = RecoveryException(
            f"{self.what} returned no acceptable result in {self.attempt} attempt(s)",
            last_result=result,
            attempts=self.attempt,
        )
        delay = self._next(error, retry_hint(result))
        if delay is None:
            raise error
        return delay

    def slept(self, delay: float) -> None:
        """Note that the wait for the next attempt is over."""
        self._reserved = False
        self._total_delay += delay

    def adjusted(self, delay: float, error: Exception) -> float | None:
        """Return the delay before the next attempt as something outside wants it; None to try no more."""
        return delay

    def announce(self, delay: float, error: Exception) -> None:
        """Tell of a failed attempt after which another follows."""

    def fits(self, delay: float) -> bool:
        """Tell whether an attempt after `delay` seconds is within every deadline."""
        bound = self.manager.config.deadline
        if bound is not None and self.manager.clock.monotonic() - self._started + delay > bound:
            return False
        # With no time left an attempt inside an enclosing deadline would only be cut off.
        return self._ambient is None or delay < self._ambient.remaining()

    def _next(self, error: Exception, hint: float | None) -> float | None:
        delay = self._delay(error, hint)
        if delay is None:
            self._outcome = "failed"
            _logger.debug("%s: attempt %d failed, giving up: %s", self.what, self.attempt, _Text(error))
            self._tell("on_give_up", error)
            return None
        _logger.debug(
            "%s: attempt %d failed, next in %.3f s: %s", self.what, self.attempt, delay, _Text(error)
        )
        self._outcome = "cancelled"  # what a call is that ends while it waits
        self.announce(delay, error)
        self._tell("on_retry", delay)
        self.attempt += 1
        self._failure = error
        return delay

    def _delay(self, error: Exception, hint: float | None) -> float | None:
        manager = self.manager
        config = manager.config
        if self.attempt >= config.max_attempts or (hint is not None and not self.fits(hint)):
            return None
        if hint is None:
            delay = manager.backoff.jittered(self.attempt, self._previous_delay, manager.rng.uniform)
            self._previous_delay = delay
        else:
            delay = float(min(hint, config.max_delay))
        adjusted = self.adjusted(delay, error)
        if adjusted is None or not self.fits(adjusted):
            return None
        if config.budget is not None:
            if not config.budget.try_spend(manager.clock.monotonic()):
                return None
            self._reserved = True
        return adjusted

    def _tell(self, hook: str, told: Any) -> None:
        function = getattr(self.manager.config, hook)
        if function is None:
            return
        try:
            function(self.attempt, told)
        except Exception:
            _logger.exception("%s of %s failed", hook, self.what)


class _Text:
    """An error's text without its secrets, made only if a log wants it."""

    __slots__ = ("_error",)

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self) -> str:
        return f"{type(self._error).__name__}: {redact(str(self._error))}"
