"""Edits: sent once, journaled as what they are at the exchange, and looked up where their outcome is in doubt.

Where the exchange replaces the order by a new one, the edit is an order of its own, found by its client id. Where it
amends the order in place, the order's own amount and price tell whether it took effect. Where ccxt cancels and creates,
these two are guarded by themselves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from tradeguard_ccxt.calls import run
from tradeguard_ccxt.facts import CAUTIOUS
from tradeguard_ccxt.gateway import AMEND, REPLACE
from tradeguard_ccxt.operations import Operation
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.placing import OrderPlacer, placed_by
from tradeguard_ccxt.tickets import OrderTicket

__all__ = ["edit_order"]


async def edit_order(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Edit an order, at most once.

    Returns:
        The unified order as it stands after the edit.

    Raises:
        OrderAbsentError: the edit surely did not take effect. Where the exchange replaces orders, the former one may
            be cancelled all the same.
        OrderUnknownError: it may have taken effect.
        TradingRestrictedError: the interlock refused it; nothing was journaled or sent.
        ccxt.BaseError: the exchange refused it.
    """
    if original.__module__.endswith("base.exchange"):  # ccxt cancels and creates
        return await run(exchange, operation, original, symbol, args, kwargs)
    return await placed_by(_Editor(exchange, original).edit(*args, **kwargs), exchange, operation, symbol)


class _Editor:
    def __init__(self, exchange: Any, original: Callable[..., Any]) -> None:
        self._exchange = exchange
        self._original = original
        self._placer = OrderPlacer(exchange, *parts_of(exchange))

    async def edit(
        self,
        id: str,  # noqa: A002 - ccxt's own names
        symbol: str,
        type: str,  # noqa: A002
        side: str,
        amount: Any = None,
        price: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        wish = (symbol, type, side, amount, price)
        given = {} if params is None else params
        ticket = await self._placer.ticket(*wish, given, REPLACE)
        if not ticket.facts.edit_replaces:
            ticket = _amending(await self._placer.ticket(*wish, {}, AMEND), id, given)
        await self._placer.admit([ticket])

        def send() -> Any:
            return self._original(
                self._exchange, id, *wish, ticket.params_at(parts_of(self._exchange).guard.clock.time())
            )

        return await self._placer.submit(ticket, send, resends=False)


def _amending(ticket: OrderTicket, order_id: str, params: Mapping[str, Any]) -> OrderTicket:
    """Return the ticket of an edit that leaves the order its id, and its client id, which the caller may name it by."""
    bounds = {key: value for key, value in ticket.params.items() if value != ticket.intent.client_order_id}
    intent = ticket.intent.replace(order_id=str(order_id))
    return dataclasses.replace(ticket, intent=intent, params={**params, **bounds}, facts=CAUTIOUS)
