"""Kraken's errors: texts in an array, under HTTP status 200.

Source: https://support.kraken.com/articles/360001491786-api-error-messages
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tradeguard.simulator.rejections import EngineRejection, Reason

__all__ = ["INTERNAL_ERROR", "KrakenError", "invalid", "of_rejection", "of_server_code"]

INTERNAL_ERROR = "EGeneral:Internal error"
"""What Kraken says when it does not know what to say."""


class KrakenError(Exception):
    """An error answer.

    Attributes:
        text: severity and category, message, and details, such as `EOrder:Insufficient funds`.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def invalid(name: str) -> KrakenError:
    """Return the complaint about a parameter."""
    return KrakenError(f"EGeneral:Invalid arguments:{name}")


# Kraken publishes no text for a client order id that is taken; the category and the outcome are its.
_REJECTIONS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.INSUFFICIENT_BALANCE: "EOrder:Insufficient funds",
        Reason.DUPLICATE_ORDER: "EOrder:Duplicate cl_ord_id",
        Reason.WOULD_TAKE: "EOrder:Post only order",
        Reason.WOULD_TRIGGER: "EOrder:Invalid price:Invalid price argument",
        Reason.NO_LIQUIDITY: "EOrder:Invalid order",
        Reason.MARKET_CLOSED: "EService:Market in cancel_only mode",
        Reason.UNKNOWN_ORDER: "EOrder:Unknown order",
    }
)
_FILTERS: Mapping[str, str] = MappingProxyType(
    {
        "PRICE_FILTER": "EGeneral:Invalid arguments:price",
        "LOT_SIZE": "EGeneral:Invalid arguments:volume",
        "MARKET_LOT_SIZE": "EGeneral:Invalid arguments:volume",
        "NOTIONAL": "EOrder:Order minimum not met",
        "MAX_NUM_ORDERS": "EOrder:Orders limit exceeded",
        "MAX_NUM_ALGO_ORDERS": "EOrder:Orders limit exceeded",
    }
)
_SERVER_CODES: Mapping[int, str] = MappingProxyType(
    {
        -1000: INTERNAL_ERROR,
        -1001: INTERNAL_ERROR,
        -1002: "EGeneral:Permission denied",
        -1003: "EAPI:Rate limit exceeded",
        -1006: "EService:Timeout",
        -1007: "EService:Timeout",
        -1008: "EService:Busy",
        -1015: "EOrder:Rate limit exceeded",
        -1016: "EService:Unavailable",
        -1021: "EAPI:Invalid nonce",
        -1022: "EAPI:Invalid signature",
        -2014: "EAPI:Invalid key",
        -2015: "EGeneral:Permission denied",
    }
)


def of_rejection(rejection: EngineRejection) -> KrakenError:
    """Return the engine's refusal in Kraken's words."""
    if rejection.reason is Reason.FILTER:
        return KrakenError(_FILTERS[rejection.detail])
    return KrakenError(_REJECTIONS[rejection.reason])


def of_server_code(code: int) -> str:
    """Return what Kraken says where Binance would answer `code`: faults are scripted in Binance's codes."""
    return _SERVER_CODES.get(code, INTERNAL_ERROR)
