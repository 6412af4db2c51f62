"""What is known of a demo while it runs, from all threads, for the screen to show."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from tradeguard.cli.demo.narration import Line, line_of_event, line_of_record
from tradeguard.cli.demo.outcome import Account
from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.simulator import SimulatedExchange

__all__ = ["Picture", "Progress"]

_ERROR_PAUSE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One moment of a demo.

    Attributes:
        seconds: since the start.
        bars: live bars delivered so far.
        price: newest price, quote currency per base.
        position: base asset bought and not sold, by the exchange's book.
        cash: quote asset, likewise.
        circuits: states by name.
        orders: orders of the bot by status, lower case.
        faults: requests that a fault struck, by kind of fault.
        requests: requests that the exchange saw.
        rescues: failures that the bot was spared, by kind.
        plain: counts of the plain run beside it.
    """

    seconds: float
    bars: int
    price: Decimal
    position: Decimal
    cash: Decimal
    circuits: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, int] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    rescues: Mapping[str, int] = field(default_factory=dict)
    plain: Mapping[str, int] = field(default_factory=dict)


class Audience(Protocol):
    """Who follows a run."""

    def tell(self, seconds: float, line: Line) -> None:
        """Take in one line of the story, so many seconds after the start; called from any thread."""

    def turn(self) -> None:
        """Note that a bar has come."""


class Progress:
    """Collects what the strategy, the monitor and the exchanges tell.

    Args:
        exchange: the simulated exchange of the guarded run.
        symbol: what is traded.
        account: the bot's, at the start.
        screen: is told each line of the story, and of each bar.
        circuits: returns the states of the circuits by name.
        orders: returns the bot's orders by status.
        plain: returns the counts of the plain run.
    """

    def __init__(
        self,
        exchange: SimulatedExchange,
        symbol: str,
        account: Account,
        screen: Audience,
        *,
        circuits: Callable[[], Mapping[str, str]],
        orders: Callable[[], Mapping[str, int]],
        plain: Callable[[], Mapping[str, int]],
    ) -> None:
        self._exchange = exchange
        self._symbol = symbol
        self._account = account
        self._screen = screen
        self._circuits = circuits
        self._orders = orders
        self._plain = plain
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._bars = 0
        self._is_live = False
        self._told: set[str] = set()
        self._errors_told: dict[str, float] = {}
        self._rescues: Counter[str] = Counter()

    def on_event(self, kind: str, text: str) -> None:
        """Take in what the strategy reports."""
        if kind == "bar":
            # The history that the averages begin with comes as bars too.
            if self._is_live:
                with self._lock:
                    self._bars += 1
                self._screen.turn()
            return
        if kind == "data" and text == "LIVE":
            self._is_live = True
        if kind == "store" and text.startswith(tuple(self._told)):
            # The monitor has told this rescue already.
            return
        line = line_of_event(kind, text)
        if line is not None:
            self.say(line)

    def on_record(self, record: ErrorRecord | TransitionRecord | RescueRecord) -> None:
        """Take in what the monitor reports."""
        if isinstance(record, RescueRecord):
            with self._lock:
                self._rescues[record.kind] += 1
                self._told.add(f"{record.kind}:")
        line = line_of_record(record)
        if line is not None and not (line.label == "error" and self._is_repeated(line)):
            self.say(line)

    def _is_repeated(self, line: Line) -> bool:
        """Tell whether an error was told a moment ago: an outage brings the same ones every second."""
        now = time.monotonic()
        with self._lock:
            told_at = self._errors_told.get(line.text)
            self._errors_told[line.text] = now
        return told_at is not None and now - told_at < _ERROR_PAUSE

    def say(self, line: Line) -> None:
        """Tell one line of the story."""
        self._screen.tell(time.monotonic() - self._started, line)

    def picture(self) -> Picture:
        """Return the present moment."""
        position, cash = self._account.now(self._exchange)
        faults: Counter[str] = Counter()
        requests = list(self._exchange.requests)
        for request in requests:
            if request.fault is not None:
                faults[request.fault.partition("/")[0]] += 1
        with self._lock:
            bars, rescues = self._bars, dict(self._rescues)
        return Picture(
            seconds=time.monotonic() - self._started,
            bars=bars,
            price=self._exchange.last_price(self._symbol),
            position=position,
            cash=cash,
            circuits=self._circuits(),
            orders=self._orders(),
            faults=dict(faults.most_common()),
            requests=len(requests),
            rescues=rescues,
            plain=self._plain(),
        )
