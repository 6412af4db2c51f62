"""Alerts on their way: no alert function delays a trade, and none stands in another's way.

Every function has a bounded queue and, while there is something in it, a daemon thread of its own. So one that
hangs holds back only what is meant for itself.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from copy import deepcopy
from functools import partial
from types import CoroutineType
from typing import Any, cast

from tradeguard.redaction import redact
from tradeguard.tally import Tally

__all__ = ["Alert", "AlertDelivery", "AlertFunction"]

Alert = dict[str, Any]
AlertFunction = Callable[[Alert], object]
EXIT_PATIENCE = 2.0
"""Seconds that the end of the process waits for alerts on their way."""

_logger = logging.getLogger(__name__)


class AlertDelivery:
    """Hands alerts to functions in the background, to each in order.

    Args:
        capacity: alerts that may wait for one function; further ones are dropped and counted.

    Attributes:
        channels: the ways to the functions; empty where no alert is wanted.
        dropped: alerts lost because a function's queue was full.
        failed: alerts whose function raised.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.RLock()  # a signal handler may come by here too
        self.dropped = Tally()
        self.failed = Tally()
        self.channels: tuple[_Channel, ...] = ()
        self._exit_hook: Callable[[], bool] | None = None

    def add(self, function: AlertFunction) -> None:
        """Tell `function` of every alert from now on; one that is told already is not told twice."""
        with self._lock:
            if all(channel.function != function for channel in self.channels):
                self.channels = (*self.channels, self._channel(function))
            if self._exit_hook is None:
                self._exit_hook = partial(_flush_at_exit, weakref.ref(self))
                atexit.register(self._exit_hook)
                weakref.finalize(self, atexit.unregister, self._exit_hook).atexit = False

    def _channel(self, function: AlertFunction) -> _Channel:
        return _Channel(function, self._capacity, dropped=self.dropped, failed=self.failed)

    def remove(self, function: AlertFunction) -> None:
        """Tell `function` no more; what it was sent already is still delivered."""
        with self._lock:
            self.channels = tuple(channel for channel in self.channels if channel.function != function)

    def send(self, alert: Alert) -> None:
        """Queue `alert` for every function; returns at once."""
        for channel in self.channels:
            channel.put(alert)

    def flush(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds until everything queued was delivered; return whether it was."""
        deadline = time.monotonic() + timeout
        # Every one is asked, though one that hangs has used up the time: the others delivered meanwhile.
        idle = [channel.wait(max(deadline - time.monotonic(), 0.0)) for channel in self.channels]
        return all(idle)


class _Channel:
    """The way to one function."""

    def __init__(self, function: AlertFunction, capacity: int, *, dropped: Tally, failed: Tally) -> None:
        self.function = function
        self._dropped = dropped
        self._failed = failed
        self._capacity = capacity
        self._waiting: deque[Alert] = deque()
        self._changed = threading.Condition()
        self._worker: threading.Thread | None = None

    def put(self, alert: Alert) -> None:
        with self._changed:
            if len(self._waiting) >= self._capacity:
                self._dropped.increment()
                _logger.warning("alert for %r dropped, %d are waiting", self.function, len(self._waiting))
                return
            self._waiting.append(alert)
            if self._worker is not None and self._worker.is_alive():
                return
            # A thread of a forked parent is not alive here, so the child gets a worker of its own.
            self._worker = threading.Thread(target=self._work, name="tradeguard-alerts", daemon=True)
            try:
                self._worker.start()
            except RuntimeError as error:
                # No thread can be started while the interpreter ends or the machine has none left.
                self._worker = None
                self._waiting.pop()
                self._dropped.increment()
                _logger.warning("alert for %r dropped: %s", self.function, error)

    def wait(self, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout)

    def _is_idle(self) -> bool:
        # A function that flushes would otherwise wait for its own end.
        worker = self._worker
        return worker is None or not worker.is_alive() or worker is threading.current_thread()

    def _work(self) -> None:
        while True:
            with self._changed:
                if not self._waiting:
                    self._worker = None
                    self._changed.notify_all()
                    return
                alert = self._waiting.popleft()
            try:
                # Each function has a copy, so that one that edits the alert edits its own.
                _call(self.function, deepcopy(alert))
            except BaseException as error:  # noqa: BLE001 - an alert function is the user's, and ends nothing here
                self._failed.increment()
                _logger.error(
                    "alert function %r raised %s: %s", self.function, type(error).__name__, redact(str(error))
                )


def _call(function: AlertFunction, alert: Alert) -> None:
    result = function(alert)
    if isinstance(result, CoroutineType):
        import asyncio  # noqa: PLC0415 - it takes 70 ms to import, and most alert functions are plain

        asyncio.run(cast("Coroutine[Any, Any, object]", result))


def _flush_at_exit(delivery: weakref.ref[AlertDelivery]) -> bool:
    alive = delivery()
    return alive is None or alive.flush(EXIT_PATIENCE)
