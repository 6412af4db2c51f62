"""Where a guarded instance keeps its guard: one attribute, which ccxt's constructor does not see."""

from __future__ import annotations

from typing import Any, NamedTuple

from tradeguard_ccxt.flavours import Flavour
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.runtime import ExchangeGuard
from tradeguard_ccxt.streams import StreamDesk

__all__ = ["Parts", "parts_of", "streams_of"]


class Parts(NamedTuple):
    """What a guarded instance has beyond the ccxt one."""

    guard: ExchangeGuard
    desk: OrderDesk
    flavour: Flavour


def parts_of(exchange: Any) -> Parts:
    """Return the parts of a guarded instance."""
    parts: Parts = exchange.__dict__["_guard_parts"]
    return parts


def streams_of(exchange: Any) -> StreamDesk:
    """Return the streams of a guarded instance of a class of ccxt.pro."""
    streams: StreamDesk = exchange.__dict__["_guard_streams"]
    return streams
