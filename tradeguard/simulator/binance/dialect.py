"""Binance's REST interfaces, as dialects: what spot and futures share, and spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tradeguard.simulator.binance import replies
from tradeguard.simulator.binance.call import Call, Endpoint
from tradeguard.simulator.binance.ccxt_config import ccxt_config
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.binance.routes import ROUTES
from tradeguard.simulator.binance.signing import authenticate, check_age, check_signature
from tradeguard.simulator.customs import SPOT, Customs
from tradeguard.simulator.dialect import ParsedRequest, View
from tradeguard.simulator.faults import Fault
from tradeguard.simulator.replies import html_page, json_reply
from tradeguard.simulator.venue import Credentials, Venue
from tradeguard.simulator.wire import HttpReply, HttpRequest

__all__ = ["BinanceDialect", "ConfigMaker"]

_CLIENT_IDS = ("newClientOrderId", "origClientOrderId", "clientAlgoId", "withdrawOrderId")

ConfigMaker = Callable[[str, Credentials, Callable[[], int] | None], dict[str, Any]]
"""Makes ccxt's configuration of a URL, an account's keys, and a clock if it needs one."""


class BinanceDialect:
    """Reads, answers and complains as Binance does; on its spot market, unless told otherwise.

    Args:
        routes: the endpoints, by method and path.
        customs: how orders are named and fees taken, and what is traded.
        config: makes the configuration of ccxt's class.
    """

    def __init__(
        self,
        routes: Mapping[tuple[str, str], Endpoint] = ROUTES,
        customs: Customs = SPOT,
        config: ConfigMaker = ccxt_config,
    ) -> None:
        self.customs = customs
        self._routes = routes
        self._config = config

    def parse(self, request: HttpRequest, venue: Venue) -> ParsedRequest:
        """Understand a request."""
        endpoint = self._routes.get((request.method, request.path))
        if endpoint is None:
            return ParsedRequest(unreadable=html_page(404))
        try:
            params = Params.parse(request.query, request.body)
            weight = endpoint.cost(params)
        except BinanceError as error:
            return ParsedRequest(group=endpoint.group, unreadable=_error(error))
        visit = _Visit(request, endpoint, params, venue)
        return ParsedRequest(
            group=endpoint.group,
            endpoint=endpoint.name,
            weight=weight,
            symbol=params.peek("symbol"),
            client_order_id=next(filter(None, map(params.peek, _CLIENT_IDS)), None),
            tells_status=endpoint.path.endswith("/system/status"),
            receive=visit.receive,
            carry_out=visit.carry_out,
        )

    def limited(self, group: str, until_ms: int | None, now_ms: int, limit: int | None) -> HttpReply:
        """Return a 429 with Retry-After."""
        return replies.too_many(429, until_ms, now_ms, limit)

    def banned(self, until_ms: int | None, now_ms: int) -> HttpReply:
        """Return a 418 with Retry-After."""
        return replies.too_many(418, until_ms, now_ms, None)

    def maintenance(self) -> HttpReply:
        """Return a 503 that says so."""
        return replies.maintenance()

    def error(self, fault: Fault) -> HttpReply:
        """Return Binance's JSON where the fault has a code, else a page."""
        return replies.error_reply(fault)

    def spoilt(self, reply: HttpReply, fault: Fault, now_ms: int) -> HttpReply:
        """Return market data without the values that a fault takes from it; other answers as they are."""
        return replies.spoilt(reply, fault, now_ms)

    def headers(self, used: int) -> Mapping[str, str]:
        """Return the headers that tell the weight used."""
        return {"X-MBX-USED-WEIGHT": str(used), "X-MBX-USED-WEIGHT-1M": str(used)}

    def ccxt_config(
        self, url: str, credentials: Credentials, time_ms: Callable[[], int] | None
    ) -> dict[str, Any]:
        """Return what ccxt's class needs."""
        return self._config(url, credentials, time_ms)


class _Visit:
    """One request, on its way from the door to the engine."""

    def __init__(self, request: HttpRequest, endpoint: Endpoint, params: Params, venue: Venue) -> None:
        self._request = request
        self._endpoint = endpoint
        self._params = params
        self._venue = venue
        self._account = ""

    def receive(self, view: View) -> HttpReply | None:
        """Check parameters, key, age and signature."""
        try:
            if self._endpoint.params is not None:
                self._params.check_known(self._endpoint.params)
            if self._endpoint.keyed:
                self._account = authenticate(self._request, self._venue).account
            if self._endpoint.signed:
                credentials = authenticate(self._request, self._venue)
                check_age(self._params, view.server_ms)
                check_signature(self._request, self._params, credentials)
                self._account = credentials.account
        except BinanceError as error:
            return _error(error)
        return None

    def carry_out(self, view: View) -> HttpReply:
        """Check the age again, before the engine sees the request, and answer."""
        call = Call(self._venue, self._params, view, self._account)
        try:
            if self._endpoint.signed:
                check_age(self._params, view.expiry_ms)
            return json_reply(self._endpoint.handler(call))
        except BinanceError as error:
            return _error(error)


def _error(error: BinanceError) -> HttpReply:
    return json_reply(error.payload(), error.status)
