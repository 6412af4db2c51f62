# SPDX-License-Identifier: GPL-3.0-or-later
"""A latch on one part of a run: it knows whether the part is running, and lets it be stopped once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

__all__ = ["Latch"]

_logger = logging.getLogger("tradeguard.backtrader")


class Latch:
    """Watches `start` and `stop` of one part, so that the end can tell what is still running.

    Args:
        part: what is watched, by methods of its own that stand before those of its class.
        start: the name of the method that starts it.
        stop: the name of the method that stops it.
        finish: the name of the method that stops it and what belongs to it; `stop` unless given.
        is_started: whether it runs already.

    Attributes:
        part: as given.
        on_failure: called when its `stop` raises.
    """

    def __init__(
        self, part: Any, start: str, stop: str, finish: str | None = None, is_started: bool = False
    ) -> None:
        self.part = part
        self.on_failure: Callable[[], None] | None = None
        self._finish = stop if finish is None else finish
        self._started = is_started
        self._stopped = False
        self._start: Callable[..., Any] = getattr(part, start)
        self._stop: Callable[..., Any] = getattr(part, stop)
        self._before = {name: part.__dict__[name] for name in (start, stop) if name in part.__dict__}
        self._watchers = {start: self._on_start, stop: self._on_stop}
        for name, watcher in self._watchers.items():
            setattr(part, name, watcher)

    def stop_if_running(self) -> None:
        """Stop the part unless it never started or has been stopped; what it raises is logged."""
        if not self._started or self._stopped:
            return
        try:
            getattr(self.part, self._finish)()
        except Exception:
            # The run has failed already, and that error is the one to raise.
            _logger.exception("stop() of %s failed after the run had failed", type(self.part).__name__)

    def release(self) -> None:
        """Take the watch away: the part can be pickled and run again."""
        for name in self._watchers:
            self.part.__dict__.pop(name, None)
        self.part.__dict__.update(self._before)

    def _on_start(self, *arguments: Any, **options: Any) -> Any:
        result = self._start(*arguments, **options)
        self._started = True
        return result

    def _on_stop(self, *arguments: Any, **options: Any) -> Any:
        if self._stopped:
            return None
        self._stopped = True
        try:
            return self._stop(*arguments, **options)
        except BaseException:
            if self.on_failure is not None:
                self.on_failure()
            raise
