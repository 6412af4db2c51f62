"""A dialect: how one exchange's REST interface is spoken. Server, faults, limits and venue are shared by all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tradeguard.simulator.customs import Customs
from tradeguard.simulator.faults import Fault
from tradeguard.simulator.orders import Order
from tradeguard.simulator.register import OrderRegister
from tradeguard.simulator.venue import Credentials, Venue
from tradeguard.simulator.wire import HttpReply, HttpRequest

__all__ = ["Dialect", "ParsedRequest", "View"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How one request sees the exchange; faults bend it.

    Attributes:
        now_ms: epoch milliseconds of exchange time.
        skew_ms: how far the clock that the client sees is ahead of it.
        market_ms: the time up to which market data is shown.
        lag_ms: how long new orders are invisible.
        gap_ms: the account's newest order is missing from what is shown, if it is younger than this.
        checked_ms: when the expiry of a request was checked last, on its way to the engine; None is now.
        in_maintenance: whether the exchange says that it is down.
    """

    now_ms: int
    skew_ms: int = 0
    market_ms: int
    lag_ms: int = 0
    gap_ms: int = 0
    checked_ms: int | None = None
    in_maintenance: bool = False

    @property
    def server_ms(self) -> int:
        """The time that the client sees."""
        return self.now_ms + self.skew_ms

    @property
    def expiry_ms(self) -> int:
        """The exchange's time by which the last check before the engine judged the request's age."""
        return (self.now_ms if self.checked_ms is None else self.checked_ms) + self.skew_ms

    def shows(self, order: Order, register: OrderRegister) -> bool:
        """Return whether look-ups find the order."""
        age_ms = self.now_ms - order.created_ms
        is_in_gap = age_ms < self.gap_ms and register.newest(order.account) is order
        return age_ms >= self.lag_ms and not is_in_gap


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """What a dialect makes of a request; nothing has happened yet.

    Attributes:
        group: which faults it is for, an `EndpointGroup`; empty where there is no such endpoint.
        endpoint: method and path.
        weight: request weight.
        symbol: as it was sent, or None.
        client_order_id: as it was sent, or None.
        unreadable: the answer to a request that cannot be understood; neither fault nor limit strikes it.
        tells_status: whether it is answered in maintenance too.
        receive: checks on receipt whose request it is; returns a refusal, or None to let it pass.
        carry_out: checks a last time whether it is still wanted, acts, and answers. It may come later than
            `receive`: the engine sees the request only then.
    """

    group: str = ""
    endpoint: str = ""
    weight: int = 1
    symbol: str | None = None
    client_order_id: str | None = None
    unreadable: HttpReply | None = None
    tells_status: bool = False
    receive: Callable[[View], HttpReply | None] = lambda view: None
    carry_out: Callable[[View], HttpReply] = lambda view: HttpReply(404, b"")


class Dialect(Protocol):
    """How one exchange's REST interface is spoken. One instance serves one exchange, and may keep state."""

    @property
    def customs(self) -> Customs:
        """How the exchange names its orders and takes its fees."""
        ...

    def parse(self, request: HttpRequest, venue: Venue) -> ParsedRequest:
        """Understand a request."""
        ...

    def limited(self, group: str, until_ms: int | None, now_ms: int, limit: int | None) -> HttpReply:
        """Return the answer to one request too many; with None for `until_ms` it names no time."""
        ...

    def banned(self, until_ms: int | None, now_ms: int) -> HttpReply:
        """Return the answer to an address that is banned; with None for `until_ms` it names no time."""
        ...

    def maintenance(self) -> HttpReply:
        """Return the answer while the exchange is down for maintenance."""
        ...

    def error(self, fault: Fault) -> HttpReply:
        """Return the error that a fault answers: the exchange's own where it has a code, else a page."""
        ...

    def spoilt(self, reply: HttpReply, fault: Fault, now_ms: int) -> HttpReply:
        """Return market data without the values that a fault takes from it; other answers as they are."""
        ...

    def headers(self, used: int) -> Mapping[str, str]:
        """Return what every answer says of the request weight used in the present minute."""
        ...

    def ccxt_config(
        self, url: str, credentials: Credentials, time_ms: Callable[[], int] | None
    ) -> dict[str, Any]:
        """Return what ccxt's class of this exchange needs to trade at `url`; None leaves it its own clock."""
        ...
