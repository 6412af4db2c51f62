"""Order events: what happens to orders, told as it happens, for streams and tests to listen to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tradeguard.simulator.orders import Order, OrderRecord, OrderStatus, Trade

__all__ = ["OrderEvent", "OrderEventKind", "OrderEvents", "OrderListener"]


class OrderEventKind(StrEnum):
    """What has happened."""

    ACCEPTED = "accepted"
    AMENDED = "amended"
    TRIGGERED = "triggered"  # a stop order has begun to work
    FILLED = "filled"  # in part or in whole; one event a trade
    CANCELED = "canceled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One thing that happened to one order.

    Attributes:
        kind: what.
        order: the order as it is after it; its account is whose event this is.
        trade: the fill, where it is one.
        time_ms: epoch milliseconds of exchange time.
    """

    kind: OrderEventKind
    order: OrderRecord
    trade: Trade | None
    time_ms: int


OrderListener = Callable[[OrderEvent], None]
"""Called in the order in which things happen, on whatever thread moved the exchange and under its lock: it
hands the event on and returns."""


class OrderEvents:
    """Tells listeners what happens to orders; without any it costs next to nothing."""

    def __init__(self) -> None:
        self._listeners: tuple[OrderListener, ...] = ()

    def subscribe(self, listener: OrderListener) -> Callable[[], None]:
        """Have `listener` called from now on; return what ends it, and may be called twice."""

        def unsubscribe() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        self._listeners = (*self._listeners, listener)
        return unsubscribe

    def tell(self, kind: OrderEventKind, order: Order, time_ms: int, trade: Trade | None = None) -> None:
        """Tell that something happened to `order`."""
        if self._listeners:
            event = OrderEvent(kind=kind, order=order.record(), trade=trade, time_ms=time_ms)
            for listener in self._listeners:
                listener(event)

    def tell_closed(self, order: Order, time_ms: int) -> None:
        """Tell that `order` is open no more, unless its last fill has said so already."""
        if order.status is OrderStatus.CANCELED:
            self.tell(OrderEventKind.CANCELED, order, time_ms)
        elif order.status is not OrderStatus.FILLED:
            self.tell(OrderEventKind.EXPIRED, order, time_ms)
