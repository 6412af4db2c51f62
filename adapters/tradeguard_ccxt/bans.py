"""Bans of this machine's address: all guarded instances of the process that talk to the same host share them."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import ccxt

from tradeguard.clock import Clock, SystemClock

__all__ = ["Bans", "host_of", "hosts_of"]


class Bans:
    """Until when each host bans us, in monotonic time. Thread-safe."""

    _registry_lock: ClassVar[threading.Lock] = threading.Lock()
    _of_the_system: ClassVar[Bans | None] = None
    _of_clocks: ClassVar[weakref.WeakKeyDictionary[Clock, Bans]] = weakref.WeakKeyDictionary()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bans: Mapping[str, tuple[float, str]] = {}

    @classmethod
    def by(cls, clock: Clock) -> Bans:
        """Return the bans that all instances share whose time is that of `clock`."""
        with cls._registry_lock:
            if isinstance(clock, SystemClock):
                cls._of_the_system = cls._of_the_system or cls()
                return cls._of_the_system
            try:
                return cls._of_clocks.setdefault(clock, cls())
            except TypeError:  # a clock that cannot be referred to weakly has its bans for itself
                return cls()

    def add(self, host: str, seconds: float, now: float, told: str) -> None:
        """Note that `host` bans us for so long, as it `told`; a longer ban that is known already stands."""
        with self._lock:
            bans = {host: ban for host, ban in self._bans.items() if ban[0] > now}
            if now + seconds > bans.get(host, (0.0, ""))[0]:
                bans[host] = now + seconds, told
            self._bans = bans

    def longest(self, exchange: Any, now: float) -> tuple[float, ccxt.BaseError | None]:
        """Return for how many seconds a host of this exchange still bans us, and what told of it; 0.0 if none does."""
        known = self._bans
        if not known:  # the healthy path asks no more
            return 0.0, None
        if max(until for until, _ in known.values()) <= now:
            with self._lock:
                self._bans = {host: ban for host, ban in self._bans.items() if ban[0] > now}
            return 0.0, None
        until, told = max((known[host] for host in hosts_of(exchange) & known.keys()), default=(0.0, ""))
        return (until - now, ccxt.DDoSProtection(told)) if until > now else (0.0, None)


def hosts_of(exchange: Any) -> set[str]:
    """Return the hosts that an exchange instance sends its REST requests to."""
    hostname = str(exchange.hostname or "")
    return {host_of(url.replace("{hostname}", hostname)) for url in _texts(exchange.urls.get("api"))}


@functools.lru_cache(maxsize=1024)
def host_of(url: str) -> str:
    """Return host and port of a URL."""
    return urlsplit(url).netloc.lower()


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        return [value]
    values: Iterator[Any] = iter(value.values()) if isinstance(value, Mapping) else iter(())
    return [text for inner in values for text in _texts(inner)]
