"""Calls that fail as told, and both ways of retrying them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tradeguard.retry_manager import RetryConfig, RetryManager
from tradeguard.testing import ManualClock


class Flaky:
    """Fails with the given errors one after the other, then returns its arguments."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return args, kwargs


def always_failing(error: BaseException | None = None, times: int = 10_000) -> Flaky:
    return Flaky(*[ConnectionError("down") if error is None else error] * times)


def as_coroutine(func: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return coroutine


def call_plain(manager: RetryManager, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return manager.execute(func, *args, **kwargs)


def call_async(manager: RetryManager, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return asyncio.run(manager.execute_async(as_coroutine(func), *args, **kwargs))


Execute = Callable[..., Any]


def manage(manual: ManualClock, **config: Any) -> RetryManager:
    return RetryManager(RetryConfig(**config), clock=manual)
