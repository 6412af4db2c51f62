# SPDX-License-Identifier: GPL-3.0-or-later
"""Guards for feed and broker classes that exist already.

The result is a subclass with the same params and lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import backtrader as bt

from tradeguard.error_monitor import ErrorMonitor
from tradeguard.exceptions import ConfigurationException
from tradeguard_backtrader.guards.guard_layers import Breaker, Layers, Retry
from tradeguard_backtrader.guards.guarded_loading import load_methods
from tradeguard_backtrader.guards.guarded_orders import order_methods
from tradeguard_backtrader.guards.publishing import published

__all__ = ["guard_broker", "guard_feed"]


def guard_feed(
    cls: type,
    *,
    retry: Retry | None = None,
    breaker: Breaker | None = None,
    monitor: ErrorMonitor | None = None,
    fallback: Callable[[Any], bool | None] | None = None,
) -> Any:
    """Return a subclass of the feed class `cls` whose `start` and `_load` are guarded.

    When loading a bar finally fails, `fallback(feed)` is asked for what `_load` returns: True for a bar that it
    wrote into the lines, None for nothing now, False for the end. Without a fallback a live feed is told as
    CONNBROKEN, once, and tries again at the next turn of the loop; any other raises, since "nothing now" would
    cut a backtest short without a word, and so it does where the fallback has nothing now.

    Retries happen within the loop, which waits for them. A load that failed starts from where it was: what it took
    from a file, a frame or an iterator is put back, and left out only when the fallback stands in for it. A start
    that is retried begins anew. Where Backtrader takes None for the end, while preloading and inside Chainer and
    RollOver, the feed is asked again.

    Args:
        cls: a subclass of `bt.feed.DataBase`.
        retry: how loading and starting are retried; None for not at all.
        breaker: a circuit for loading; with a config, each feed has one of its own.
        monitor: told of every failure, retry and fallback.
        fallback: see above.

    Raises:
        ConfigurationException: `cls` is no feed class; an argument is of the wrong kind; `retry` has an
            `attempt_timeout` or `breaker` a `timeout`, which would lose the bar that comes too late.
        DataFeedException: by `start` and `_load`, from the error that was the last.
    """
    _require_subclass(cls, bt.feed.AbstractDataBase, "feed")
    layers = Layers(retry=retry, breaker=breaker, monitor=monitor, fallback=fallback)
    return published(cls, load_methods(cls, layers))


def guard_broker(
    cls: type,
    *,
    retry: Retry | None = None,
    breaker: Breaker | None = None,
    monitor: ErrorMonitor | None = None,
    fallback: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """Return a subclass of the broker class `cls` whose orders, cancels and start are guarded.

    An order that fails on its way out is notified as Rejected, instead of ending the run, and its whole bracket
    with it, as far as that is not transmitted yet. A cancel that fails is recorded, and the run goes on; so is a
    `next`, but for a `BackBroker`: a simulated turn that breaks off loses orders, and is raised again.

    `stop()` of strategy, broker, feeds and store runs once however the run ends.

    Orders are retried for exactly the exceptions that `retry` names in `retry_on_exceptions`, since of any other
    nobody can tell whether the order went out before it. Name those that come before a send, such as
    ConnectionRefusedError. For orders that are placed exactly once, use `GuardedStore`.

    Args:
        cls: a subclass of `bt.BrokerBase`.
        retry: how `start` and cancels are retried, and orders as told above; None for not at all.
        breaker: a circuit for orders; while it is open they are Rejected. With a config, each broker has one of
            its own.
        monitor: told of every failure, retry and fallback.
        fallback: `fallback(broker, order)` is asked for the order to return when submitting it failed;
            only for classes with a `submit` of their own.

    Raises:
        ConfigurationException: `cls` is no broker class; an argument is of the wrong kind; `retry` has an
            `attempt_timeout` or `breaker` a `timeout`, which would have an order Rejected and filled later.
    """
    _require_subclass(cls, bt.BrokerBase, "broker")
    layers = Layers(retry=retry, breaker=breaker, monitor=monitor, fallback=fallback)
    return published(cls, order_methods(cls, layers))


def _require_subclass(cls: object, base: type, what: str) -> None:
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise ConfigurationException(f"{cls!r} is no {what} class", component="tradeguard_backtrader")
