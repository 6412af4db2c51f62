"""The protocol that all dialects share: from a request to a delivery, limits and faults included."""

from __future__ import annotations

import math
from dataclasses import replace

from tradeguard.simulator.dialect import Dialect, ParsedRequest, View
from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.faults import Fault, FaultKind, Phase
from tradeguard.simulator.limits import WeightLimiter
from tradeguard.simulator.replies import broken
from tradeguard.simulator.request_log import RequestLog, RequestRecord
from tradeguard.simulator.venue import Venue
from tradeguard.simulator.wire import Delivery, HttpReply, HttpRequest

__all__ = ["RestProtocol"]

_BENDING = frozenset(
    {
        FaultKind.CLOCK_SKEW,
        FaultKind.LOOKUP_LAG,
        FaultKind.LOOKUP_GAP,
        FaultKind.FROZEN,
        FaultKind.MISSING_VALUES,
        FaultKind.HALF_BUILT,
    }
)


class RestProtocol:
    """Answers requests out of a venue. Not thread-safe.

    Args:
        dialect: how the exchange speaks.
        venue: the exchange.
        faults: what goes wrong.
        limiter: request weights.
        log: where requests are entered.
    """

    def __init__(
        self, dialect: Dialect, venue: Venue, faults: FaultPlan, limiter: WeightLimiter, log: RequestLog
    ) -> None:
        self._dialect = dialect
        self._venue = venue
        self._faults = faults
        self._limiter = limiter
        self._log = log
        self._frozen_ms: dict[Fault, int] = {}
        self._limited: list[tuple[Fault, int]] = []

    def respond(self, request: HttpRequest, now_ms: int) -> Delivery:
        """Carry out a request at `now_ms`, as far as the faults let it come."""
        self._venue.advance(now_ms)
        parsed, fault = self._dialect.parse(request, self._venue), None
        if parsed.unreadable is not None:
            delivery = Delivery(parsed.unreadable)
        else:
            refused = self._refusal(request, parsed, now_ms)
            if refused is None:
                fault = self._faults.draw(parsed.group, parsed.endpoint, self._venue.seed)
                delivery = self._struck(request, parsed, fault, now_ms)
            else:
                delivery = Delivery(refused)
        self._enter(request, parsed, delivery, fault, now_ms)
        return self._with_weight(delivery, request, now_ms)

    def _refusal(self, request: HttpRequest, parsed: ParsedRequest, now_ms: int) -> HttpReply | None:
        """Return the limit or the ban that the address or the endpoint is under, if any."""
        refusal = self._limiter.admit(request.address, parsed.weight, now_ms)
        if refusal is not None and refusal.banned:
            return self._dialect.banned(refusal.until_ms, now_ms)
        if refusal is not None:
            return self._dialect.limited(parsed.group, refusal.until_ms, now_ms, self._limiter.limit)
        self._limited = [(fault, until_ms) for fault, until_ms in self._limited if now_ms < until_ms]
        for fault, until_ms in self._limited:
            if fault.is_for(parsed.group, parsed.endpoint):
                return self._dialect.limited(parsed.group, until_ms, now_ms, self._limiter.limit)
        return None

    def _struck(
        self, request: HttpRequest, parsed: ParsedRequest, fault: Fault | None, now_ms: int
    ) -> Delivery:
        """Carry out the request under `fault`."""
        view = self._view(fault, now_ms)
        if fault is None:
            return Delivery(self._answer(parsed, view))
        match fault.kind:
            case FaultKind.MAINTENANCE:
                return Delivery(
                    self._answer(parsed, view) if parsed.tells_status else self._dialect.maintenance()
                )
            case FaultKind.LIMITED | FaultKind.BANNED:
                return Delivery(self._limit(request, parsed, fault, now_ms))
            case FaultKind.LATE_ACCEPTANCE:
                return self._accept_late(parsed, fault, view)
            case FaultKind.LATE:
                return self._late(parsed, fault, view)
            case kind if kind in _BENDING:
                return Delivery(self._dialect.spoilt(self._answer(parsed, view), fault, view.market_ms))
        acts = fault.phase is Phase.AFTER
        reply = self._answer(parsed, view, fills=fault.fills) if acts else None
        return broken(reply, fault, self._dialect.error)

    def _view(self, fault: Fault | None, now_ms: int) -> View:
        view = View(now_ms=now_ms, market_ms=now_ms, lag_ms=self._venue.visibility_lag_ms)
        kept = (*self._faults.faults, fault)
        self._frozen_ms = {frozen: at for frozen, at in self._frozen_ms.items() if frozen in kept}
        if fault is None:
            return view
        delay_ms = round(fault.delay * 1000)
        match fault.kind:
            case FaultKind.CLOCK_SKEW:
                return replace(view, skew_ms=round(fault.skew * 1000))
            case FaultKind.LOOKUP_LAG:
                return replace(view, lag_ms=max(view.lag_ms, delay_ms))
            case FaultKind.LOOKUP_GAP:
                return replace(view, gap_ms=delay_ms)
            case FaultKind.FROZEN:
                return replace(view, market_ms=self._frozen_ms.setdefault(fault, now_ms))
            case FaultKind.MAINTENANCE:
                return replace(view, in_maintenance=True)
        return view

    def _answer(self, parsed: ParsedRequest, view: View, *, fills: bool = False) -> HttpReply:
        """Check the request and carry it out."""
        refused = parsed.receive(view)
        return self._carried_out(parsed, view, fills=fills) if refused is None else refused

    def _carried_out(self, parsed: ParsedRequest, view: View, *, fills: bool) -> HttpReply:
        """Carry the request out, and let everybody else take what it placed if that is asked for."""
        engine = self._venue.engine
        known = len(engine.register.orders)
        reply = parsed.carry_out(view)
        for order in engine.register.orders[known:] if fills else ():
            if order.status.is_open and order.is_working:
                engine.fill(order)
        return reply

    def _accept_late(self, parsed: ParsedRequest, fault: Fault, view: View) -> Delivery:
        """Give the client an error now, and let the request reach the engine later."""
        refused = parsed.receive(view)
        if refused is not None:
            return Delivery(refused)
        checked_ms = view.now_ms + math.ceil(fault.delay * 1000)
        at_ms = checked_ms + math.ceil(fault.unchecked * 1000)
        late = replace(view, now_ms=at_ms, market_ms=at_ms, checked_ms=checked_ms)
        self._venue.put_off(at_ms, lambda: self._carried_out(parsed, late, fills=fault.fills))
        return broken(None, fault.as_shown(), self._dialect.error)

    def _late(self, parsed: ParsedRequest, fault: Fault, view: View) -> Delivery:
        """Answer after a delay; the request is carried out before it or after it."""
        if fault.phase is Phase.AFTER:
            return Delivery(self._answer(parsed, view, fills=fault.fills), delay=fault.delay)
        refused = parsed.receive(view)

        def resume() -> Delivery:
            if refused is not None:
                return Delivery(refused)
            now_ms = max(self._venue.engine.now_ms, view.now_ms)
            later = replace(view, now_ms=now_ms, market_ms=now_ms)
            return Delivery(self._carried_out(parsed, later, fills=fault.fills))

        return Delivery(delay=fault.delay, resume=resume)

    def _limit(self, request: HttpRequest, parsed: ParsedRequest, fault: Fault, now_ms: int) -> HttpReply:
        until_ms = None if fault.retry_after is None else now_ms + math.ceil(fault.retry_after * 1000)
        if fault.kind is FaultKind.BANNED:
            if until_ms is not None:
                self._limiter.ban(request.address, until_ms, now_ms)
            return self._dialect.banned(until_ms, now_ms)
        if until_ms is not None:
            self._limited.append((fault, until_ms))
        return self._dialect.limited(parsed.group, until_ms, now_ms, self._limiter.limit)

    def _with_weight(self, delivery: Delivery, request: HttpRequest, now_ms: int) -> Delivery:
        if delivery.reply is None:
            return delivery
        told = self._dialect.headers(self._limiter.used(request.address, now_ms))
        return replace(delivery, reply=replace(delivery.reply, headers={**delivery.reply.headers, **told}))

    def _enter(
        self,
        request: HttpRequest,
        parsed: ParsedRequest,
        delivery: Delivery,
        fault: Fault | None,
        now_ms: int,
    ) -> None:
        self._log.add(
            RequestRecord(
                number=0,
                time=now_ms / 1000,
                method=request.method,
                path=request.path,
                group=parsed.group,
                symbol=parsed.symbol,
                client_order_id=parsed.client_order_id,
                weight=parsed.weight,
                status=None if delivery.reply is None else delivery.reply.status,
                fault=None if fault is None else fault.label,
            )
        )
