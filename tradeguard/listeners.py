"""Listeners: functions that are told, in the thread in which something happened, outside every lock."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from tradeguard.redaction import redact

__all__ = ["Listeners"]

_logger = logging.getLogger(__name__)


class Listeners:
    """A set of functions of one argument; safe for several threads.

    Attributes:
        functions: the listeners, in the order of their adding.
        failed: how often a listener raised.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come by here too
        self.functions: tuple[Callable[[Any], object], ...] = ()
        self._running = threading.local()
        self.failed = 0

    def add(self, listener: Callable[[Any], object]) -> None:
        """Tell `listener` from now on; an equal one is not added twice."""
        with self._lock:
            if listener not in self.functions:
                self.functions = (*self.functions, listener)

    def remove(self, listener: Callable[[Any], object]) -> None:
        """Tell `listener` no more; one that was never added is none."""
        with self._lock:
            self.functions = tuple(known for known in self.functions if known != listener)

    def tell(self, record: object) -> None:
        """Tell every listener in the order of their adding; one that raises is counted, logged and passed over.

        A listener that causes a record itself, as by recording its own failure, is not told of that one, or it
        would never end; the others are.
        """
        running: list[Callable[[Any], object]] = self._running.__dict__.setdefault("stack", [])
        for listener in self.functions:
            if listener in running:
                continue
            running.append(listener)
            try:
                listener(record)
            except Exception as error:  # noqa: BLE001 - a listener is the user's code and may raise anything
                with self._lock:
                    self.failed += 1
                _logger.warning(
                    "listener %r raised %s: %s", listener, type(error).__name__, redact(str(error))
                )
            finally:
                running.pop()
