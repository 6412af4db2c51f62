"""The margins of a futures account, as a call reads and changes them."""

from __future__ import annotations

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.margin_settlement import MarginSettlement

__all__ = ["margins_of"]


def margins_of(call: Call) -> MarginSettlement:
    """Return the settlement of the venue, which is one of swaps wherever this dialect is spoken."""
    margins = call.venue.engine.margins
    if margins is None:
        raise TypeError("the venue trades no swaps")
    return margins
