# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods of a guarded broker class: an order that fails is Rejected, anything else that fails is survived."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import backtrader as bt

from tradeguard.error_monitor import ErrorSeverity
from tradeguard.guard import Guard
from tradeguard.redaction import redact

__all__ = ["order_methods"]

_logger = logging.getLogger("tradeguard.backtrader")
_ORDER_OPTIONS = ("exectype", "valid", "tradeid", "oco", "trailamount", "trailpercent", "parent", "transmit")


def order_methods(base: Any, once: Guard, again: Guard) -> dict[str, Callable[..., Any]]:
    """Return the methods to put over those of the broker class `base`.

    Args:
        base: the broker class.
        once: guards what sends an order.
        again: guards what may be repeated.
    """
    base_next, base_get_notification = base.next, base.get_notification  # called at every turn of the loop

    def start(self: Any) -> None:
        again.call(base.start, self)

    def cancel(self: Any, order: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return again.call(base.cancel, self, order, *arguments, **options)
        except Exception as error:  # noqa: BLE001 - recorded by the guard and logged
            return _survive("cancel", error)

    def next(self: Any) -> None:  # noqa: A001 - Backtrader's own name
        try:
            base_next(self)
        except Exception as error:  # noqa: BLE001 - recorded and logged; the next turn may go better
            if again.monitor is not None:
                again.monitor.record_error(error, ErrorSeverity.ERROR, again.name, {"operation": "next"})
            _survive("next", error)

    def get_notification(self: Any) -> Any:
        rejected = self.__dict__.get("_guard_rejected")
        return rejected.popleft() if rejected else base_get_notification(self)

    return {
        "start": start,
        "cancel": cancel,
        "next": next,
        "get_notification": get_notification,
        **_sending_methods(base, once),
    }


def _sending_methods(base: Any, once: Guard) -> dict[str, Callable[..., Any]]:
    """Guard the method that sends: a `submit` of the class's own, else `buy` and `sell`."""
    submits = base.submit is not bt.BrokerBase.submit

    def submit(self: Any, order: Any, *arguments: Any, **options: Any) -> Any:
        def send(broker: Any, order: Any) -> Any:
            return base.submit(broker, order, *arguments, **options)

        try:
            return once.call(send, self, order)
        except Exception as error:  # noqa: BLE001 - whatever a broker raises, the run outlives it
            return _reject(self, order, error)

    def placing(method: Callable[..., Any], make: Any) -> Callable[..., Any]:
        def place(self: Any, owner: Any, data: Any, size: Any, *arguments: Any, **options: Any) -> Any:
            try:
                if submits:
                    return method(self, owner, data, size, *arguments, **options)
                return once.call(method, self, owner, data, size, *arguments, **options)
            except Exception as error:  # noqa: BLE001 - as above
                return _reject(self, _order(make, owner, data, size, arguments, options), error)

        return place

    methods = {
        "buy": placing(base.buy, bt.order.BuyOrder),
        "sell": placing(base.sell, bt.order.SellOrder),
    }
    if submits:
        methods["submit"] = submit
    return methods


def _reject(broker: Any, order: Any, error: Exception) -> Any:
    """Have the order notified as Rejected, and return it."""
    order.addinfo(reason=redact(str(error)))
    if order.comminfo is None:
        order.addcomminfo(broker.getcommissioninfo(order.data))
    order.reject(broker)
    _rejected(broker).append(order.clone())
    return order


def _rejected(broker: Any) -> deque[Any]:
    rejected: deque[Any] = broker.__dict__.setdefault("_guard_rejected", deque())
    return rejected


def _order(
    make: Any, owner: Any, data: Any, size: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Return the order that could not be made, for it to be rejected."""
    named = dict(zip(("price", "plimit"), arguments, strict=False))
    named.update(options)
    known = {name: named[name] for name in _ORDER_OPTIONS if name in named}
    return make(
        owner=owner,
        data=data,
        size=size,
        price=named.get("price"),
        pricelimit=named.get("plimit"),
        **known,
    )


def _survive(what: str, error: Exception) -> None:
    _logger.error("%s of the broker failed: %s", what, redact(str(error)))
