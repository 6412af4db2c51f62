"""Where a guarded instance keeps its guard: one attribute, which ccxt's constructor does not see."""

from __future__ import annotations

from typing import Any, NamedTuple

from tradeguard_ccxt.flavours import Flavour
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.runtime import ExchangeGuard

__all__ = ["Parts", "parts_of"]


class Parts(NamedTuple):
    """What a guarded instance has beyond the ccxt one."""

    guard: ExchangeGuard
    desk: OrderDesk
    flavour: Flavour


def parts_of(exchange: Any) -> Parts:
    """Return the parts of a guarded instance."""
    parts: Parts = exchange.__dict__["_guard_parts"]
    return parts
