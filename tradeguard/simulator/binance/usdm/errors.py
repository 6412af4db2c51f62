"""What the futures say when they refuse.

Source: https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.rejections import EngineRejection, Reason

__all__ = ["of_rejection"]

_REJECTIONS: Mapping[Reason, tuple[int, str]] = MappingProxyType(
    {
        Reason.INSUFFICIENT_BALANCE: (-2019, "Margin is insufficient."),
        Reason.DUPLICATE_ORDER: (-4116, "ClientOrderId is duplicated."),
        Reason.WOULD_TAKE: (
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected.",
        ),
        Reason.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
        Reason.NO_LIQUIDITY: (-2020, "Unable to fill."),
        Reason.MARKET_CLOSED: (-4140, "Invalid symbol status for opening position."),
        Reason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
        Reason.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
        Reason.UNFILLABLE: (
            -5021,
            "Due to the order could not be filled immediately, the FOK order has been rejected.",
        ),
    }
)
_FILTERS: Mapping[str, tuple[int, str]] = MappingProxyType(
    {
        "PRICE_FILTER": (-4002, "Price greater than max price."),
        "LOT_SIZE": (-4005, "Quantity greater than max quantity."),
        "MARKET_LOT_SIZE": (-4005, "Quantity greater than max quantity."),
        "NOTIONAL": (-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."),
        "MAX_NUM_ORDERS": (-2025, "Reach max open order limit."),
        "MAX_NUM_ALGO_ORDERS": (-4045, "Reach max stop order limit."),
    }
)


def of_rejection(rejection: EngineRejection) -> BinanceError:
    """Return the engine's refusal in the futures' words."""
    is_filter = rejection.reason is Reason.FILTER
    code, message = _FILTERS[rejection.detail] if is_filter else _REJECTIONS[rejection.reason]
    return BinanceError(code, message)
