"""Why the engine refuses something; each protocol has its own words for these."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["EngineRejection", "Reason"]


class Reason(StrEnum):
    """The kinds of refusal."""

    FILTER = "a trading rule of the symbol"
    INSUFFICIENT_BALANCE = "not enough free balance"
    DUPLICATE_ORDER = "an open order has this client order id"
    WOULD_TAKE = "a maker-only order would have taken"
    WOULD_TRIGGER = "the stop price is reached already"
    MARKET_CLOSED = "the market is closed"
    NO_LIQUIDITY = "there is nothing to trade with"
    UNKNOWN_ORDER = "no such open order"
    REDUCE_ONLY = "a reduce-only order finds no position that it would make smaller"
    UNFILLABLE = "a fill-or-kill order cannot be filled at once"


class EngineRejection(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """The engine refused a request; nothing has changed.

    Attributes:
        reason: the kind of refusal.
        detail: which filter, where that is the reason.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
