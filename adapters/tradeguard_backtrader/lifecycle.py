# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: `stop()` of strategy, broker and feed runs exactly once, however the run ends.

Backtrader calls `stop()` at the regular end alone: an exception in `next()` leaves `cerebro.run()` with orders
on their way and threads running. There is no hook for it, so `runstrategies` is wrapped.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["guard_run"]

_logger = logging.getLogger("tradeguard.backtrader")


def guard_run(env: Any) -> None:
    """Have all that `env`, a Cerebro, started be stopped once; doing this twice is no error."""
    if not isinstance(env.runstrategies, _GuardedRun):
        env.runstrategies = _GuardedRun(env)


class _GuardedRun:
    """Stands in for `cerebro.runstrategies`; a class, since Cerebro pickles itself for its worker processes."""

    def __init__(self, env: Any) -> None:
        self._env = env

    def __call__(self, iterstrat: Iterable[Any], predata: bool = False) -> Any:
        env = self._env
        latches = [
            _Latch(part, "start", "stop") for part in (env.broker, *env.datas, *env.feeds, *env.stores)
        ]
        strategies: list[_Latch] = []
        try:
            return type(env).runstrategies(env, _watched(iterstrat, strategies), predata)
        except BaseException:
            # The order in which Backtrader itself stops them.
            for latch in (*strategies, *latches):
                latch.stop_if_running()
            raise
        finally:
            for latch in (*strategies, *latches):
                latch.release()


class _Latch:
    """Watches `start` and `stop` of one part, so that the end can tell what is still running."""

    def __init__(self, part: Any, start: str, stop: str, finish: str | None = None) -> None:
        self._part = part
        self._names = (start, stop)
        self._finish = stop if finish is None else finish
        self._started = False
        self._stopped = False
        self._start: Callable[..., Any] = getattr(part, start)
        self._stop: Callable[..., Any] = getattr(part, stop)
        setattr(part, start, self._on_start)
        setattr(part, stop, self._on_stop)

    def stop_if_running(self) -> None:
        """Stop the part unless it never started or has been stopped; what it raises is logged."""
        if not self._started or self._stopped:
            return
        try:
            getattr(self._part, self._finish)()
        except Exception:
            # The run has failed already, and that error is the one to raise.
            _logger.exception("stop() of %s failed after the run had failed", type(self._part).__name__)

    def release(self) -> None:
        """Take the watch away: the part can be pickled and run again."""
        for name in self._names:
            self._part.__dict__.pop(name, None)

    def _on_start(self, *arguments: Any, **options: Any) -> Any:
        result = self._start(*arguments, **options)
        self._started = True
        return result

    def _on_stop(self, *arguments: Any, **options: Any) -> Any:
        if self._stopped:
            return None
        self._stopped = True
        return self._stop(*arguments, **options)


def _watched(iterstrat: Iterable[Any], latches: list[_Latch]) -> list[tuple[Any, Any, Any]]:
    """Return `iterstrat` with makers that put each strategy they make under a latch."""

    def watching(make: Callable[..., Any]) -> Callable[..., Any]:
        def made(*arguments: Any, **options: Any) -> Any:
            strategy = make(*arguments, **options)
            # `_stop` also ends its analyzers.
            latches.append(_Latch(strategy, "start", "stop", finish="_stop"))
            return strategy

        return made

    return [(watching(make), arguments, options) for make, arguments, options in iterstrat]
