"""Run the protocol's steps against a gateway and a journal; sync and async differ in the awaiting alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from tradeguard.clock import Clock
from tradeguard.deadlines import lifted
from tradeguard.orders.errors import JournalConflictError
from tradeguard.orders.intent import IntentStatus, OrderIntent
from tradeguard.orders.journal import OrderJournal
from tradeguard.orders.submission import LookUp, Record, Resolution, Send, Steps, Wait
from tradeguard.orders.verdict import LookUpOutcome, SendOutcome

__all__ = ["AsyncGateway", "Gateway", "JournalWriter", "drive", "drive_async", "steady_time"]


def steady_time(clock: Clock) -> Callable[[], float]:
    """Return epoch seconds as of now that go on evenly, even when the clock is set: what a submission reckons with."""
    offset = clock.time() - clock.monotonic()
    return lambda: clock.monotonic() + offset


_logger = logging.getLogger(__name__)


class Gateway(Protocol):
    """An exchange, as far as the protocol needs one. It raises nothing but what should end the process's step."""

    def send(self, intent: OrderIntent, sign_by: float) -> SendOutcome:
        """Send the order once; do not let it be signed after `sign_by` (epoch seconds)."""
        ...

    def look_up(self, intent: OrderIntent, thorough: bool) -> LookUpOutcome:
        """Look the order up on the exchange."""
        ...


class Sleeper(Protocol):
    """What waits; a `Clock` is one."""

    async def sleep_async(self, seconds: float) -> None:
        """Wait for `seconds`."""
        ...


class AsyncGateway(Protocol):
    """The same for async code."""

    async def send(self, intent: OrderIntent, sign_by: float) -> SendOutcome:
        """Send the order once; do not let it be signed after `sign_by` (epoch seconds)."""
        ...

    async def look_up(self, intent: OrderIntent, thorough: bool) -> LookUpOutcome:
        """Look the order up on the exchange."""
        ...


class JournalWriter:
    """Writes a submission's records, and knows which failure to write must stop it.

    Args:
        journal: where intents are durable.
        on_unrecorded: told why an outcome could not be written. The intent then stays open in the journal and
            is looked up again later, so that nothing is forgotten; the caller still learns the true outcome.
    """

    def __init__(
        self, journal: OrderJournal, on_unrecorded: Callable[[OrderIntent, Exception], None]
    ) -> None:
        self._journal = journal
        self._on_unrecorded = on_unrecorded

    def write(self, record: Record) -> Resolution | None:
        """Write `record`.

        Returns:
            None to go on; or how the intent stands where another process has resolved it meanwhile, or where what
            binds only once it is written could not be.

        Raises:
            JournalError: it had to be durable before a send, and is not; nothing was sent.
        """
        intent = record.intent
        _logger.debug("order %s: %s, %d send(s)", intent.client_order_id, intent.status, intent.attempts)
        try:
            if record.expected is None:
                self._journal.add(intent)
            elif intent.status is IntentStatus.PLACED:  # the truth, whatever another process believed
                self._journal.update(intent)
            else:
                self._journal.update(intent, expected=record.expected)
        except JournalConflictError as conflict:
            return self._overtaken(record, conflict)
        except Exception as error:
            if record.before_send:
                raise
            return self._unwritten(record, error, record.expected)
        return None

    def _overtaken(self, record: Record, conflict: JournalConflictError) -> Resolution | None:
        """Return how the intent ended that another process has written meanwhile, None if it still goes on here."""
        intent = record.intent
        try:
            stored = self._journal.get(intent.client_order_id)
        except Exception as error:
            if record.before_send:
                raise
            return self._unwritten(record, error, record.expected)
        # Sent again by its owner: what was found out here is about a former send, and proves nothing.
        outdated = stored is not None and stored.attempts > intent.attempts
        if stored is not None and (outdated or not stored.status.is_open):
            return Resolution(intent=stored, error=conflict, looked_up=True)
        if record.before_send:
            raise conflict
        return self._unwritten(record, conflict, stored)

    def _unwritten(self, record: Record, error: Exception, stands: OrderIntent | None) -> Resolution | None:
        """Return None to go on with what could not be written, or how the intent stands where that would bind."""
        self._on_unrecorded(record.intent, error)
        if record.binding and stands is not None:
            return Resolution(intent=stands, error=error, looked_up=True)
        return None


def drive(steps: Steps, gateway: Gateway, journal: JournalWriter, clock: Clock) -> Resolution:
    """Run `steps` to their end.

    Raises:
        JournalError: an intent could not be made durable before its send.
    """
    outcome: SendOutcome | LookUpOutcome | None = None
    while True:
        try:
            effect = steps.send(outcome)
        except StopIteration as stop:
            return _resolution(stop)
        outcome = None
        match effect:
            case Record():
                if (resolved := journal.write(effect)) is not None:
                    return resolved
            case Send():
                outcome = gateway.send(effect.intent, effect.sign_by)
                _tell(effect.intent, outcome)
            case LookUp():
                with lifted():  # a deadline that has passed must not leave the order in doubt
                    outcome = gateway.look_up(effect.intent, effect.thorough)
                _tell(effect.intent, outcome)
            case Wait():
                clock.sleep(effect.seconds)


async def drive_async(
    steps: Steps, gateway: AsyncGateway, journal: JournalWriter, clock: Sleeper
) -> Resolution:
    """Run `steps` to their end, awaiting the gateway and the clock; the journal is written synchronously.

    Raises:
        JournalError: an intent could not be made durable before its send.
    """
    outcome: SendOutcome | LookUpOutcome | None = None
    while True:
        try:
            effect = steps.send(outcome)
        except StopIteration as stop:
            return _resolution(stop)
        outcome = None
        match effect:
            case Record():
                if (resolved := journal.write(effect)) is not None:
                    return resolved
            case Send():
                outcome = await gateway.send(effect.intent, effect.sign_by)
                _tell(effect.intent, outcome)
            case LookUp():
                with lifted():
                    outcome = await gateway.look_up(effect.intent, effect.thorough)
                _tell(effect.intent, outcome)
            case Wait():
                await clock.sleep_async(effect.seconds)


def _tell(intent: OrderIntent, outcome: SendOutcome | LookUpOutcome) -> None:
    """Log what came of a send or a look-up; of an error its class alone, for its text may hold secrets."""
    what = f"sent: {outcome.verdict}" if isinstance(outcome, SendOutcome) else "looked up"
    if isinstance(outcome, LookUpOutcome):
        what += ": found" if outcome.order is not None else ": absent" if outcome.absent else ": not found"
    error = "" if outcome.error is None else f" ({type(outcome.error).__name__})"
    _logger.debug("order %s on %s %s%s", intent.client_order_id, intent.symbol, what, error)


def _resolution(stop: StopIteration) -> Resolution:
    resolution: Resolution = stop.value
    return resolution
