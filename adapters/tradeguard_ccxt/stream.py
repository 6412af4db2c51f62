"""One stream: a subscription as its caller names it, and what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import ccxt

from tradeguard.breaker_permit import Permit
from tradeguard_ccxt.stream_kinds import StreamKind
from tradeguard_ccxt.stream_lines import StreamLine

__all__ = ["LISTENING", "Stream", "StreamGap", "StreamQuietError", "StreamSilentError"]


class StreamSilentError(ccxt.RequestTimeout):  # type: ignore[misc]
    """Nothing was heard of a stream within its bound: its socket was dropped."""


class StreamQuietError(ccxt.RequestTimeout):  # type: ignore[misc]
    """Nothing was heard of a stream for a while, which may be normal: look whether anything was missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamGap:
    """Something that a stream lost and that could not be had by REST.

    Attributes:
        stream: the method, such as `watch_trades`.
        symbol: what it was watching, or None for all.
        since_ms: epoch milliseconds of the last thing that was delivered before it.
        until_ms: of the first one after it, or of the moment it was noticed.
        reason: why it could not be filled.
    """

    stream: str
    symbol: str | None
    since_ms: int | None
    until_ms: int
    reason: str


class Stream:
    """One subscription, as a caller names it: a method with its symbols and params.

    Attributes:
        method: such as `watch_trades`.
        kind: what it delivers.
        arguments: of the call that began it, by name; `since` and `limit` are those of each call.
        client: the socket that it listens to, or None.
        sockets: by address, those that its calls asked for, such as one for logging in.
        version: how many messages were heard.
        lines: what was delivered, by symbol, or by symbol and timeframe.
        broken_since: monotonic seconds since when nothing could be delivered, or None.
        is_unverified: it was dialled again: the next result must be completed by REST.
        is_checked: since then REST was asked once whether anything was missed.
        losses: how often a socket was lost.
        callers: how many calls are under way.
        lost: the last socket of which it is known that it was lost.
        polled_at, mended_at: monotonic seconds of the last REST read of either kind.
        delivered: the version and result that was delivered last, for callers that wait for the same.
        mended: what was read by REST when a socket was lost or a check was due, and for the sake of what.
        polls, polled: how often it was read by REST, and what came of it last.
        deliveries: how often something was delivered.
        began_ms: epoch milliseconds of the exchange's time at which it was asked for first.
    """

    def __init__(
        self, method: str, kind: StreamKind, arguments: Mapping[str, Any], now: float, began_ms: int
    ) -> None:
        self.began_ms = began_ms
        self.method = method
        self.kind = kind
        self.arguments = arguments
        self.client: Any = None
        self.sockets: dict[str, Any] = {}
        self.hashes: set[tuple[str, str]] = set()
        self.version = 0
        self.heard_at = now
        self.fruitless = 0
        self.waiting = 0
        self.permit: Permit | None = None
        self.is_new = False  # dialled, and nothing heard yet
        self.lines: dict[Any, StreamLine] = {}
        self.broken_since: float | None = None
        self.is_unverified = False
        self.is_checked = False
        self.lost: Any = None
        self.losses = 0
        self.callers = 0
        self.polled_at = float("-inf")
        self.mended_at = float("-inf")
        self.least_lag: float | None = None
        self.delivered: tuple[int, Any] | None = None
        self.deliveries = 0
        self.polls = 0
        self.polled: Any = None
        self.mended: tuple[object, Any] | None = None
        self.mending = asyncio.Lock()
        self.lock = asyncio.Lock()

    @property
    def symbols(self) -> list[str]:
        """The symbols that it is about; empty for all."""
        symbol = self.arguments.get("symbol")
        many = self.arguments.get("symbols") or [
            s for s, _ in self.arguments.get("symbolsAndTimeframes") or ()
        ]
        return [symbol] if isinstance(symbol, str) else list(many)

    @property
    def symbol(self) -> str | None:
        """Its one symbol, or None."""
        symbols = self.symbols
        return symbols[0] if len(symbols) == 1 else None


LISTENING: ContextVar[Stream | None] = ContextVar("tradeguard_ccxt_stream", default=None)
"""The stream for which ccxt is about to subscribe."""
