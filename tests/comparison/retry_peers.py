"""Retries, each made as its documentation says and asked for the same: so many attempts, so far apart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, Protocol
from unittest import mock

from tradeguard import Guard, RetryConfig, RetryManager, RetryStrategy
from tradeguard.testing import ManualClock

__all__ = ["RETRIES", "Policy"]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Policy(Protocol):
    """One policy of a library, which any number of functions may share.

    Args:
        clock: waits and measures.
        attempts: calls at most.
        wait: seconds between two attempts.
        deadline: seconds for everything.
        on: what is retried.

    Attributes:
        distribution: the library's name in the package index.
        counts: what it has for statistics, in words, where it does not count attempts.
    """

    distribution: ClassVar[str]
    counts: ClassVar[str | None]

    def __init__(
        self,
        clock: ManualClock,
        *,
        attempts: int = 3,
        wait: float = 0.0,
        deadline: float | None = None,
        on: type[BaseException] = Exception,
    ) -> None: ...

    def time(self) -> AbstractContextManager[Any]:
        """Let the library read the clock and wait by it, where it does not take one."""
        ...

    def protect(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Decorate a function of any kind."""
        ...

    def counted_attempts(self) -> int:
        """Return how many attempts the statistics tell of."""
        ...


class TradeGuardPolicy:
    distribution = "tradeguard"
    counts = None

    def __init__(
        self,
        clock: ManualClock,
        *,
        attempts: int = 3,
        wait: float = 0.0,
        deadline: float | None = None,
        on: type[BaseException] = Exception,
    ) -> None:
        config = RetryConfig(
            max_attempts=attempts,
            base_delay=wait,
            strategy=RetryStrategy.FIXED,
            deadline=deadline,
            retry_on_exceptions=on,  # type: ignore[arg-type] # to see what comes of BaseException
        )
        self._manager = RetryManager(config, clock=clock)
        self.protect: Decorator = Guard("api", retry=self._manager, clock=clock)

    def time(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def counted_attempts(self) -> int:
        return int(self._manager.get_statistics()["total_attempts"])


class TenacityPolicy:
    distribution = "tenacity"
    counts = None

    def __init__(
        self,
        clock: ManualClock,
        *,
        attempts: int = 3,
        wait: float = 0.0,
        deadline: float | None = None,
        on: type[BaseException] = Exception,
    ) -> None:
        import tenacity

        stop: Any = tenacity.stop_after_attempt(attempts)
        if deadline is not None:
            stop |= tenacity.stop_before_delay(deadline)
        self._clock = clock
        self._settings: dict[str, Any] = {
            "stop": stop,
            "wait": tenacity.wait_fixed(wait),
            "retry": tenacity.retry_if_exception_type(on),
            "reraise": True,
        }
        self._retry: Callable[..., Any] = tenacity.retry
        self._decorated: list[Any] = []

    def time(self) -> AbstractContextManager[Any]:
        stack = ExitStack()
        stack.enter_context(mock.patch("tenacity.time", SimpleNamespace(monotonic=self._clock.monotonic)))
        stack.enter_context(mock.patch("tenacity.nap.time", SimpleNamespace(sleep=self._clock.sleep)))
        return stack

    def protect(self, func: Callable[..., Any]) -> Callable[..., Any]:
        self._decorated.append(self._retry(**self._settings)(func))
        return self._decorated[-1]

    def counted_attempts(self) -> int:
        return sum(func.statistics["attempt_number"] for func in self._decorated)


class StaminaPolicy:
    distribution = "stamina"
    counts = "hooks, and no statistics of its own"

    def __init__(
        self,
        clock: ManualClock,
        *,
        attempts: int = 3,
        wait: float = 0.0,
        deadline: float | None = None,
        on: type[BaseException] = Exception,
    ) -> None:
        import stamina

        self._clock = clock
        self.protect: Decorator = stamina.retry(
            on=on,  # type: ignore[arg-type] # to see what comes of BaseException
            attempts=attempts,
            timeout=deadline,
            wait_initial=wait,
            wait_max=wait,
            wait_jitter=0,
        )

    def time(self) -> AbstractContextManager[Any]:
        stack = ExitStack()
        stack.enter_context(mock.patch("tenacity.time", SimpleNamespace(monotonic=self._clock.monotonic)))
        stack.enter_context(mock.patch("tenacity.nap.time", SimpleNamespace(sleep=self._clock.sleep)))
        return stack

    def counted_attempts(self) -> int:
        raise NotImplementedError


class BackoffPolicy:
    distribution = "backoff"
    counts = "handlers, and no statistics of its own"

    def __init__(
        self,
        clock: ManualClock,
        *,
        attempts: int = 3,
        wait: float = 0.0,
        deadline: float | None = None,
        on: type[BaseException] = Exception,
    ) -> None:
        import backoff

        self._clock = clock
        self.protect: Decorator = backoff.on_exception(
            backoff.constant,
            on,  # type: ignore[arg-type] # to see what comes of BaseException
            interval=wait,
            max_tries=attempts,
            max_time=deadline,
            jitter=None,
        )

    def time(self) -> AbstractContextManager[Any]:
        shown = SimpleNamespace(now=lambda: datetime.fromtimestamp(self._clock.time()))
        stack = ExitStack()
        stack.enter_context(
            mock.patch("backoff._sync.datetime", SimpleNamespace(datetime=shown, timedelta=timedelta))
        )
        stack.enter_context(mock.patch("backoff._sync.time", SimpleNamespace(sleep=self._clock.sleep)))
        return stack

    def counted_attempts(self) -> int:
        raise NotImplementedError


RETRIES: tuple[type[Policy], ...] = (TradeGuardPolicy, TenacityPolicy, StaminaPolicy, BackoffPolicy)
