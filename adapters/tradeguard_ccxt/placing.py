"""Placing orders and resolving them, by the protocol of `tradeguard.orders`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import ccxt

from tradeguard.orders import (
    AsyncGateway,
    OrderIntent,
    Resolution,
    Steps,
    drive_async,
    resolve,
    steady_time,
    submit,
)
from tradeguard_ccxt.calls import failed_call, run
from tradeguard_ccxt.flavours import Flavour, answer_of
from tradeguard_ccxt.gateway import gateway_of
from tradeguard_ccxt.operations import Operation, entered_on
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.runtime import ExchangeGuard
from tradeguard_ccxt.tickets import OrderTicket

__all__ = ["OrderPlacer", "close_position", "create_order", "placed_by", "recover_orders", "trade_once"]


async def create_order(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Place an order exactly once.

    Raises:
        OrderAbsentError: it is certain not to exist; trying again is safe.
        OrderUnknownError: it may exist; trying again is not safe.
        TradingRestrictedError: the interlock refused it; nothing was journaled or sent.
        ccxt.BaseError: the exchange refused it.
    """
    params = kwargs.get("params", args[5] if len(args) > 5 else None)
    if isinstance(params, Mapping) and params.get("test") and symbol is not None:
        await answer_of(exchange.load_markets())
        order_type = kwargs.get("type", args[1] if len(args) > 1 else None)
        if parts_of(exchange).desk.tickets.is_test(symbol, order_type, params):
            return await run(exchange, operation, original, symbol, args, kwargs)
    placing = OrderPlacer(exchange, *parts_of(exchange)).place(original, *args, **kwargs)
    return await placed_by(placing, exchange, operation, symbol)


async def close_position(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Close a position, sent once: it can only reduce, and passes where reduce-only orders do.

    Raises:
        OutcomeUnknownError: nobody can tell whether it took effect; look at the position.
        TradingRestrictedError: trading is halted; nothing was sent.
    """
    return await _once(exchange, operation, original, symbol, args, kwargs, reduces=True)


async def trade_once(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Trade by a call that has no protocol of its own: sent once, and only where new orders may go out.

    Raises:
        OutcomeUnknownError: nobody can tell whether it took effect.
        TradingRestrictedError: the interlock refused it; nothing was sent.
    """
    return await _once(exchange, operation, original, symbol, args, kwargs, reduces=False)


async def _once(
    exchange: Any,
    operation: Operation,
    original: Callable[..., Any],
    symbol: str | None,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    reduces: bool,
) -> Any:
    entered = entered_on(exchange)
    if (
        entered is not None and entered.is_nested
    ):  # a part of a call that was admitted, and that judges the outcome
        return await answer_of(original(exchange, *args, **kwargs))
    parts_of(exchange).desk.admit_unjournaled(symbol, reduces=reduces)
    return await run(exchange, operation, original, symbol, args, kwargs)


async def placed_by(
    placing: Coroutine[Any, Any, Any], exchange: Any, operation: Operation, symbol: str | None
) -> Any:
    """Return what a flow of the order protocol returns; its error leaves as that of a guarded call."""
    try:
        return await placing
    except Exception as error:
        final = failed_call(exchange, operation, symbol, error, None)
        if final is error:
            raise
        raise final from final.__cause__


async def recover_orders(exchange: Any) -> list[OrderIntent]:
    """Resolve every open intent of the account; never sends."""
    return await OrderPlacer(exchange, *parts_of(exchange)).recover()


class OrderPlacer:
    """Runs the order protocol on one guarded instance.

    Args:
        exchange: the guarded instance.
        guard: its guard.
        desk: its orders.
        flavour: how it waits.
    """

    def __init__(self, exchange: Any, guard: ExchangeGuard, desk: OrderDesk, flavour: Flavour) -> None:
        self._exchange = exchange
        self._guard = guard
        self._desk = desk
        self._flavour = flavour

    async def place(
        self,
        original: Callable[..., Any],
        symbol: str,
        type: str,  # noqa: A002 - ccxt's own name
        side: str,
        amount: Any = None,
        price: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> Any:
        """Place one order exactly once; the arguments are those of `create_order`."""
        ticket = await self.ticket(symbol, type, side, amount, price, params)
        await self.admit([ticket])

        def send() -> Any:  # as the caller gave it: an exchange may write 1 and 1.0 out differently
            params = ticket.params_at(self._guard.clock.time())
            return original(self._exchange, symbol, type, side, amount, price, params)

        return await self.submit(ticket, send)

    async def ticket(
        self,
        symbol: str,
        order_type: str,
        side: str,
        amount: Any,
        price: Any,
        params: Mapping[str, Any] | None,
        operation: str = "create_order",
    ) -> OrderTicket:
        """Write out one order."""
        reduces = params is not None and params.get("reduceOnly") in (True, "true")
        if not (reduces and self._exchange.markets):  # a way out does not wait for fresh markets
            await answer_of(self._exchange.load_markets())
        return self._desk.tickets.write(
            symbol,
            order_type,
            side,
            amount,
            price,
            {} if params is None else params,
            account=self._desk.state.account(),
            operation=operation,
        )

    async def admit(self, tickets: Sequence[OrderTicket]) -> None:
        """Resolve what is in doubt, and refuse orders that the interlock forbids, before anything is journaled.

        Raises:
            TradingRestrictedError: says why, and what lifts it.
        """
        for symbol in {ticket.intent.symbol for ticket in tickets}:
            await self._settle_old(symbol)
        for ticket in tickets:
            self._desk.admit(ticket)

    async def submit(self, ticket: OrderTicket, send: Callable[[], Any], *, resends: bool = True) -> Any:
        """Send an admitted order until its outcome is known; returns the unified order."""
        now = steady_time(self._guard.clock)
        gateway = gateway_of(self._exchange, self._desk, ticket, send, now)
        former = self._desk.former(ticket)
        steps = submit(ticket.intent, ticket.policy, now, self._desk.describe, former, resends=resends)
        with self._desk.submitting([ticket]):
            resolution = await self.drive(steps, gateway)
        return await self.concluded(resolution)

    async def drive(self, steps: Steps, gateway: AsyncGateway) -> Resolution:
        """Carry out the steps of the protocol."""
        return await drive_async(steps, gateway, self._desk.writer(), self._flavour)

    async def concluded(self, resolution: Resolution) -> Any:
        """Return the order of a submission that ended well; raise the error of one that did not."""
        order = self._desk.conclude(resolution)
        return await self._fetch_placed(resolution.intent) if order is None else order

    async def recover(self, intents: list[OrderIntent] | None = None) -> list[OrderIntent]:
        """Resolve open intents, all of them unless given; never sends."""
        pending = self._desk.unresolved() if intents is None else intents
        if pending:
            await answer_of(self._exchange.load_markets())
        resolved = []
        for intent in pending:
            ticket = self._desk.tickets.rewrite(intent)
            now = steady_time(self._guard.clock)
            gateway = gateway_of(self._exchange, self._desk, ticket, _never_sent, now)
            steps = resolve(intent, ticket.policy, now, self._desk.describe)
            resolved.append(self._desk.recovered(await self.drive(steps, gateway)))
        return resolved

    async def _settle_old(self, symbol: str) -> None:
        """Resolve what a former process left open, and what is still in doubt on this symbol."""
        account = self._desk.state.account()
        if self._desk.recovered_account != account:
            async with self._flavour.exclusive() as entered:  # the first orders of others wait for that
                if entered and self._desk.recovered_account != account:
                    await self.recover()
                    self._desk.recovered_account = account
        elif self._guard.interlock.stands("unknown_order", symbol):
            await self.recover(self._desk.in_doubt(symbol))
            self._desk.release(symbol)

    async def _fetch_placed(self, intent: OrderIntent) -> Any:
        """Return an order that another process found; that it cannot be fetched now must not hide that it exists."""
        try:
            return await answer_of(self._exchange.fetch_order(intent.order_id, intent.symbol))
        except ccxt.BaseError:  # the monitor has it
            known = {name: getattr(intent, name) for name in ("symbol", "type", "side", "amount", "price")}
            known |= {"id": intent.order_id, "clientOrderId": intent.client_order_id, "info": {}}
            return self._exchange.safe_order(known)


def _never_sent(*_: Any) -> Any:
    raise AssertionError("a recovery never sends")
