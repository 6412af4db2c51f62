"""What is written when journals fail, or others write too, and time that does not jump."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orders.test_submission import POLICY, new_intent
from tradeguard.orders import (
    IntentStatus,
    JournalConflictError,
    JournalError,
    JournalWriter,
    LookUpOutcome,
    OrderIntent,
    SendOutcome,
    Verdict,
    drive,
    drive_async,
    resolve,
    steady_time,
    submit,
)
from tradeguard.testing import ManualClock


class Memory:
    """A journal in memory that fails as told."""

    def __init__(self) -> None:
        self.stored: dict[str, OrderIntent] = {}
        self.fails: dict[str, Exception] = {}

    def add(self, intent: OrderIntent) -> None:
        self.stored[intent.client_order_id] = intent

    def update(self, intent: OrderIntent, *, expected: OrderIntent | None = None) -> None:
        if "update" in self.fails:
            raise self.fails["update"]
        stored = self.stored[intent.client_order_id]
        if expected is not None and (stored.status, stored.attempts) != (expected.status, expected.attempts):
            raise JournalConflictError("changed")
        self.stored[intent.client_order_id] = intent

    def get(self, client_order_id: str) -> OrderIntent | None:
        if "get" in self.fails:
            raise self.fails["get"]
        return self.stored.get(client_order_id)

    def intents(self, status: Any = None) -> list[OrderIntent]:
        return list(self.stored.values())

    def open_intents(self) -> list[OrderIntent]:
        return [i for i in self.stored.values() if i.status.is_open]


class Exchange:
    """A gateway with one outcome for each kind of call, and something that happens meanwhile."""

    def __init__(self, send: SendOutcome, look_up: LookUpOutcome, meanwhile: Any = lambda: None) -> None:
        self._send, self._look_up, self._meanwhile = send, look_up, meanwhile
        self.sends = 0

    def send(self, intent: OrderIntent, sign_by: float) -> SendOutcome:
        self.sends += 1
        self._meanwhile()
        return self._send

    def look_up(self, intent: OrderIntent, thorough: bool) -> LookUpOutcome:
        self._meanwhile()
        return LookUpOutcome(absent=thorough) if self._look_up.absent else self._look_up


FOUND = LookUpOutcome(order={"id": "42"})
AMBIGUOUS = SendOutcome(verdict=Verdict.AMBIGUOUS, error=OSError("reset"))


@pytest.mark.parametrize("error", [OSError("disk"), ValueError("too long"), JournalError("full")])
def test_whatever_a_journal_raises_after_the_send_hides_no_outcome(error: Exception) -> None:
    journal, clock, told = Memory(), ManualClock(), []
    exchange = Exchange(AMBIGUOUS, FOUND, lambda: journal.fails.update(update=error))
    writer = JournalWriter(journal, lambda _, why: told.append(why))
    steps = submit(new_intent(), POLICY, steady_time(clock))
    assert drive(steps, exchange, writer, clock).intent.order_id == "42"
    assert told == [error, error]


def test_a_conflict_that_cannot_be_looked_into_hides_no_outcome_either() -> None:
    journal, clock, told = Memory(), ManualClock(), []

    def meanwhile() -> None:
        journal.fails = {"update": JournalConflictError("changed"), "get": JournalError("locked")}

    exchange = Exchange(AMBIGUOUS, FOUND, meanwhile)
    writer = JournalWriter(journal, lambda _, why: told.append(str(why)))
    resolution = drive(submit(new_intent(), POLICY, steady_time(clock)), exchange, writer, clock)
    assert resolution.intent.status is IntentStatus.PLACED
    assert told == ["locked", "locked"]


def test_a_recovery_says_nothing_of_an_order_that_its_owner_has_sent_again() -> None:
    journal, clock = Memory(), ManualClock()
    left = new_intent(status=IntentStatus.SENT, attempts=1, accept_until=clock.time() - 60)
    again = left.replace(attempts=2, accept_until=clock.time() + 60)
    journal.add(left)
    exchange = Exchange(AMBIGUOUS, LookUpOutcome(absent=True), lambda: journal.add(again))
    writer = JournalWriter(journal, lambda *_: None)
    resolution = drive(resolve(left, POLICY, steady_time(clock)), exchange, writer, clock)
    assert resolution.intent == again


@pytest.mark.parametrize(
    "fails",
    [
        {"update": JournalError("disk full")},
        {"update": JournalConflictError("changed"), "get": JournalError("disk full")},
        {"update": JournalConflictError("changed")},
    ],
)
def test_an_absence_that_cannot_be_written_down_is_not_told(fails: dict[str, Exception]) -> None:
    """Its owner may still be at it, and what is not in the journal does not keep it from sending."""
    journal, unrecorded = Memory(), []
    sent = new_intent(status=IntentStatus.SENT, attempts=1, accept_until=0.0)
    journal.add(sent)
    journal.fails = fails
    clock = ManualClock(epoch=1000.0)
    exchange = Exchange(SendOutcome(verdict=Verdict.AMBIGUOUS), LookUpOutcome(absent=True))
    writer = JournalWriter(journal, lambda intent, error: unrecorded.append((intent.status, error)))
    resolution = drive(resolve(sent, POLICY, clock.time), exchange, writer, clock)
    assert resolution.intent == sent
    assert [status for status, _ in unrecorded] == [IntentStatus.ABSENT]


def test_steady_time_goes_on_evenly_when_the_clock_is_set() -> None:
    clock = ManualClock()
    now = steady_time(clock)
    began = now()
    assert began == clock.time()
    clock.set_time(began + 3600)
    clock.advance(5)
    assert now() == pytest.approx(began + 5)


class AsyncExchange:
    """The same gateway for coroutines."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def send(self, intent: OrderIntent, sign_by: float) -> SendOutcome:
        return self._exchange.send(intent, sign_by)

    async def look_up(self, intent: OrderIntent, thorough: bool) -> LookUpOutcome:
        return self._exchange.look_up(intent, thorough)


@pytest.mark.parametrize(
    ("send", "look_up"),
    [
        (SendOutcome(verdict=Verdict.PLACED, order={"id": "42"}), FOUND),
        (AMBIGUOUS, FOUND),
        (AMBIGUOUS, LookUpOutcome(absent=True)),
        (AMBIGUOUS, LookUpOutcome(error=OSError("down"))),
        (SendOutcome(verdict=Verdict.NOT_SENT, error=OSError("refused")), FOUND),
    ],
)
async def test_coroutines_drive_the_very_same_decisions(send: SendOutcome, look_up: LookUpOutcome) -> None:
    endings = []
    for is_async in (False, True):
        journal, clock, exchange = Memory(), ManualClock(), Exchange(send, look_up)
        steps = submit(new_intent(), POLICY, clock.time)
        writer = JournalWriter(journal, lambda *_: None)
        if is_async:
            resolution = await drive_async(steps, AsyncExchange(exchange), writer, clock)
        else:
            resolution = drive(steps, exchange, writer, clock)
        endings.append((resolution, journal.stored, clock.sleeps, exchange.sends))
    assert endings[0] == endings[1]
