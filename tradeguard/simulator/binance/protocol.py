"""Binance's spot REST protocol: from a request to a delivery, faults included."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from tradeguard.simulator.binance.call import Call, Endpoint, View
from tradeguard.simulator.binance.errors import SERVER_MESSAGES, BinanceError
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.binance.routes import ROUTES
from tradeguard.simulator.binance.signing import authenticate, check_age, check_signature
from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.faults import Fault, FaultKind, Phase
from tradeguard.simulator.limits import WeightLimiter
from tradeguard.simulator.request_log import RequestLog, RequestRecord
from tradeguard.simulator.venue import Venue
from tradeguard.simulator.wire import Delivery, HttpReply, HttpRequest, Manner

__all__ = ["BinanceProtocol"]

_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
_TITLES = {
    200: "Please wait",
    404: "404 Not Found",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


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
        if endpoint is None:
            self._enter(request, None, 0, 404, None, now_ms)
            return Delivery(_page(404))
        try:
            params = Params.parse(request.query, request.body)
            weight = endpoint.cost(params)
        except BinanceError as error:
            self._enter(request, None, 1, error.status, None, now_ms)
            return Delivery(_json(error.payload(), error.status))
        refused = self._refusal(request, endpoint, weight, now_ms)
        if refused is not None:
            self._enter(request, params, weight, refused.status, None, now_ms, endpoint)
            return Delivery(refused)
        fault = self._faults.draw(endpoint.group, endpoint.name, self._venue.seed)
        delivery = self._struck(request, endpoint, params, fault, now_ms)
        status = delivery.reply.status if delivery.reply is not None else None
        self._enter(request, params, weight, status, fault, now_ms, endpoint)
        if delivery.reply is not None:
            used = str(self._limiter.used(request.address, now_ms))
            headers = {**delivery.reply.headers, "X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used}
            delivery = replace(delivery, reply=replace(delivery.reply, headers=headers))
        return delivery

    def _refusal(
        self, request: HttpRequest, endpoint: Endpoint, weight: int, now_ms: int
    ) -> HttpReply | None:
        """Return the 429 or 418 that the address or the endpoint is under, if any."""
        refusal = self._limiter.admit(request.address, weight, now_ms)
        if refusal is not None:
            return _too_many(418 if refusal.banned else 429, refusal.until_ms, now_ms, self._limiter.limit)
        self._limited = [(fault, until_ms) for fault, until_ms in self._limited if now_ms < until_ms]
        for fault, until_ms in self._limited:
            if fault.is_for(endpoint.group, endpoint.name):
                return _too_many(429, until_ms, now_ms, self._limiter.limit)
        return None

    def _struck(
        self, request: HttpRequest, endpoint: Endpoint, params: Params, fault: Fault | None, now_ms: int
    ) -> Delivery:
        """Carry out the request under `fault`."""
        self._venue.in_maintenance = fault is not None and fault.kind is FaultKind.MAINTENANCE
        view = self._view(fault, now_ms)
        if fault is None:
            return Delivery(self._answer(request, endpoint, params, view, view))
        if fault.kind is FaultKind.LATE_ACCEPTANCE:
            at_ms = now_ms + math.ceil(fault.delay * 1000)
            late = replace(view, now_ms=at_ms, market_ms=at_ms)
            self._venue.put_off(at_ms, lambda: self._answer(request, endpoint, params, view, late))
            return Delivery(manner=Manner.RESET)
        if fault.kind is FaultKind.LATE:
            return self._late(request, endpoint, params, fault, view)
        if fault.kind in (FaultKind.LIMITED, FaultKind.BANNED):
            return Delivery(self._limit(request, fault, now_ms))
        if fault.kind is FaultKind.MAINTENANCE and not request.path.endswith("/system/status"):
            return Delivery(_page(503))
        bends = fault.kind in _BENDING
        reply = None
        if bends or fault.phase is Phase.AFTER:
            reply = self._answer(request, endpoint, params, view, view)
        return Delivery(_spoilt(reply, fault)) if bends else _broken(reply, fault)

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
            params.check_known(endpoint.params)
            if endpoint.signed:
                credentials = authenticate(request, self._venue)
                check_age(params, received.server_ms)
                check_signature(request, params, credentials)
                check_age(params, view.server_ms)
                call.account = credentials.account
            return _json(endpoint.handler(call), 200)
        except BinanceError as error:
            return _json(error.payload(), error.status)

    def _late(
        self, request: HttpRequest, endpoint: Endpoint, params: Params, fault: Fault, view: View
    ) -> Delivery:
        if fault.phase is Phase.AFTER:
            return Delivery(self._answer(request, endpoint, params, view, view), delay=fault.delay)

        def resume() -> Delivery:
            now_ms = max(self._venue.engine.now_ms, view.now_ms)
            later = replace(view, now_ms=now_ms, market_ms=now_ms)
            return Delivery(self._answer(request, endpoint, params, view, later))

        return Delivery(delay=fault.delay, resume=resume)

    def _limit(self, request: HttpRequest, fault: Fault, now_ms: int) -> HttpReply:
        until_ms = now_ms + math.ceil(fault.retry_after * 1000)
        if fault.kind is FaultKind.BANNED:
            self._limiter.ban(request.address, until_ms, now_ms)
            return _too_many(418, until_ms, now_ms, self._limiter.limit)
        self._limited.append((fault, until_ms))
        return _too_many(429, until_ms, now_ms, self._limiter.limit)

    def _enter(
        self,
        request: HttpRequest,
        params: Params | None,
        weight: int,
        status: int | None,
        fault: Fault | None,
        now_ms: int,
        endpoint: Endpoint | None = None,
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
                status=status,
                fault=None if fault is None else fault.label,
            )
        )


_BENDING = frozenset(
    {
        FaultKind.CLOCK_SKEW,
        FaultKind.LOOKUP_LAG,
        FaultKind.FROZEN,
        FaultKind.MISSING_VALUES,
        FaultKind.HALF_BUILT,
        FaultKind.MAINTENANCE,
    }
)


def _broken(reply: HttpReply | None, fault: Fault) -> Delivery:
    """Return how a fault of the connection or the server shows."""
    match fault.kind:
        case FaultKind.DROPPED:
            return Delivery(manner=Manner.RESET)
        case FaultKind.HUNG:
            return Delivery(manner=Manner.HANG)
        case FaultKind.TRUNCATED:
            body = reply.body if reply is not None else b'{"symbol":"'
            return Delivery(HttpReply(200, body[: max(1, len(body) // 2)]))
        case FaultKind.EMPTY:
            return Delivery(HttpReply(200, b""))
        case FaultKind.HTML:
            return Delivery(_page(200))
        case _ if fault.code is None:
            return Delivery(_page(fault.status))
        case _:
            message = SERVER_MESSAGES.get(fault.code, "Internal error.")
            return Delivery(_json({"code": fault.code, "msg": message}, fault.status))


def _spoilt(reply: HttpReply | None, fault: Fault) -> HttpReply | None:
    """Return klines without the values that the fault takes from the newest; other answers as they are."""
    if reply is None or fault.kind not in (FaultKind.MISSING_VALUES, FaultKind.HALF_BUILT):
        return reply
    rows = json.loads(reply.body)
    if reply.status != 200 or not isinstance(rows, list) or not rows or not isinstance(rows[-1], list):
        return reply
    if fault.kind is FaultKind.HALF_BUILT:
        rows[-1] = rows[-1][:3]
    else:
        rows[-1][4] = rows[-1][5] = None
    return _json(rows, 200)


def _json(payload: object, status: int) -> HttpReply:
    return HttpReply(status, json.dumps(payload, separators=(",", ":")).encode())


def _page(status: int) -> HttpReply:
    return HttpReply(status, _PAGE.format(_TITLES[status]).encode(), "text/html")


def _too_many(status: int, until_ms: int, now_ms: int, limit: int | None) -> HttpReply:
    wait = max(0, math.ceil((until_ms - now_ms) / 1000))
    if status == 418:
        message = f"Way too much request weight used; IP banned until {until_ms}. "
    else:
        message = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
    payload = {"code": -1003, "msg": message + "Please use WebSocket Streams for live updates to avoid bans."}
    return replace(_json(payload, status), headers={"Retry-After": str(wait)})
