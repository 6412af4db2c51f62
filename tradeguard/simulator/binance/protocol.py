"""Binance's spot REST protocol: from a request to a delivery, faults included."""

from __future__ import annotations

import math
from dataclasses import replace

from tradeguard.simulator.binance.call import Call, Endpoint, View
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.binance.replies import (
    broken,
    error_reply,
    html_page,
    json_reply,
    maintenance,
    spoilt,
    too_many,
)
from tradeguard.simulator.binance.routes import ROUTES
from tradeguard.simulator.binance.signing import authenticate, check_age, check_signature
from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.faults import Fault, FaultKind, Phase
from tradeguard.simulator.limits import WeightLimiter
from tradeguard.simulator.request_log import RequestLog, RequestRecord
from tradeguard.simulator.venue import Venue
from tradeguard.simulator.wire import Delivery, HttpReply, HttpRequest, Manner

__all__ = ["BinanceProtocol"]

_BENDING = frozenset(
    {
        FaultKind.CLOCK_SKEW,
        FaultKind.LOOKUP_LAG,
        FaultKind.FROZEN,
        FaultKind.MISSING_VALUES,
        FaultKind.HALF_BUILT,
    }
)


class BinanceProtocol:
    """Answers requests out of a venue. Not thread-safe.

    Args:
        venue: the exchange.
        faults: what goes wrong.
        limiter: request weights.
        log: where requests are entered.
    """

    def __init__(self, venue: Venue, faults: FaultPlan, limiter: WeightLimiter, log: RequestLog) -> None:
        self._venue = venue
        self._faults = faults
        self._limiter = limiter
        self._log = log
        self._frozen_ms: dict[Fault, int] = {}
        self._limited: list[tuple[Fault, int]] = []

    def respond(self, request: HttpRequest, now_ms: int) -> Delivery:
        """Carry out a request at `now_ms`, as far as the faults let it come."""
        self._venue.advance(now_ms)
        endpoint = ROUTES.get((request.method, request.path))
        params, weight, fault = None, 1, None
        if endpoint is None:
            delivery = Delivery(html_page(404))
        else:
            try:
                params = Params.parse(request.query, request.body)
                weight = endpoint.cost(params)
            except BinanceError as error:
                delivery = Delivery(json_reply(error.payload(), error.status))
            else:
                refused = self._refusal(request, endpoint, weight, now_ms)
                if refused is None:
                    fault = self._faults.draw(endpoint.group, endpoint.name, self._venue.seed)
                    delivery = self._struck(request, endpoint, params, fault, now_ms)
                else:
                    delivery = Delivery(refused)
        self._enter(request, endpoint, params, weight, delivery, fault, now_ms)
        return self._with_weight(delivery, request, now_ms)

    def _refusal(
        self, request: HttpRequest, endpoint: Endpoint, weight: int, now_ms: int
    ) -> HttpReply | None:
        """Return the 429 or 418 that the address or the endpoint is under, if any."""
        refusal = self._limiter.admit(request.address, weight, now_ms)
        if refusal is not None:
            return too_many(418 if refusal.banned else 429, refusal.until_ms, now_ms, self._limiter.limit)
        self._limited = [(fault, until_ms) for fault, until_ms in self._limited if now_ms < until_ms]
        for fault, until_ms in self._limited:
            if fault.is_for(endpoint.group, endpoint.name):
                return too_many(429, until_ms, now_ms, self._limiter.limit)
        return None

    def _struck(
        self, request: HttpRequest, endpoint: Endpoint, params: Params, fault: Fault | None, now_ms: int
    ) -> Delivery:
        """Carry out the request under `fault`."""
        view = self._view(fault, now_ms)
        self._venue.in_maintenance = fault is not None and fault.kind is FaultKind.MAINTENANCE
        if fault is None:
            return Delivery(self._answer(request, endpoint, params, view, view))
        if fault.kind is FaultKind.MAINTENANCE:
            asks = endpoint.path.endswith("/system/status")
            return Delivery(self._answer(request, endpoint, params, view, view) if asks else maintenance())
        if fault.kind in (FaultKind.LIMITED, FaultKind.BANNED):
            return Delivery(self._limit(request, fault, now_ms))
        if fault.kind is FaultKind.LATE_ACCEPTANCE:
            return self._accept_late(request, endpoint, params, fault, view)
        if fault.kind is FaultKind.LATE:
            return self._late(request, endpoint, params, fault, view)
        if fault.kind in _BENDING:
            return Delivery(
                spoilt(self._answer(request, endpoint, params, view, view), fault, view.market_ms)
            )
        acts = fault.phase is Phase.AFTER
        return broken(self._answer(request, endpoint, params, view, view) if acts else None, fault)

    def _view(self, fault: Fault | None, now_ms: int) -> View:
        lag_ms, skew_ms, market_ms = self._venue.visibility_lag_ms, 0, now_ms
        kept = (*self._faults.faults, fault)
        self._frozen_ms = {frozen: at for frozen, at in self._frozen_ms.items() if frozen in kept}
        if fault is not None and fault.kind is FaultKind.CLOCK_SKEW:
            skew_ms = round(fault.skew * 1000)
        elif fault is not None and fault.kind is FaultKind.LOOKUP_LAG:
            lag_ms = max(lag_ms, round(fault.delay * 1000))
        elif fault is not None and fault.kind is FaultKind.FROZEN:
            market_ms = self._frozen_ms.setdefault(fault, now_ms)
        return View(now_ms=now_ms, skew_ms=skew_ms, market_ms=market_ms, lag_ms=lag_ms)

    def _answer(
        self, request: HttpRequest, endpoint: Endpoint, params: Params, received: View, view: View
    ) -> HttpReply:
        """Carry the request out; its age is checked on receipt and again before the engine sees it."""
        call = Call(self._venue, params, view)
        try:
            if endpoint.params is not None:
                params.check_known(endpoint.params)
            if endpoint.keyed:
                call.account = authenticate(request, self._venue).account
            if endpoint.signed:
                credentials = authenticate(request, self._venue)
                check_age(params, received.server_ms)
                check_signature(request, params, credentials)
                check_age(params, view.server_ms)
                call.account = credentials.account
            return json_reply(endpoint.handler(call))
        except BinanceError as error:
            return json_reply(error.payload(), error.status)

    def _accept_late(
        self, request: HttpRequest, endpoint: Endpoint, params: Params, fault: Fault, view: View
    ) -> Delivery:
        """Give the client an error now, and let the request reach the engine later."""
        at_ms = view.now_ms + math.ceil(fault.delay * 1000)
        late = replace(view, now_ms=at_ms, market_ms=at_ms)
        self._venue.put_off(at_ms, lambda: self._answer(request, endpoint, params, view, late))
        return Delivery(manner=Manner.RESET) if fault.code is None else Delivery(error_reply(fault))

    def _late(
        self, request: HttpRequest, endpoint: Endpoint, params: Params, fault: Fault, view: View
    ) -> Delivery:
        """Answer after a delay; the request is carried out before it or after it."""
        if fault.phase is Phase.AFTER:
            return Delivery(self._answer(request, endpoint, params, view, view), delay=fault.delay)

        def resume() -> Delivery:
            now_ms = max(self._venue.engine.now_ms, view.now_ms)
            later = replace(view, now_ms=now_ms, market_ms=now_ms)
            return Delivery(self._answer(request, endpoint, params, view, later))

        return Delivery(delay=fault.delay, resume=resume)

    def _limit(self, request: HttpRequest, fault: Fault, now_ms: int) -> HttpReply:
        status = 418 if fault.kind is FaultKind.BANNED else 429
        if fault.retry_after is None:
            return too_many(status, None, now_ms, self._limiter.limit)
        until_ms = now_ms + math.ceil(fault.retry_after * 1000)
        if fault.kind is FaultKind.BANNED:
            self._limiter.ban(request.address, until_ms, now_ms)
        else:
            self._limited.append((fault, until_ms))
        return too_many(status, until_ms, now_ms, self._limiter.limit)

    def _with_weight(self, delivery: Delivery, request: HttpRequest, now_ms: int) -> Delivery:
        if delivery.reply is None:
            return delivery
        used = str(self._limiter.used(request.address, now_ms))
        headers = {**delivery.reply.headers, "X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
        return replace(delivery, reply=replace(delivery.reply, headers=headers))

    def _enter(
        self,
        request: HttpRequest,
        endpoint: Endpoint | None,
        params: Params | None,
        weight: int,
        delivery: Delivery,
        fault: Fault | None,
        now_ms: int,
    ) -> None:
        def sent(*names: str) -> str | None:
            found = (params.peek(name) for name in names) if params is not None else ()
            return next((value for value in found if value), None)

        self._log.add(
            RequestRecord(
                number=0,
                time=now_ms / 1000,
                method=request.method,
                path=request.path,
                group="" if endpoint is None else endpoint.group,
                symbol=sent("symbol"),
                client_order_id=sent("newClientOrderId", "origClientOrderId"),
                weight=weight,
                status=None if delivery.reply is None else delivery.reply.status,
                fault=None if fault is None else fault.label,
            )
        )
