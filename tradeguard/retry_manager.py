"""Trying again until it works or makes no more sense."""

from __future__ import annotations

import random
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from tradeguard.backoff import RetryStrategy
from tradeguard.bounds import refuse
from tradeguard.callables import awaited, operation_name, refuse_coroutine
from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.deadlines import bounded
from tradeguard.retry_budget import RetryBudget
from tradeguard.retry_config import RetryConfig
from tradeguard.retry_run import RetryRun
from tradeguard.tally import Tally
from tradeguard.workers import Workers, await_within

__all__ = ["RetryBudget", "RetryConfig", "RetryManager", "RetryStrategy"]

P = ParamSpec("P")
T = TypeVar("T")


class RetryManager:
    """Calls functions until they succeed, as its config allows; for any number of threads and tasks at once.

    Args:
        config: what to retry and how.
        clock: measures and waits; the system's unless given.
        rng: draws the jitter.

    Attributes:
        config: as given.
        clock: as given.
        backoff: the delays of the config.
        rng: as given.
        happy_calls: counts the calls that succeed at their first attempt.
    """

    def __init__(
        self,
        config: RetryConfig | None = None,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        if config is not None and not isinstance(config, RetryConfig):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not be typed
            refuse("config", config, "a RetryConfig")
        self.config = RetryConfig() if config is None else config
        self.clock: Clock = SYSTEM_CLOCK if clock is None else clock
        self.backoff = self.config.backoff()
        self.rng = random.SystemRandom() if rng is None else rng  # forked bots must not draw alike
        self.happy_calls = Tally()
        self._adopted: list[Tally] = [self.happy_calls]
        self._lock = threading.RLock()  # a signal handler may come by here too
        self._counts: dict[str, int] = dict.fromkeys(
            ("successful", "failed", "cancelled", "attempts", "retries"), 0
        )
        self._total_delay = 0.0
        self._workers = Workers("retry")

    def execute(self, func: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the first result of `func` that is good enough.

        Raises:
            Exception: the last attempt's own, when attempts, time or budget have run out or it is none to be
                retried.
            RecoveryException: if that attempt did not fail but its result was no good.
            CallTimeoutError: if an enclosing deadline had passed before the first attempt.
            TypeError: if `func` is a coroutine function.
        """
        seconds = self.config.attempt_timeout
        if seconds is None:
            attempt = partial(func, *args, **kwargs)
        else:
            attempt = partial(self._in_time, seconds, func, args, kwargs)
        return self.drive(RetryRun(self, operation_name(func)), attempt)

    async def execute_async(self, func: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the first result of the coroutine function `func` that is good enough.

        Cancellation ends it at once, counts as no failure and takes nothing from the budget.

        Raises:
            Exception: as `execute` does.
        """
        seconds = self.config.attempt_timeout
        what = operation_name(func)

        async def attempt() -> T:
            if seconds is None:
                return await awaited(func(*args, **kwargs))
            return await await_within(bounded(seconds), awaited(func(*args, **kwargs)), what)

        return await self.drive_async(RetryRun(self, what), attempt)

    def get_statistics(self) -> dict[str, Any]:
        """Return what the finished calls came to, exactly.

        `total_calls`, which is the sum of `successful_calls`, `failed_calls` and `cancelled_calls`;
        `total_attempts`; `total_retries`: attempts beyond each call's first; `total_delay`: seconds waited
        between attempts.
        """
        with self._lock:
            counts, delay = dict(self._counts), self._total_delay
            happy = sum(tally.value() for tally in self._adopted)
        successful, failed, cancelled = counts["successful"] + happy, counts["failed"], counts["cancelled"]
        return {
            "total_calls": successful + failed + cancelled,
            "total_attempts": counts["attempts"] + happy,
            "total_retries": counts["retries"],
            "successful_calls": successful,
            "failed_calls": failed,
            "cancelled_calls": cancelled,
            "total_delay": delay,
        }

    def adopt(self, tally: Tally) -> None:
        """Count the calls of `tally` as succeeded at their first attempt."""
        with self._lock:
            self._adopted.append(tally)

    def drive(self, run: RetryRun, attempt: Callable[[], T]) -> T:
        """Call `attempt` until `run` is over; how `execute` works, for those who bring their own run."""
        with run:
            while True:
                run.begin()
                try:
                    result = refuse_coroutine(attempt())
                except Exception as error:
                    delay = run.after_error(error)
                    if delay is None:
                        raise
                else:
                    delay = run.after_result(result)
                    if delay is None:
                        return result
                self.clock.sleep(delay)
                run.slept(delay)

    async def drive_async(self, run: RetryRun, attempt: Callable[[], Awaitable[T]]) -> T:
        """Await `attempt` until `run` is over; how `execute_async` works."""
        with run:
            while True:
                run.begin()
                try:
                    result = await attempt()
                except Exception as error:
                    delay = run.after_error(error)
                    if delay is None:
                        raise
                else:
                    delay = run.after_result(result)
                    if delay is None:
                        return result
                await self.clock.sleep_async(delay)
                run.slept(delay)

    def _in_time(
        self, seconds: float, func: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> T:
        return self._workers.run(bounded(seconds), func, args, kwargs)

    def record(self, outcome: str, attempts: int, delay: float) -> None:
        """Count a finished call: `successful`, `failed` or `cancelled`."""
        with self._lock:
            self._counts[outcome] += 1
            self._counts["attempts"] += attempts
            self._counts["retries"] += max(attempts - 1, 0)
            self._total_delay += delay

    def __repr__(self) -> str:
        return f"RetryManager({self.config!r})"
