"""Faults: what goes wrong, with which requests, how often, before or after the exchange has acted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from tradeguard.exceptions import ConfigurationException

__all__ = ["ON_ANY", "EndpointGroup", "Fault", "FaultKind", "Phase", "bounded"]


class FaultKind(StrEnum):
    """What happens to a request."""

    DROPPED = "dropped"  # the connection is reset, no answer
    HUNG = "hung"  # no answer until the client gives up
    SERVER_ERROR = "server_error"  # an answer of `status`: Binance's JSON with `code`, or a page of HTML
    TRUNCATED = "truncated"  # status 200, the JSON cut short
    EMPTY = "empty"  # status 200, no body
    HTML = "html"  # status 200, a page of HTML
    LATE = "late"  # the answer comes after `delay`
    LATE_ACCEPTANCE = "late_acceptance"  # fails at once, is carried out `delay` later if recvWindow allows
    LIMITED = "limited"  # 429 with Retry-After; what it is `on` stays limited until then
    BANNED = "banned"  # 418 with Retry-After; everything stays banned until then
    CLOCK_SKEW = "clock_skew"  # the exchange's clock is `skew` ahead
    MAINTENANCE = "maintenance"  # 503; the system status says so too
    FROZEN = "frozen"  # market data stands still where it was when the fault began
    LOOKUP_LAG = "lookup_lag"  # orders younger than `delay` are invisible
    MISSING_VALUES = "missing_values"  # null for close and volume of the newest closed candle, or for prices
    HALF_BUILT = "half_built"  # the newest closed candle's row stops after its high


class Phase(StrEnum):
    """Whether the exchange acts on the request that meets the fault."""

    BEFORE = "before"  # it never sees it
    AFTER = "after"  # it has carried it out


class EndpointGroup(StrEnum):
    """Which requests a fault is for."""

    MARKET = "market"  # public market data, exchangeInfo, time, ping
    ACCOUNT = "account"  # balances, fees
    CREATE = "create"  # placing and replacing orders
    CANCEL = "cancel"
    LOOKUP = "lookup"  # orders and own trades


ON_ANY = "any"
"""`on` of a fault that is for every request."""

_ALIASES = {"all": ON_ANY, "create_order": "create", "cancel_order": "cancel", "fetch_order": "lookup"}
_PHASED = frozenset(
    {
        FaultKind.DROPPED,
        FaultKind.HUNG,
        FaultKind.SERVER_ERROR,
        FaultKind.TRUNCATED,
        FaultKind.EMPTY,
        FaultKind.HTML,
        FaultKind.LATE,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        kind: what happens; a `FaultKind` or its value.
        on: which requests: an `EndpointGroup` or its value, `any`, or one endpoint such as
            `GET /api/v3/klines`, or `WS order.place` for a request over a WebSocket.
        phase: before or after the exchange has carried the request out; for DROPPED, HUNG, SERVER_ERROR,
            TRUNCATED, EMPTY, HTML and LATE. The others say by their kind what happens.
        times: how many requests it strikes; None strikes until it is removed.
        skip: how many matching requests it lets through first.
        rate: share of the remaining ones that it strikes, 0 to 1, drawn from the plan's seed.
        status: HTTP status of a SERVER_ERROR, 400 to 599; 403 is a firewall's.
        code: Binance's JSON code of a SERVER_ERROR, such as -1007; None answers a page of HTML. A
            LATE_ACCEPTANCE with a code answers that error, else it resets the connection.
        message: with the code; None has Binance's usual one.
        delay: seconds of exchange time, for LATE, LATE_ACCEPTANCE and LOOKUP_LAG; 0 to 3600.
        retry_after: seconds, for LIMITED and BANNED; 0 to 259200 (three days). None names no time, and strikes
            that one request.
        skew: seconds that the exchange's clock is ahead, for CLOCK_SKEW; negative is behind.

    Raises:
        ConfigurationException: a field is out of bounds; the message names it.
    """

    kind: FaultKind
    on: str = ON_ANY
    phase: Phase = Phase.BEFORE
    times: int | None = 1
    skip: int = 0
    rate: float = 1.0
    status: int = 503
    code: int | None = None
    message: str | None = None
    delay: float = 1.0
    retry_after: float | None = 1.0
    skew: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _member(FaultKind, "kind", self.kind))
        object.__setattr__(self, "phase", _member(Phase, "phase", self.phase))
        object.__setattr__(self, "on", _target(self.on))
        if self.times is not None:
            _whole("times", self.times, 1)
        _whole("skip", self.skip, 0)
        bounded("rate", self.rate, 0.0, 1.0)
        bounded("delay", self.delay, 0.0, 3600.0)
        if self.retry_after is not None:
            bounded("retry_after", self.retry_after, 0.0, 259_200.0)
        bounded("skew", self.skew, -86_400.0, 86_400.0)
        if isinstance(self.status, bool) or not isinstance(self.status, int) or not 400 <= self.status <= 599:
            _refuse("status", self.status, "between 400 and 599")
        if self.code is not None and (isinstance(self.code, bool) or not isinstance(self.code, int)):
            _refuse("code", self.code, "a whole number")

    def is_for(self, group: str, endpoint: str) -> bool:
        """Return whether the fault may strike a request of this group and endpoint."""
        return self.on in (ON_ANY, group, endpoint)

    @property
    def label(self) -> str:
        """What the request log calls it, such as `dropped/after`, `limited`."""
        return f"{self.kind}/{self.phase}" if self.kind in _PHASED else str(self.kind)


def _member(kind: type[StrEnum], name: str, value: Any) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        _refuse(name, value, "one of " + ", ".join(kind))


def _target(value: Any) -> str:
    name = str(_ALIASES.get(value, value)) if isinstance(value, str) else ""
    method, _, path = name.partition(" ")
    is_endpoint = method in ("GET", "POST", "PUT", "DELETE") and path.startswith("/")
    is_endpoint = is_endpoint or (method == "WS" and path != "")
    if not is_endpoint and name != ON_ANY and name not in list(EndpointGroup):
        groups = ", ".join((*EndpointGroup, ON_ANY))
        _refuse("on", value, f"one of {groups} or an endpoint such as 'GET /api/v3/klines'")
    return name


def _whole(name: str, value: Any, low: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        _refuse(name, value, f"a whole number of at least {low}")


def bounded(name: str, value: Any, low: float, high: float) -> float:
    """Return `value` as a number between `low` and `high`.

    Raises:
        ConfigurationException: it is none.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high:
        _refuse(name, value, f"between {low:g} and {high:g}")
    return float(value)


def _refuse(name: str, value: object, wanted: str) -> NoReturn:
    raise ConfigurationException(f"fault {name}: {value!r} is not {wanted}", component="simulator")
