"""Kraken's spot REST interface, as a dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tradeguard.simulator.customs import Customs
from tradeguard.simulator.dialect import ParsedRequest, View
from tradeguard.simulator.faults import EndpointGroup, Fault
from tradeguard.simulator.kraken import replies
from tradeguard.simulator.kraken.call import Call, Endpoint
from tradeguard.simulator.kraken.ccxt_config import ccxt_config
from tradeguard.simulator.kraken.errors import KrakenError
from tradeguard.simulator.kraken.names import order_id
from tradeguard.simulator.kraken.order_request import check_deadline_form, check_not_late
from tradeguard.simulator.kraken.params import Params
from tradeguard.simulator.kraken.routes import PRIVATE, PUBLIC, ROUTES
from tradeguard.simulator.kraken.signing import Gate, Nonces
from tradeguard.simulator.replies import html_page
from tradeguard.simulator.venue import Credentials, Venue
from tradeguard.simulator.wire import HttpReply, HttpRequest

__all__ = ["KrakenDialect"]

_ORDER_GROUPS = frozenset({EndpointGroup.CREATE, EndpointGroup.CANCEL})


class KrakenDialect:
    """Reads, answers and complains as Kraken does."""

    customs = Customs(order_name=order_id, fees_in_quote=True)

    def __init__(self) -> None:
        self._gate = Gate()
        self._nonces: Nonces | None = None

    def parse(self, request: HttpRequest, venue: Venue) -> ParsedRequest:
        """Understand a request."""
        endpoint = ROUTES.get(request.path)
        if endpoint is None or (endpoint.is_private and request.method != "POST"):
            is_ours = request.path.startswith((PUBLIC, PRIVATE))
            unknown = replies.error_reply("EGeneral:Unknown method")
            return ParsedRequest(unreadable=unknown if is_ours else html_page(404))
        is_json = request.headers.get("content-type", "").startswith("application/json")
        try:
            params = Params.parse(request.query, request.body, is_json=is_json and endpoint.is_private)
        except KrakenError as error:
            return ParsedRequest(group=endpoint.group, unreadable=replies.error_reply(error.text))
        visit = _Visit(self._gate, request, endpoint, params, venue)
        return ParsedRequest(
            group=endpoint.group,
            endpoint=f"{request.method} {request.path}",
            weight=endpoint.weight,
            symbol=params.text("pair"),
            client_order_id=params.text("cl_ord_id"),
            tells_status=endpoint.path.endswith("/SystemStatus"),
            receive=visit.receive,
            carry_out=visit.carry_out,
        )

    def limited(self, group: str, until_ms: int | None, now_ms: int, limit: int | None) -> HttpReply:
        """Return the error that says so, and not for how long."""
        kind = "EOrder" if group in _ORDER_GROUPS else "EAPI"
        return replies.error_reply(f"{kind}:Rate limit exceeded")

    def banned(self, until_ms: int | None, now_ms: int) -> HttpReply:
        """Return the page of the proxy in front of it."""
        return replies.banned(until_ms, now_ms)

    def maintenance(self) -> HttpReply:
        """Return the error that says so."""
        return replies.error_reply("EService:Unavailable")

    def error(self, fault: Fault) -> HttpReply:
        """Return Kraken's words where the fault has a code, else a page."""
        return replies.fault_reply(fault)

    def spoilt(self, reply: HttpReply, fault: Fault, now_ms: int) -> HttpReply:
        """Return market data without the values that a fault takes from it; other answers as they are."""
        return replies.spoilt(reply, fault)

    def headers(self, used: int) -> Mapping[str, str]:
        """Return nothing: Kraken does not tell."""
        return {}

    def ccxt_config(
        self, url: str, credentials: Credentials, time_ms: Callable[[], int] | None
    ) -> dict[str, Any]:
        """Return what `ccxt.kraken` needs; a clock that stands still gets nonces that do not."""
        if time_ms is not None and self._nonces is None:
            self._nonces = Nonces(time_ms)
        return ccxt_config(url, credentials, time_ms, self._nonces)


class _Visit:
    """One request, on its way from the door to the engine."""

    def __init__(
        self, gate: Gate, request: HttpRequest, endpoint: Endpoint, params: Params, venue: Venue
    ) -> None:
        self._gate = gate
        self._request = request
        self._endpoint = endpoint
        self._params = params
        self._venue = venue
        self._account = ""

    def receive(self, view: View) -> HttpReply | None:
        """Check key, signature and nonce, and whether the deadline is one."""
        try:
            if self._endpoint.is_private:
                self._account = self._gate.admit(self._request, self._params, self._venue).account
            check_deadline_form(self._params, view.server_ms)
        except KrakenError as error:
            return replies.error_reply(error.text)
        return None

    def carry_out(self, view: View) -> HttpReply:
        """Answer, unless the deadline has passed: the engine itself looks at it."""
        call = Call(self._venue, self._params, view, self._account)
        try:
            check_not_late(self._params, view.server_ms)
            return replies.result_reply(self._endpoint.handler(call))
        except KrakenError as error:
            return replies.error_reply(error.text)
