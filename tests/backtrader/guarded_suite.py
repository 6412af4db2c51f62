"""A pytest plugin that guards every feed of Backtrader and its BackBroker, for Backtrader's own test suite.

`test_bt_own_suite.py` runs it; it prints at the end how often a guard was in the path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import backtrader as bt

from tradeguard import RetryConfig
from tradeguard_backtrader import guard_broker, guard_feed

SEEN: Counter[str] = Counter()
RETRY = RetryConfig(max_attempts=3, base_delay=0.0, retry_on_exceptions=OSError)


def counted(cls: Any, method: str, what: str) -> None:
    """Have each call of a guarded class's method counted."""
    guarded: Callable[..., Any] = getattr(cls, method)

    def counting(self: Any, *arguments: Any, **options: Any) -> Any:
        SEEN[what] += 1
        return guarded(self, *arguments, **options)

    setattr(cls, method, counting)


def guard_everything() -> None:
    """Put a guarded class in the place of each feed class and of the BackBroker, wherever Backtrader finds them."""
    for name, cls in list(vars(bt.feeds).items()):
        if isinstance(cls, type) and issubclass(cls, bt.feed.AbstractDataBase):
            guarded = guard_feed(cls, retry=RETRY)
            counted(guarded, "start", "feeds started")
            counted(guarded, "_load", "bars loaded")
            setattr(bt.feeds, name, guarded)
    broker = guard_broker(bt.brokers.BackBroker, retry=RETRY)
    counted(broker, "start", "brokers started")
    counted(broker, "submit", "orders submitted")
    bt.brokers.BackBroker = bt.cerebro.BackBroker = broker


def pytest_configure() -> None:
    guard_everything()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for what in ("feeds started", "bars loaded", "brokers started", "orders submitted"):
        terminalreporter.write_line(f"guarded: {what} {SEEN[what]}")
