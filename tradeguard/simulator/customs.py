"""Customs: in what exchanges differ even behind their counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tradeguard.simulator.symbols import MarketKind

__all__ = ["SPOT", "Customs"]


def _number(seed: int, order_id: int) -> str:
    return str(order_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customs:
    """How an exchange names its orders and takes its fees.

    Attributes:
        order_name: the exchange's id of an order, out of the seed and the order's number.
        fees_in_quote: fees are taken in the quote currency, on top of what is paid or off what is received;
            else always off what is received.
        kind: what is traded here.
        usual_symbol: what is traded where nothing is said.
        refuses_unfillable: a fill-or-kill order that cannot be filled is refused; else accepted, and expired.
    """

    order_name: Callable[[int, int], str] = _number
    fees_in_quote: bool = False
    kind: MarketKind = MarketKind.SPOT
    usual_symbol: str = "ETH/BTC"
    refuses_unfillable: bool = False


SPOT = Customs()
"""Those of a spot market that has none of its own."""
