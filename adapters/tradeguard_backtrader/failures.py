# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed call says: wait, give up, or that an order is certain not to exist."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any

import ccxt

from tradeguard.exceptions import DataFeedException
from tradeguard.orders.errors import (
    JournalError,
    OrderAbsentError,
    OutcomeUnknownError,
    TradingRestrictedError,
)

__all__ = [
    "CallFailedError",
    "StaleAnswerError",
    "ask",
    "is_denied",
    "is_rejection",
    "is_unknown_symbol",
    "passes",
    "unknown_symbol_error",
    "wait_hint",
]

# What the exchange says only when it has not taken the order; each of them is an `OrderAbsent` in ccxt's words.
_REFUSALS = (
    ccxt.ArgumentsRequired,
    ccxt.AuthenticationError,
    ccxt.BadRequest,
    ccxt.InsufficientFunds,
    ccxt.InvalidOrder,
    ccxt.InvalidProxySettings,
    ccxt.NotSupported,
    ccxt.OperationRejected,
)
# Two that ccxt files under InvalidOrder: the order was taken before, or was taken and cannot be found yet.
_DOUBTFUL = (ccxt.DuplicateOrderId, ccxt.OrderNotFound)
_NEVER_SENT = (JournalError, OrderAbsentError, TradingRestrictedError)
_PASSING = (*_NEVER_SENT, ccxt.AuthenticationError, ccxt.MarketClosed)


class StaleAnswerError(Exception):
    """The answer came from a cache: the exchange itself did not answer."""


class CallFailedError(Exception):
    """A call to the exchange failed.

    Attributes:
        error: what it raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def ask(method: Callable[..., Any], *arguments: Any) -> Any:
    """Call the exchange and return its answer.

    Raises:
        CallFailedError: whatever went wrong there; an answer from a cache is none.
    """
    try:
        answer = method(*arguments)
    except Exception as error:
        # ccxt raises anything at all on an answer that it cannot read, a bare KeyError included.
        raise CallFailedError(error) from error
    if getattr(answer, "is_stale", False):
        age = getattr(answer, "age", None)
        raise CallFailedError(StaleAnswerError(f"only an answer from the cache, {age} s old"))
    return answer


def is_denied(error: BaseException) -> bool:
    """Whether the exchange refuses the key, or refuses to serve us at all."""
    return isinstance(error, ccxt.AuthenticationError)


def is_unknown_symbol(error: BaseException) -> bool:
    """Whether the exchange has no such market."""
    return isinstance(error, ccxt.BadSymbol)


def is_rejection(error: BaseException) -> bool:
    """Whether an order that failed with `error` is certain not to be at the exchange.

    Everything else leaves it open: a time-out, a dropped connection or an error that nobody has seen before may
    well have come after the order was accepted.
    """
    if isinstance(error, (OutcomeUnknownError, *_DOUBTFUL)) or "duplicate" in str(error).lower():
        return False
    return isinstance(error, _NEVER_SENT + _REFUSALS)


def passes(error: BaseException) -> bool:
    """Whether what kept an order from being placed has nothing to do with the order, and may pass."""
    return isinstance(error, _PASSING)


def wait_hint(error: BaseException) -> float | None:
    """Return the seconds after which a call may help again, where the error tells."""
    hint = getattr(error, "retry_after", None)
    if isinstance(hint, bool) or not isinstance(hint, (int, float)):
        return None
    return max(float(hint), 0.0)


def unknown_symbol_error(exchange: Any, symbol: str, known: Sequence[str]) -> DataFeedException:
    """Return the error that names a symbol that the exchange does not have, and what comes close to it."""
    alike = difflib.get_close_matches(symbol, known, n=3)
    meant = f"; did you mean {' or '.join(alike)}?" if alike else ""
    return DataFeedException(
        f"{getattr(exchange, 'id', 'the exchange')} has no symbol {symbol!r}{meant}",
        component="tradeguard_backtrader",
        symbol=symbol,
    )
