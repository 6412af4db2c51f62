"""Cancels: repeated until answered, and never believed to have found nothing when it was they who cancelled it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ccxt

from tradeguard_ccxt.calls import run
from tradeguard_ccxt.errors import OutcomeUnknownError
from tradeguard_ccxt.flavours import answer_of
from tradeguard_ccxt.operations import Operation
from tradeguard_ccxt.parts import parts_of

__all__ = ["cancel_all_orders", "cancel_order", "cancel_orders"]


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
        if not _may_be_its_own_doing(error):
            raise
        return await _found(
            exchange, kwargs.get("id", args[0] if args else None), symbol, _params(args, kwargs), error
        )


async def cancel_orders(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Cancel several orders by their ids, however often it takes.

    Where an OrderNotFound after a retry may be its own doing, each order is looked up, and returned as the exchange
    tells it; if one was filled, the exchange's own OrderNotFound is raised.

    Raises:
        OutcomeUnknownError: one could not be looked up.
    """
    try:
        return await run(exchange, operation, original, symbol, args, kwargs)
    except ccxt.OrderNotFound as error:
        if not _may_be_its_own_doing(error):
            raise
        ids: Sequence[str] = kwargs.get("ids", args[0] if args else [])
        params = _params(args, kwargs)
        return [await _found(exchange, order_id, symbol, params, error) for order_id in ids]


async def cancel_all_orders(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Cancel all open orders, however often it takes.

    Where an OrderNotFound after a retry may be its own doing, the open orders are read: if none is left, that is what
    was wanted, and an empty list is returned, since nobody can tell any more which ones it was.

    Raises:
        OutcomeUnknownError: the open orders could not be read.
    """
    try:
        return await run(exchange, operation, original, symbol, args, kwargs)
    except ccxt.OrderNotFound as error:
        if not _may_be_its_own_doing(error):
            raise
        try:
            left = await answer_of(exchange.fetch_open_orders(symbol))
        except ccxt.BaseError as failure:
            raise _unknown(exchange, "cancel_all_orders", "the orders", symbol, failure) from failure
        if left:
            raise
        parts_of(exchange).guard.monitor.record_rescue(
            "cancel_found", "orders", operation="cancel_all_orders", detail={"symbol": symbol}
        )
        return []


def _may_be_its_own_doing(error: ccxt.OrderNotFound) -> bool:
    """Whether a former attempt of the same call may have cancelled what is not found now.

    Kraken's class raises an OrderNotFound of its own over the answer, which alone tells of the attempts. What else the
    caller was handling stands further behind, and is of another operation.
    """
    own = getattr(error, "context", {}).get("operation")
    answer: BaseException | None = error
    while answer is not None:
        told = getattr(answer, "context", {})
        if told.get("operation") == own and int(told.get("attempts") or 1) > 1:
            return True
        answer = answer.__cause__ or answer.__context__
    return False


def _params(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
    """Return the params of `cancel_order(id, symbol, params)` or `cancel_orders(ids, symbol, params)`."""
    params = kwargs.get("params", args[2] if len(args) > 2 else None)
    return {} if params is None else params


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
        raise _unknown(exchange, "cancel_order", f"order {order_id}", symbol, failure) from failure
    if order.get("status") not in ("canceled", "expired"):
        raise error
    guard.monitor.record_rescue(
        "cancel_found", "orders", operation="cancel_order", detail={"order_id": order_id, "symbol": symbol}
    )
    return order


def _unknown(
    exchange: Any, operation: str, what: str, symbol: str | None, failure: ccxt.BaseError
) -> OutcomeUnknownError:
    exchange_id = parts_of(exchange).guard.exchange_id
    return OutcomeUnknownError(
        f"{exchange_id} {operation}: the exchange no longer has {what} open, and a look-up failed ({failure}): "
        "cancelled or filled, nobody can tell",
        exchange=exchange_id,
        operation=operation,
        symbol=symbol,
    )
