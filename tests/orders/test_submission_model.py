"""The protocol against a hidden truth: a book that only the model sees, processes that die, and others that recover.

Each send is accepted at once, later, or never, as the model chooses; answers may be lost and look-ups may fail or lag
behind, as far as the policy's bounds allow. One process submits, others recover the same intent from one journal, in
any interleaving. Whatever happens: never two orders, never an end as REJECTED or ABSENT while an order exists or can
still come, and PLACED only with the id of one that exists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tradeguard.orders import (
    IntentStatus,
    JournalConflictError,
    JournalError,
    JournalWriter,
    LookUp,
    LookUpOutcome,
    OrderIntent,
    Record,
    Resolution,
    Send,
    SendOutcome,
    Steps,
    SubmissionPolicy,
    Verdict,
    Wait,
    resolve,
    submit,
)

ID = "abc"
GONE = (IntentStatus.REJECTED, IntentStatus.ABSENT)


class Journal:
    """Durable at once, with the compare-and-set of the real one; it fails where it is told to."""

    def __init__(self) -> None:
        self.stored: OrderIntent | None = None
        self.is_broken: Callable[[], bool] = lambda: False

    def add(self, intent: OrderIntent) -> None:
        self._check()
        assert self.stored is None
        self.stored = intent

    def update(self, intent: OrderIntent, *, expected: OrderIntent | None = None) -> None:
        self._check()
        assert self.stored is not None
        if expected is not None and (self.stored.status, self.stored.attempts) != (
            expected.status,
            expected.attempts,
        ):
            raise JournalConflictError("changed meanwhile")
        self.stored = intent

    def get(self, client_order_id: str) -> OrderIntent | None:
        self._check()
        return self.stored

    def intents(self, status: IntentStatus | str | None = None) -> Sequence[OrderIntent]:
        raise NotImplementedError

    def open_intents(self) -> Sequence[OrderIntent]:
        raise NotImplementedError

    def _check(self) -> None:
        if self.is_broken():
            raise JournalError("the disk is full")


@dataclass(slots=True)
class Copy:
    """One request on its way: when the book takes it (never: inf), and how long look-ups may not see it."""

    order_id: str
    accepted_at: float
    lag: float


class World:
    """The truth.

    Args:
        chance: decides what is left open.
        policy: what the processes believe of the exchange; the world keeps to it.
        taken: another order, not of ours, has the client order id.
    """

    def __init__(self, chance: Random, policy: SubmissionPolicy, *, taken: bool) -> None:
        self.chance = chance
        self.policy = policy
        self.taken = taken
        self.now = 1000.0
        self.journal = Journal()
        self.journal.is_broken = lambda: self.is_hostile and chance.random() < 0.03
        self.is_hostile = True
        self.copies: list[Copy] = []

    def orders(self) -> list[Copy]:
        """Every copy that the book has taken or will take."""
        return [copy for copy in self.copies if copy.accepted_at < math.inf]

    def begin_send(self, intent: OrderIntent, sign_by: float) -> Callable[[], SendOutcome]:
        stored = self.journal.stored
        assert stored is not None, "a send must be journaled first"
        # UNKNOWN where another process has looked for it already, and given up: it is open all the same.
        assert stored.status in (IntentStatus.SENT, IntentStatus.UNKNOWN)
        assert stored.attempts == intent.attempts
        if self.now > sign_by:
            return lambda: SendOutcome(verdict=Verdict.NOT_SENT, error=TimeoutError("too late to sign"))
        kind = self.chance.choice(["at once", "at once", "late", "never", "never"])
        longest = 60.0 if self.policy.expiry is None else self.policy.expiry
        accepted_at = {"at once": self.now, "late": self.now + self.chance.random() * longest}.get(
            kind, math.inf
        )
        if self.taken:
            accepted_at = math.inf
        # An exchange may well take a second copy of an id: nothing here protects from our own mistakes.
        copy = Copy(str(len(self.copies) + 1), accepted_at, self.chance.random() * self.policy.visibility_lag)
        self.copies.append(copy)
        return lambda: self._verdict(copy)

    def _verdict(self, copy: Copy) -> SendOutcome:
        """Return what the process learns: the truth, or nothing."""
        lost = SendOutcome(verdict=Verdict.AMBIGUOUS, error=TimeoutError("no answer"))
        duplicate = SendOutcome(verdict=Verdict.REJECTED, duplicate=True, error=ValueError("duplicate order"))
        partial = SendOutcome(verdict=Verdict.REJECTED, doubtful=True, error=ValueError("a part was refused"))
        if copy.accepted_at <= self.now:
            placed = SendOutcome(verdict=Verdict.PLACED, order={"id": copy.order_id})
            # The network may have delivered it twice: then the refusal of the second is what comes back. And what was
            # sent together with it may have been refused.
            return self.chance.choice([placed, placed, lost, lost, duplicate, partial])
        if copy.accepted_at < math.inf:
            return lost
        if self.taken:
            return self.chance.choice([duplicate, lost])
        certain = [
            SendOutcome(verdict=Verdict.REJECTED, error=ValueError("no funds")),
            SendOutcome(verdict=Verdict.NOT_SENT, error=ConnectionError("refused")),
            SendOutcome(verdict=Verdict.NOT_NOW, error=ConnectionError("429"), retry_after=3.0),
        ]
        return self.chance.choice([*certain, partial, lost, lost, lost])

    def begin_look_up(self, thorough: bool) -> Callable[[], LookUpOutcome]:
        began = self.now

        def outcome() -> LookUpOutcome:
            if self.is_hostile and self.chance.random() < 0.3:
                return LookUpOutcome(error=ConnectionError("down"))
            if self.taken:
                return LookUpOutcome(other={"id": "other"}, error=ValueError("another order has this id"))
            sure = [copy for copy in self.copies if copy.accepted_at + copy.lag <= began]
            perhaps = [copy for copy in self.copies if copy.accepted_at <= self.now and copy not in sure]
            seen = sure or [copy for copy in perhaps if self.chance.random() < 0.5]
            if seen:
                return LookUpOutcome(order={"id": seen[0].order_id})
            return LookUpOutcome(absent=thorough)

        return outcome


class Process:
    """One process at work on the intent; its clock may have been set back since the order was sent."""

    def __init__(
        self, world: World, start: Callable[[Callable[[], float]], Steps], offset: float = 0.0
    ) -> None:
        self._world = world
        self._steps = start(lambda: world.now + offset)
        self._writer = JournalWriter(world.journal, lambda _intent, _error: None)
        self._outcome: Callable[[], SendOutcome | LookUpOutcome] | None = None
        self.offset = offset
        self.ready_at = world.now
        self.result: Resolution | None = None
        self.ended = False

    def step(self) -> None:
        """Take the outcome of what was begun, and begin what is next."""
        world = self._world
        world.now = max(world.now, self.ready_at)
        outcome = None if self._outcome is None else self._outcome()
        self._outcome = None
        try:
            effect = self._steps.send(outcome)
        except StopIteration as stop:
            self.result, self.ended = stop.value, True
            return
        takes = world.chance.choice([0.0, 0.1, 2.0])
        match effect:
            case Record():
                self._record(effect)
            case Send():
                self._outcome = world.begin_send(effect.intent, effect.sign_by - self.offset)
            case LookUp():
                self._outcome = world.begin_look_up(effect.thorough)
            case Wait():
                takes = max(effect.seconds, 0.001)
        self.ready_at = world.now + takes

    def _record(self, record: Record) -> None:
        try:
            self.result = self._writer.write(record)
        except JournalError:
            assert record.before_send
            self.ended = True
        self.ended |= self.result is not None


def new_intent() -> OrderIntent:
    created = datetime.fromtimestamp(1000, UTC)
    return OrderIntent(
        client_order_id=ID,
        symbol="ETH/BTC",
        type="limit",
        side="buy",
        amount=1.0,
        price=0.1,
        status=IntentStatus.PENDING,
        created_at=created,
        updated_at=created,
    )


def recoverer(world: World) -> Process | None:
    """Start a process that resolves what the journal has open, if anything."""
    stored = world.journal.stored
    if stored is None or not stored.status.is_open:
        return None
    offset = world.chance.choice([0.0, 0.0, -20.0]) if world.is_hostile else 0.0
    return Process(world, lambda now: resolve(stored, world.policy, now), offset)


def live(world: World, recoveries: int, *, resends: bool) -> list[Process]:
    """Let one process submit and others recover, in any order, while any of them may die; returns all of them."""
    chance = world.chance
    processes = [Process(world, lambda now: submit(new_intent(), world.policy, now, resends=resends))]
    alive = list(processes)
    for _ in range(2000):
        if recoveries and chance.random() < 0.2 and (late := recoverer(world)) is not None:
            recoveries -= 1
            processes.append(late)
            alive.append(late)
        alive = [process for process in alive if not process.ended]
        if not alive:
            return processes
        # Mostly whoever is next in time; sometimes another one, so that the first comes late.
        alive.sort(key=lambda process: process.ready_at)
        process = alive[0] if chance.random() < 0.7 else chance.choice(alive)
        if chance.random() < 0.03:
            alive.remove(process)  # kill -9: whatever it had begun goes on without it
        else:
            process.step()
    raise AssertionError("it does not end")


def check(world: World, processes: Sequence[Process]) -> None:
    """Hold what was told and what was written against the truth."""
    orders = world.orders()
    assert len(orders) <= 1, "the order was placed twice"
    told = [process.result.intent for process in processes if process.result is not None]
    for intent in [*told, *([] if world.journal.stored is None else [world.journal.stored])]:
        if intent.status in GONE:
            assert not orders, f"told as {intent.status}, and it exists or can still come"
        if intent.status is IntentStatus.PLACED:
            assert [order.order_id for order in orders] == [intent.order_id]
            assert orders[0].accepted_at <= world.now


bounds = st.builds(
    SubmissionPolicy,
    order_deadline=st.sampled_from([1.0, 30.0]),
    send_window=st.sampled_from([0.0, 2.0]),
    expiry=st.sampled_from([None, 0.0, 1.0, 5.0, 20.0]),
    visibility_lag=st.sampled_from([0.0, 1.0, 10.0]),
    look_up_round=st.sampled_from([0.0, 10.0]),
)


@settings(max_examples=500, deadline=None)
@given(
    chance=st.randoms(use_true_random=False),
    policy=bounds,
    taken=st.sampled_from([False] * 5 + [True]),
    recoveries=st.integers(0, 2),
    resends=st.booleans(),
)
def test_no_interleaving_doubles_forgets_or_invents_an_order(
    chance: Random, policy: SubmissionPolicy, taken: bool, recoveries: int, resends: bool
) -> None:
    world = World(chance, policy, taken=taken)
    processes = live(world, recoveries, resends=resends)
    check(world, processes)

    # The network has recovered: what was left behind is resolved, and the journal tells the truth.
    world.is_hostile = False
    if policy.expiry is None:
        world.now += 100.0  # nobody knows when the last request has come to nothing
    for _ in range(3):
        last = recoverer(world)
        while last is not None and not last.ended:
            last.step()
        processes += [] if last is None else [last]
    check(world, processes)
    stored = world.journal.stored
    if stored is None:
        assert not world.copies, "something was sent that is not in the journal"
    elif world.orders():
        assert stored.status is IntentStatus.PLACED
    elif not taken and policy.expiry is not None:
        assert stored.status in GONE
