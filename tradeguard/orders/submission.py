"""The protocol of exactly once, as a pure state machine.

`submit` and `resolve` are generators: they yield what is to be done next (an `Effect`), are sent its outcome, and
return a `Resolution`. They do no I/O, hold no lock and read no clock but the `now` they are given, so sync and
async code, tests and models drive the very same decisions (see `tradeguard.orders.driver`).

    PENDING ──Record──▶ SENT ──Send──▶ PLACED     an answer with an id that contradicts nothing
       ▲                 │ ├─────────▶ REJECTED   refused for certain
       │ NOT_SENT        │ │
       ├─NOT_NOW ────────┘ └─AMBIGUOUS─▶ look up ─┬─ found ───────────────▶ PLACED
       │                                  ▲  │    ├─ absence proved, in time ─┐
       │                                  └──┘    ├─ absence proved, late ─▶ ABSENT
       │                                          └─ out of time ─────────▶ UNKNOWN
       └──────────────────────────────────────────────────────────────────────┘

Absence is proved only by a thorough look-up that found nothing *after* the last moment at which the exchange
could still have accepted the request, plus the time for which an accepted order may stay invisible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders.intent import IntentStatus, OrderIntent
from tradeguard.orders.verdict import LookUpOutcome, SendOutcome, Verdict

__all__ = [
    "Effect",
    "LookUp",
    "Record",
    "Resolution",
    "Send",
    "Steps",
    "SubmissionPolicy",
    "Wait",
    "resolve",
    "settle",
    "submit",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionPolicy:
    """The bounds of one order's submission; all in seconds.

    Attributes:
        order_deadline: no send starts later than this after the first.
        send_window: how long after its record a send may still be signed.
        expiry: from signing, how long the exchange may still accept what was sent; None where nobody knows, and
            then absence is never proved.
        visibility_lag: how long an accepted order may stay invisible to look-ups.
        base_delay: the first pause between look-ups or sends; it doubles up to `max_delay`.
        max_delay: the longest such pause.
        look_up_round: how long the last round of look-ups may take beyond all other bounds.
    """

    order_deadline: float = 30.0
    send_window: float = 2.0
    expiry: float | None = None
    visibility_lag: float = 1.0
    base_delay: float = 0.25
    max_delay: float = 5.0
    look_up_round: float = 10.0

    def __post_init__(self) -> None:
        """Check every bound.

        Raises:
            ConfigurationException: a value is negative or not finite.
        """
        for name in self.__slots__:
            value = getattr(self, name)
            if value is None and name == "expiry":
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                raise ConfigurationException(
                    f"SubmissionPolicy.{name} must be a finite number of seconds >= 0, not {value!r}",
                    field=name,
                    value=value,
                )

    def pause(self, n: int) -> float:
        """Return the pause after the n-th try, in seconds; n counts from 1."""
        return min(self.base_delay * 2.0 ** min(n - 1, 30), self.max_delay)


@dataclass(frozen=True, slots=True)
class Record:
    """Make the intent durable. Before a send a failure must stop the submission; afterwards it must not.

    What is `binding` holds only once it is written: until then, another process may still send the order.
    """

    intent: OrderIntent
    expected: OrderIntent | None
    before_send: bool
    binding: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send the order once, signed no later than `sign_by` (epoch seconds); answered by a `SendOutcome`."""

    intent: OrderIntent
    sign_by: float


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look the order up; answered by a `LookUpOutcome`.

    Only a thorough look-up, which asks every list that the exchange offers, may claim absence.
    """

    intent: OrderIntent
    thorough: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for `seconds`."""

    seconds: float


Effect: TypeAlias = Record | Send | LookUp | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How a submission or a recovery ended.

    Attributes:
        intent: the intent in its last state.
        order: the exchange's order where the intent is PLACED.
        error: the last error on the way; what a REJECTED intent was refused with.
        looked_up: the outcome came from a look-up and not from an answer to a send.
        resent: the order was proved absent and sent again.
    """

    intent: OrderIntent
    order: Mapping[str, Any] | None = None
    error: BaseException | None = None
    looked_up: bool = False
    resent: bool = False


Steps: TypeAlias = Generator[Effect, Any, Resolution]


class _Submission:
    """The state that one run of the protocol carries along."""

    def __init__(
        self,
        intent: OrderIntent,
        policy: SubmissionPolicy,
        now: Callable[[], float],
        describe: Callable[[BaseException], str],
    ) -> None:
        self.intent = intent
        self.policy = policy
        self.now = now
        self.describe = describe
        self.send_until = now() + policy.order_deadline
        self.stored: OrderIntent | None = None
        self.error: BaseException | None = None
        self.resent = False

    def record(
        self, status: IntentStatus, *, before_send: bool = False, binding: bool = False, **changes: Any
    ) -> Record:
        if "error" not in changes and not before_send and self.error is not None:
            changes["error"] = self.describe(self.error)
        expected = self.stored
        updated = datetime.fromtimestamp(self.now(), UTC)
        self.intent = self.stored = self.intent.replace(status=status, updated_at=updated, **changes)
        return Record(self.intent, expected, before_send, binding)

    def end(self, order: Mapping[str, Any] | None = None, *, looked_up: bool = False) -> Resolution:
        return Resolution(
            intent=self.intent, order=order, error=self.error, looked_up=looked_up, resent=self.resent
        )

    def time_to_send(self, pause: float) -> bool:
        """Whether a send could still start after `pause` seconds."""
        return self.now() + pause < self.send_until


def submit(
    intent: OrderIntent,
    policy: SubmissionPolicy,
    now: Callable[[], float],
    describe: Callable[[BaseException], str] = str,
    former: OrderIntent | None = None,
    *,
    resends: bool = True,
) -> Steps:
    """Place `intent` exactly once.

    Args:
        intent: a PENDING intent that is not in the journal yet.
        policy: the bounds.
        now: epoch seconds by this machine's clock; it must not jump (`steady_time`).
        describe: renders an error for the journal, with secrets masked.
        former: the REJECTED or ABSENT intent whose client order id the caller uses again; the new one takes its
            place in the journal, and its attempts count on.
        resends: whether to send again what was sent and then proved absent. False for a request that has another
            effect beside the order: what replaces an order also cancels one.

    Returns:
        The steps; their `Resolution` is PLACED, REJECTED, ABSENT or UNKNOWN.
    """
    if former is not None:
        intent = intent.replace(attempts=former.attempts)
    run = _Submission(intent, policy, now, describe)
    run.stored = former
    while True:
        outcome: SendOutcome = yield from _send(run)
        if outcome.verdict in (Verdict.NOT_SENT, Verdict.NOT_NOW):
            pause = max(policy.pause(run.intent.attempts), outcome.retry_after or 0.0)
            if run.time_to_send(pause):
                yield run.record(IntentStatus.PENDING)
                yield Wait(pause)
                continue
        resolution = yield from _judge(run, outcome, resends=resends)
        if resolution is not None:
            return resolution
        run.resent = True


def settle(
    intent: OrderIntent,
    outcome: SendOutcome,
    policy: SubmissionPolicy,
    now: Callable[[], float],
    describe: Callable[[BaseException], str] = str,
) -> Steps:
    """End an intent that was sent together with others; never sends anything.

    Args:
        intent: the SENT intent, as it is in the journal.
        outcome: how the common send ended for it.
        policy: the bounds.
        now: epoch seconds by this machine's clock; it must not jump (`steady_time`).
        describe: renders an error for the journal, with secrets masked.

    Returns:
        The steps; their `Resolution` is PLACED, REJECTED, ABSENT or UNKNOWN.
    """
    run = _Submission(intent, policy, now, describe)
    run.stored, run.error = intent, outcome.error
    run.send_until = now()
    resolution = yield from _judge(run, outcome, resends=False)
    return run.end() if resolution is None else resolution


def _judge(
    run: _Submission, outcome: SendOutcome, *, resends: bool
) -> Generator[Effect, Any, Resolution | None]:
    """End the submission by the outcome of its send; None where it is proved absent and may be sent again."""
    if outcome.verdict is Verdict.PLACED:
        yield run.record(IntentStatus.PLACED, order_id=outcome.order_id, error=None)
        return run.end(outcome.order)
    if outcome.verdict in (Verdict.NOT_SENT, Verdict.NOT_NOW):
        yield run.record(IntentStatus.ABSENT)
        return run.end()
    refused = outcome.verdict is Verdict.REJECTED
    if refused and not outcome.duplicate and not outcome.doubtful and not run.resent:
        yield run.record(IntentStatus.REJECTED)
        return run.end()
    # A refusal that follows an earlier send, or that speaks of a duplicate, may be that order's own doing (it holds the
    # id, or the funds), so it is looked up before it is believed. What was refused cannot be accepted later, so that
    # look-up need not wait for the expiry; but what it speaks of may be there already, and not visible yet.
    yield run.record(IntentStatus.SENT)
    lag = run.policy.visibility_lag if outcome.duplicate or outcome.doubtful else 0.0
    proof_at = run.now() + lag if refused else _proof_at(run.intent, run.policy)
    seen = yield from _look_until_known(run, proof_at=proof_at)
    if seen.order is not None:
        return run.end(seen.order, looked_up=True)
    if refused:
        run.error = outcome.error
        yield run.record(_after_refusal(run, outcome, seen))
        return run.end(looked_up=True)
    if not seen.absent:
        yield run.record(IntentStatus.UNKNOWN)
        return run.end(looked_up=True)
    if resends and run.time_to_send(0.0):
        return None
    yield run.record(IntentStatus.ABSENT)
    return run.end(looked_up=True)


def _send(run: _Submission) -> Generator[Effect, Any, SendOutcome]:
    """Record that the order may be out, then send it."""
    policy = run.policy
    sign_by = run.now() + policy.send_window
    accept_until = None if policy.expiry is None else sign_by + policy.expiry
    attempts = run.intent.attempts + 1
    yield run.record(IntentStatus.SENT, before_send=True, attempts=attempts, accept_until=accept_until)
    outcome: SendOutcome = yield Send(run.intent, sign_by)
    run.error = outcome.error
    return outcome


def _after_refusal(run: _Submission, outcome: SendOutcome, seen: LookUpOutcome) -> IntentStatus:
    """Return what a refusal means once the look-ups have not found the order."""
    if not outcome.duplicate:
        return IntentStatus.REJECTED if seen.absent else IntentStatus.UNKNOWN
    # The exchange says that the id is taken. By another order, on our first send: ours does not exist. Otherwise
    # the refusal and the look-ups contradict each other, and ours may exist.
    taken = seen.other is not None and run.intent.attempts == 1
    return IntentStatus.REJECTED if taken else IntentStatus.UNKNOWN


def resolve(
    intent: OrderIntent,
    policy: SubmissionPolicy,
    now: Callable[[], float],
    describe: Callable[[BaseException], str] = str,
) -> Steps:
    """Find out what became of an open intent, after a crash or a doubt. Never sends anything.

    The arguments are those of `submit`; the intent is one from the journal.

    Returns:
        The steps; their `Resolution` is PLACED, ABSENT or UNKNOWN.
    """
    run = _Submission(intent, policy, now, describe)
    run.stored = intent
    run.send_until = now()
    proof_at = _proof_at(intent, policy)
    if proof_at is not None and intent.accept_until is not None:
        # The clock may have been set back since. From now on, the time that was left when it was written is surely
        # enough; what is SENT was written by the clock that tells its end, which another may have gone before.
        written_at = intent.updated_at if intent.status is IntentStatus.SENT else intent.created_at
        left = intent.accept_until - written_at.timestamp()
        proof_at = min(proof_at, now() + max(left, 0.0) + policy.visibility_lag)
    seen = yield from _look_until_known(run, proof_at=proof_at)
    if seen.order is None:
        yield run.record(IntentStatus.ABSENT if seen.absent else IntentStatus.UNKNOWN, binding=seen.absent)
    return run.end(seen.order, looked_up=True)


def _look_until_known(run: _Submission, *, proof_at: float | None) -> Generator[Effect, Any, LookUpOutcome]:
    """Look up until the order is found (and recorded PLACED), its absence proved, or time is up.

    Args:
        run: the submission.
        proof_at: epoch seconds from which on a thorough look-up that finds nothing proves absence; None if never.

    Returns:
        The last look-up; its `absent` is true only where absence is proved.
    """
    policy = run.policy
    give_up_at = max(run.send_until, run.now() if proof_at is None else proof_at) + policy.look_up_round
    looks = 0
    while True:
        began = run.now()
        provable = proof_at is not None and began >= proof_at
        seen: LookUpOutcome = yield LookUp(run.intent, thorough=provable or proof_at is None)
        looks += 1
        if seen.error is not None:
            run.error = seen.error
        if seen.order_id is not None:
            yield run.record(IntentStatus.PLACED, order_id=seen.order_id, error=None)
            return seen
        # The look-up must have begun after the moment of proof: an earlier one proves nothing.
        if seen.absent and provable:
            return seen
        pause = policy.pause(looks)
        if proof_at is not None and run.now() < proof_at:
            pause = min(pause, proof_at - run.now())
        if seen.other is not None or seen.hopeless or run.now() + pause > give_up_at:
            return LookUpOutcome(other=seen.other, error=seen.error)
        yield Wait(pause)


def _proof_at(intent: OrderIntent, policy: SubmissionPolicy) -> float | None:
    """Return the epoch seconds from which on a look-up that finds nothing proves absence; None if never."""
    if intent.status is IntentStatus.PENDING:
        return 0.0
    return None if intent.accept_until is None else intent.accept_until + policy.visibility_lag
