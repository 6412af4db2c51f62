"""Placing orders and resolving them, by the protocol of `tradeguard.orders`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from tradeguard.orders import (
    IntentStatus,
    LookUpOutcome,
    OrderIntent,
    SendOutcome,
    drive_async,
    resolve,
    steady_time,
    submit,
)
from tradeguard_ccxt.calls import count_call, failed_call, run
from tradeguard_ccxt.flavours import Flavour, answer_of
from tradeguard_ccxt.look_ups import match_by_client_id, match_in_list, recent_since_ms
from tradeguard_ccxt.operations import Operation
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.reporting import expecting
from tradeguard_ccxt.runtime import ExchangeGuard
from tradeguard_ccxt.tickets import OrderTicket
from tradeguard_ccxt.wire import ORDER_WIRE, Wire

__all__ = ["OrderPlacer", "create_order", "recover_orders"]


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
    if isinstance(params, Mapping) and params.get("test"):
        return await run(
            exchange, operation, original, symbol, args, kwargs
        )  # validated there, and never placed
    parts = parts_of(exchange)
    count_call(exchange, "calls")
    try:
        return await OrderPlacer(exchange, *parts).place(original, *args, **kwargs)
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
        await answer_of(self._exchange.load_markets())
        ticket = self._desk.tickets.write(
            symbol,
            type,
            side,
            amount,
            price,
            {} if params is None else params,
            account=self._desk.state.account(),
        )
        await self._settle_old(ticket.intent.symbol)
        self._desk.admit(ticket)
        now = steady_time(self._guard.clock)
        gateway = _Gateway(self._exchange, self._desk, ticket, original, now)
        former = self._desk.former(ticket)
        steps = submit(ticket.intent, ticket.policy, now, self._desk.describe, former)
        self._desk.depart(ticket)
        try:
            resolution = await drive_async(steps, gateway, self._desk.writer(), self._flavour)
        finally:
            self._desk.arrive(ticket)
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
            gateway = _Gateway(self._exchange, self._desk, ticket, _never_sent, now)
            steps = resolve(intent, ticket.policy, now, self._desk.describe)
            resolution = await drive_async(steps, gateway, self._desk.writer(), self._flavour)
            resolved.append(self._desk.recovered(resolution))
        return resolved

    async def _settle_old(self, symbol: str) -> None:
        """Resolve what a former process left open, and what is still in doubt on this symbol."""
        first = not self._desk.recovered_once
        if first:
            async with self._flavour.exclusive() as entered:  # other first orders wait for that
                if entered and not self._desk.recovered_once:
                    await self.recover()
                    self._desk.recovered_once = True
        if not first and self._guard.interlock.stands("unknown_order", symbol):
            unknown = [i for i in self._desk.unresolved(symbol) if i.status is IntentStatus.UNKNOWN]
            await self.recover(unknown)
            self._desk.release(symbol)

    async def _fetch_placed(self, intent: OrderIntent) -> Any:
        """Return an order that another process found; that it cannot be fetched now must not hide that it exists."""
        try:
            return await answer_of(self._exchange.fetch_order(intent.order_id, intent.symbol))
        except ccxt.BaseError:  # the monitor has it
            known = {name: getattr(intent, name) for name in ("symbol", "type", "side", "amount", "price")}
            known |= {"id": intent.order_id, "clientOrderId": intent.client_order_id, "info": {}}
            return self._exchange.safe_order(known)


class _Gateway:
    """One order's way to the exchange and back.

    Args:
        exchange: the guarded instance.
        desk: its orders.
        ticket: the order.
        original: ccxt's own `create_order`.
        now: the time of the submission.
    """

    def __init__(
        self,
        exchange: Any,
        desk: OrderDesk,
        ticket: OrderTicket,
        original: Callable[..., Any],
        now: Callable[[], float],
    ) -> None:
        self._exchange = exchange
        self._desk = desk
        self._ticket = ticket
        self._original = original
        self._now = now
        self._offset_sent = 0.0  # of a former process nobody knows it

    async def send(self, intent: OrderIntent, sign_by: float) -> SendOutcome:
        clock = parts_of(self._exchange).guard.clock
        # Neither a clock that is set back nor a machine that slept may stretch the window.
        wire = Wire(sign_by, lambda: max(self._now(), clock.time()))
        self._offset_sent = self._offset_ms()
        token = ORDER_WIRE.set(wire)
        try:
            order = await answer_of(
                self._original(
                    self._exchange,
                    intent.symbol,
                    intent.type,
                    intent.side,
                    self._ticket.amount_sent,
                    intent.price,
                    dict(self._ticket.params),
                )
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it must have a verdict
            outcome = self._desk.failed(self._ticket, error, wire)
            if isinstance(error, ccxt.InvalidNonce):
                await self._resync()
            return outcome
        finally:
            ORDER_WIRE.reset(token)
        return self._desk.answered(self._ticket, order)

    async def look_up(self, intent: OrderIntent, thorough: bool) -> LookUpOutcome:
        ticket = self._ticket
        began = self._now()
        try:
            if ticket.client_id is None or not ticket.facts.look_up_by_client_id:
                return LookUpOutcome(error=ccxt.NotSupported("orders cannot be looked up by client id here"))
            order = await self._fetch_by_client_id(ticket.client_id, intent.symbol)
            if order is not None:
                return match_by_client_id(order, ticket, self._offset_ms())
            if not thorough:
                return LookUpOutcome()
            open_orders = await answer_of(self._exchange.fetch_open_orders(intent.symbol))
            since = recent_since_ms(intent, self._offset_ms())
            recent = await answer_of(self._exchange.fetch_orders(intent.symbol, since))
            seen = match_in_list([*open_orders, *recent], ticket, self._offset_ms())
        except Exception as error:  # noqa: BLE001 - a failed look-up proves nothing, whatever failed
            return LookUpOutcome(error=error)
        if seen.absent and self._may_still_arrive(intent, began):
            return LookUpOutcome()
        return seen

    def _offset_ms(self) -> float:
        """Return how far our clock is ahead of the exchange's, as far as we know, in ms."""
        return float(self._exchange.options.get("timeDifference") or 0)

    def _may_still_arrive(self, intent: OrderIntent, began: float) -> bool:
        """Whether it was signed with a stamp further in the exchange's future than was known when it was sent."""
        surplus = (self._offset_ms() - self._offset_sent) / 1000
        if intent.accept_until is None or intent.status is IntentStatus.PENDING or surplus <= 0:
            return False
        return began < intent.accept_until + self._ticket.policy.visibility_lag + surplus

    async def _fetch_by_client_id(self, client_id: str, symbol: str) -> Mapping[str, Any] | None:
        try:
            with expecting(ccxt.OrderNotFound):
                order: Mapping[str, Any] = await answer_of(
                    self._exchange.fetch_order_with_client_order_id(client_id, symbol)
                )
        except ccxt.OrderNotFound:
            return None
        return order

    async def _resync(self) -> None:
        try:
            await answer_of(self._exchange.load_time_difference())
        except ccxt.BaseError as error:
            self._desk.note_resync_failure(error)


def _never_sent(*_: Any) -> Any:
    raise AssertionError("a recovery never sends")
