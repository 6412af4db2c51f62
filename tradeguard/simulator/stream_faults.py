"""Faults of streams: what goes wrong with sockets, and with the messages that the exchange sends of itself.

Requests over a socket (Binance's WebSocket API) meet the faults of `tradeguard.simulator.faults`, as requests
over HTTP do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.fault_profiles import PROFILES
from tradeguard.simulator.faults import ON_ANY, bounded

__all__ = ["StreamFault", "StreamFaultKind", "StreamGroup", "stream_chances"]


class StreamFaultKind(StrEnum):
    """What happens to a socket, or to a message on it."""

    REFUSED = "refused"  # the handshake is answered with `status`
    HUNG = "hung"  # the handshake is not answered
    DROPPED = "dropped"  # the connection is reset in the place of the message
    CLOSED = "closed"  # the connection is closed with `code` in its place; 1006 sends no close frame
    FROZEN = "frozen"  # from this message on nothing is sent; the socket stays open
    LAGGING = "lagging"  # the message comes after `delay`, and later ones wait behind it
    LOST = "lost"  # the message is not sent
    DUPLICATED = "duplicated"  # it is sent twice
    REORDERED = "reordered"  # it is sent after the next one
    TRUNCATED = "truncated"  # half of its text is sent
    GARBAGE = "garbage"  # bytes that are no WebSocket frame are sent in its place, and then nothing


class StreamGroup(StrEnum):
    """Which messages a fault is for."""

    HANDSHAKE = "handshake"
    TRADE = "trade"
    KLINE = "kline"
    TICKER = "ticker"
    BOOK = "book"  # the best bid and ask
    DEPTH = "depth"
    USER = "user"  # an account's own orders and balances
    REPLY = "reply"  # to a request that came over the socket, subscriptions included


_HANDSHAKE = frozenset({StreamFaultKind.REFUSED, StreamFaultKind.HUNG})
_PATHS = ("/ws", "/stream", "/ws-api/v3")


@dataclass(frozen=True, slots=True)
class StreamFault:
    """One thing that goes wrong with a socket.

    Attributes:
        kind: what happens; a `StreamFaultKind` or its value.
        on: which messages: a `StreamGroup` or its value, `any`, one stream such as `ethbtc@trade` or
            `user@executionReport`; of REFUSED and HUNG: `any`, or a path, `/ws`, `/stream` or `/ws-api/v3`.
        times: how many messages or handshakes it strikes; None strikes until it is removed.
        skip: how many matching ones it lets through first.
        rate: share of the remaining ones that it strikes, 0 to 1, drawn from the plan's seed.
        delay: seconds of exchange time by which a LAGGING message is late, or for which a REORDERED one waits at
            most for the next; 0 to 3600.
        duration: seconds of exchange time for which a socket stays FROZEN, 0 to 86400; None for good. A new
            connection is not frozen.
        code: of the close frame of CLOSED, 1000 to 4999, such as 1001, 1006, 1008, 1011, 1012.
        status: HTTP status of REFUSED, 400 to 599.
        retry_after: seconds that REFUSED names in `Retry-After`, 0 to 259200; None names none.

    Raises:
        ConfigurationException: a field is out of bounds; the message names it.
    """

    kind: StreamFaultKind
    on: str = ON_ANY
    times: int | None = 1
    skip: int = 0
    rate: float = 1.0
    delay: float = 1.0
    duration: float | None = None
    code: int = 1006
    status: int = 503
    retry_after: float | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "kind", StreamFaultKind(self.kind))
        except ValueError:
            _refuse("kind", self.kind, "one of " + ", ".join(StreamFaultKind))
        self._check_target()
        if self.times is not None:
            _whole("times", self.times, 1, 10**9)
        _whole("skip", self.skip, 0, 10**9)
        _whole("code", self.code, 1000, 4999)
        _whole("status", self.status, 400, 599)
        bounded("rate", self.rate, 0.0, 1.0)
        bounded("delay", self.delay, 0.0, 3600.0)
        if self.duration is not None:
            bounded("duration", self.duration, 0.0, 86_400.0)
        if self.retry_after is not None:
            bounded("retry_after", self.retry_after, 0.0, 259_200.0)

    def is_for(self, group: str, name: str) -> bool:
        """Return whether the fault may strike a message of this group and stream, or a handshake on this path."""
        if (group == StreamGroup.HANDSHAKE) != (self.kind in _HANDSHAKE):
            return False
        return self.on in (ON_ANY, group, name)

    @property
    def label(self) -> str:
        """What logs call it."""
        return str(self.kind)

    def _check_target(self) -> None:
        name: object = self.on
        if self.kind in _HANDSHAKE:
            if name not in (ON_ANY, StreamGroup.HANDSHAKE, *_PATHS):
                _refuse("on", name, "any, " + ", ".join(_PATHS))
            return
        groups = [group for group in StreamGroup if group is not StreamGroup.HANDSHAKE]
        if not isinstance(name, str) or not (name in (ON_ANY, *groups) or "@" in name):
            _refuse("on", name, f"any, one of {', '.join(groups)}, or a stream such as 'ethbtc@trade'")


_K = StreamFaultKind
_HOSTILE: Sequence[tuple[float, _K, str, Mapping[str, object]]] = (
    (0.08, _K.REFUSED, ON_ANY, {"status": 503}),
    (0.0010, _K.DROPPED, ON_ANY, {}),
    (0.0005, _K.CLOSED, ON_ANY, {"code": 1006}),
    (0.0005, _K.CLOSED, ON_ANY, {"code": 1008}),
    (0.0005, _K.CLOSED, ON_ANY, {"code": 1012}),
    (0.0005, _K.FROZEN, ON_ANY, {}),
    (0.0020, _K.LAGGING, ON_ANY, {"delay": 2.0}),
    (0.0030, _K.LOST, ON_ANY, {}),
    (0.0050, _K.DUPLICATED, ON_ANY, {}),
    (0.0030, _K.REORDERED, ON_ANY, {}),
    (0.0005, _K.TRUNCATED, ON_ANY, {}),
    (0.0005, _K.GARBAGE, ON_ANY, {}),
)


def stream_chances(name: str) -> list[tuple[float, StreamFault]]:
    """Return the random faults of a profile, each with its probability a message or handshake.

    Raises:
        ConfigurationException: there is no such profile.
    """
    if name not in PROFILES:
        _refuse("profile", name, "one of " + ", ".join(PROFILES))
    return [
        (chance * PROFILES[name], StreamFault(kind, on, times=None, **settings))  # type: ignore[arg-type]
        for chance, kind, on, settings in _HOSTILE
    ]


def _whole(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        _refuse(name, value, f"a whole number from {low} to {high}")


def _refuse(name: str, value: object, wanted: str) -> None:
    raise ConfigurationException(f"stream fault {name}: {value!r} is not {wanted}", component="simulator")
