# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a run: `stop()` of strategy, broker, feed and store runs exactly once, however the run ends.

Backtrader calls `stop()` at the regular end alone: an exception in `next()` leaves `cerebro.run()` with orders
on their way and threads running. There is no hook for it, so `runstrategies` is wrapped. A feed that is inside a
Chainer or a RollOver alone hears of Cerebro when `runstrategies` is under way: for that run its loop is wrapped,
and what comes after the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tradeguard_backtrader.guards.liveness import feeds_inside
from tradeguard_backtrader.latches import Latch

__all__ = ["guard_run"]

_LOOPS = ("_runnext", "_runonce", "_runnext_old", "_runonce_old")


def guard_run(env: Any) -> None:
    """Have all that `env`, a Cerebro, started be stopped once; doing this twice is no error.

    In mid-run this covers also what has come to `env` since the last time.
    """
    run = env.runstrategies
    if isinstance(run, _GuardedRun):
        run.cover_new_parts()
        return
    env.runstrategies = run = _GuardedRun(env)
    for name in _LOOPS:
        setattr(env, name, _GuardedLoop(run, name))


class _Watch:
    """The latches of one run."""

    def __init__(self, env: Any, are_started: bool) -> None:
        self._env = env
        self._strategies: list[Latch] = []
        self._parts: list[Latch] = []
        self.cover_new_parts(are_started)

    def cover_new_parts(self, are_started: bool = False) -> None:
        """Put a latch on what came to Cerebro since the last time."""
        for part in _parts(self._env):
            if not any(latch.part is part for latch in self._parts):
                self._parts.append(Latch(part, "start", "stop", is_started=are_started))

    def cover_strategy(self, strategy: Any, is_started: bool = False) -> None:
        """Put a latch on a strategy; its `_stop` also ends its analyzers."""
        latch = Latch(strategy, "start", "stop", finish="_stop", is_started=is_started)
        self._strategies.append(latch)

    def stop_all(self) -> None:
        """Stop what is still running, in Backtrader's own order."""
        for latch in (*self._strategies, *self._parts):
            latch.stop_if_running()

    def release(self) -> None:
        """Take all latches away."""
        for latch in (*self._strategies, *self._parts):
            latch.release()
        if isinstance(self._env.__dict__.get("stop_writers"), _GuardedEnd):
            del self._env.stop_writers

    def stop_all_if_one_fails(self) -> None:
        """Have a `stop` that raises stop the others; for an end that nobody watches."""
        for latch in (*self._strategies, *self._parts):
            latch.on_failure = self.fail

    def fail(self) -> None:
        """End a run that has failed."""
        self.stop_all()
        self.release()


class _GuardedRun:
    """Stands in for `cerebro.runstrategies`; a class, since Cerebro pickles itself for its worker processes."""

    def __init__(self, env: Any) -> None:
        self._env = env
        self.watch: _Watch | None = None

    def __call__(self, iterstrat: Iterable[Any], predata: bool = False) -> Any:
        env = self._env
        self.watch = watch = _Watch(env, are_started=False)
        try:
            return type(env).runstrategies(env, _watched(iterstrat, watch), predata)
        except BaseException:
            watch.stop_all()
            raise
        finally:
            watch.release()
            self.watch = None

    def cover_new_parts(self) -> None:
        """Watch what has come to Cerebro in mid-run, too."""
        if self.watch is not None:
            self.watch.cover_new_parts()

    def loop(self, name: str, runstrats: list[Any]) -> None:
        """Run the loop `name`; watched here, if the run was under way before there was a guard."""
        env = self._env
        whole = getattr(type(env), name)
        if self.watch is not None:
            whole(env, runstrats)
            return
        watch = _Watch(env, are_started=True)
        for strategy in runstrats:
            watch.cover_strategy(strategy, is_started=True)
        try:
            whole(env, runstrats)
        except BaseException:
            watch.fail()
            raise
        watch.stop_all_if_one_fails()
        env.stop_writers = _GuardedEnd(env, watch)


class _GuardedLoop:
    """Stands in for one of Cerebro's loops."""

    def __init__(self, run: _GuardedRun, name: str) -> None:
        self._run = run
        self._name = name

    def __call__(self, runstrats: list[Any]) -> None:
        self._run.loop(self._name, runstrats)


class _GuardedEnd:
    """Stands in for `cerebro.stop_writers`, the last thing that happens in a run, to take the latches away."""

    def __init__(self, env: Any, watch: _Watch) -> None:
        self._env = env
        self._watch = watch

    def __call__(self, runstrats: list[Any]) -> None:
        self._watch.release()
        self._env.stop_writers(runstrats)


def _parts(env: Any) -> Iterator[Any]:
    """Everything but strategies that Cerebro starts and stops, in the order in which it stops them."""
    yield env.broker
    for data in env.datas:
        yield data
        yield from feeds_inside(data)
    yield from env.feeds
    yield from env.stores


def _watched(iterstrat: Iterable[Any], watch: _Watch) -> list[tuple[Any, Any, Any]]:
    """Return `iterstrat` with makers that put each strategy they make under a latch."""

    def watching(make: Callable[..., Any]) -> Callable[..., Any]:
        def made(*arguments: Any, **options: Any) -> Any:
            strategy = make(*arguments, **options)
            watch.cover_strategy(strategy)
            return strategy

        return made

    return [(watching(make), arguments, options) for make, arguments, options in iterstrat]
