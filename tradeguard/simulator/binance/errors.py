"""Binance's errors: HTTP status, code and message.

Source: https://developers.binance.com/docs/binance-spot-api-docs/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tradeguard.simulator.rejections import EngineRejection, Reason

__all__ = ["SERVER_MESSAGES", "BinanceError", "of_rejection"]


class BinanceError(Exception):
    """An error answer.

    Attributes:
        code: Binance's, negative.
        message: Binance's.
        status: of HTTP.
        data: further fields of the answer.
    """

    def __init__(
        self, code: int, message: str, status: int = 400, data: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status
        self.data = data

    def payload(self) -> dict[str, object]:
        """Return the body of the answer."""
        body: dict[str, object] = {"code": self.code, "msg": self.message}
        if self.data is not None:
            body["data"] = self.data
        return body


SERVER_MESSAGES: Mapping[int, str] = MappingProxyType(
    {
        -1000: "An unknown error occurred while processing the request.",
        -1001: "Internal error; unable to process your request. Please try again.",
        -1006: "An unexpected response was received from the message bus. Execution status unknown.",
        -1007: "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown.",
        -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
        -1002: "You are not authorized to execute this request.",
        -1003: "Too many requests queued.",
        -1015: "Too many new orders.",
        -1016: "This service is no longer available.",
        -1021: "Timestamp for this request is outside of the recvWindow.",
        -1022: "Signature for this request is not valid.",
        -2014: "API-key format invalid.",
        -2015: "Invalid API-key, IP, or permissions for action.",
    }
)
"""What Binance says with the codes that a fault may answer."""

_REJECTIONS: Mapping[Reason, tuple[int, str]] = MappingProxyType(
    {
        Reason.INSUFFICIENT_BALANCE: (-2010, "Account has insufficient balance for requested action."),
        Reason.DUPLICATE_ORDER: (-2010, "Duplicate order sent."),
        Reason.WOULD_TAKE: (-2010, "Order would immediately match and take."),
        Reason.WOULD_TRIGGER: (-2010, "Order would trigger immediately."),
        Reason.NO_LIQUIDITY: (
            -2010,
            "Order book liquidity is less than `LOT_SIZE` filter minimum quantity.",
        ),
        Reason.MARKET_CLOSED: (-1013, "Market is closed."),
        Reason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    }
)


def of_rejection(rejection: EngineRejection) -> BinanceError:
    """Return the engine's refusal in Binance's words."""
    if rejection.reason is Reason.FILTER:
        return BinanceError(-1013, f"Filter failure: {rejection.detail}")
    code, message = _REJECTIONS[rejection.reason]
    return BinanceError(code, message)
