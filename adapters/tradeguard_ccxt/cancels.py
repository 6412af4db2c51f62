"""Cancels: repeated until answered, and never believed to have found nothing when it was they who cancelled it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from tradeguard_ccxt.calls import run
from tradeguard_ccxt.errors import OutcomeUnknownError
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.operations import Operation
from tradeguard_ccxt.parts import parts_of

__all__ = ["cancel_order"]


async def cancel_order(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Cancel an order, however often it takes.

    An OrderNotFound after a retry may mean that the first try did it, or that the order was filled meanwhile: the
    order is looked up. A cancelled one is returned as the exchange tells it; of a filled one the exchange's own
    OrderNotFound is raised.

    Raises:
        OutcomeUnknownError: the order could not be looked up: it may be cancelled or filled.
    """
    try:
        return await run(exchange, operation, original, symbol, args, kwargs)
    except ccxt.OrderNotFound as error:
        if int(getattr(error, "context", {}).get("attempts") or 1) <= 1:
            raise
        order_id = kwargs.get("id", args[0] if args else None)
        params = kwargs.get("params", args[2] if len(args) > 2 else None)
        return await _found(exchange, order_id, symbol, {} if params is None else params, error)


async def _found(
    exchange: Any,
    order_id: str | None,
    symbol: str | None,
    params: Mapping[str, Any],
    error: ccxt.OrderNotFound,
) -> Any:
    guard = parts_of(exchange).guard
    try:  # the params may name the order by its client id, or the account that it is in
        order = await answer_of(exchange.fetch_order(order_id, symbol, dict(params)))
    except ccxt.BaseError as failure:
        raise OutcomeUnknownError(
            f"{guard.exchange_id} cancel_order {order_id}: the exchange no longer has it open, and it could not be "
            f"looked up ({failure}): it may be cancelled or filled",
            exchange=guard.exchange_id,
            operation="cancel_order",
            symbol=symbol,
        ) from failure
    if order.get("status") not in ("canceled", "expired"):
        raise error
    guard.monitor.record_rescue(
        "cancel_found", "orders", operation="cancel_order", detail={"order_id": order_id, "symbol": symbol}
    )
    return order
