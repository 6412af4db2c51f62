"""The protocol of exactly once, driven by arbitrary outcomes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import (
    IntentStatus,
    LookUp,
    LookUpOutcome,
    OrderIntent,
    Record,
    Resolution,
    Send,
    SendOutcome,
    SubmissionPolicy,
    Verdict,
    Wait,
    resolve,
    submit,
)

ORDER = {"id": "42"}
POLICY = SubmissionPolicy(order_deadline=30.0, send_window=2.0, expiry=5.0, visibility_lag=1.0)


def new_intent(**changes: Any) -> OrderIntent:
    now = datetime.fromtimestamp(0, UTC)
    fields: dict[str, Any] = {
        "client_order_id": "abc",
        "symbol": "ETH/BTC",
        "type": "limit",
        "side": "buy",
        "amount": 1.0,
        "price": 0.1,
        "status": IntentStatus.PENDING,
        "created_at": now,
        "updated_at": now,
    }
    return OrderIntent(**(fields | changes))


class Run:
    """Drives a protocol with scripted outcomes, on a clock that moves by waits and by `takes` seconds a call."""

    def __init__(
        self,
        sends: list[SendOutcome],
        look_ups: list[LookUpOutcome],
        *,
        takes: float = 0.01,
        policy: SubmissionPolicy = POLICY,
        now: float = 1000.0,
    ) -> None:
        self.now = self.started = now
        self.takes = takes
        self.policy = policy
        self.sends = list(sends)
        self.look_ups = list(look_ups)
        self.trace: list[Any] = []
        self.times: list[float] = []

    def submit(self, former: OrderIntent | None = None) -> Resolution:
        return self.drive(submit(new_intent(), self.policy, lambda: self.now, former=former))

    def resolve(self, intent: OrderIntent) -> Resolution:
        return self.drive(resolve(intent, self.policy, lambda: self.now))

    def drive(self, steps: Any) -> Resolution:
        outcome: Any = None
        for _ in range(5000):
            try:
                effect = steps.send(outcome)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            self.trace.append(effect)
            self.times.append(self.now)
            outcome = None
            match effect:
                case Send():
                    outcome = self.sends.pop(0) if len(self.sends) > 1 else self.sends[0]
                    self.now += self.takes
                case LookUp():
                    outcome = self.look_ups.pop(0) if len(self.look_ups) > 1 else self.look_ups[0]
                    self.now += self.takes
                case Wait():
                    assert effect.seconds >= 0
                    self.now += max(effect.seconds, 0.001)
        raise AssertionError("the protocol does not end")

    def count(self, kind: type) -> int:
        return sum(isinstance(effect, kind) for effect in self.trace)

    def records(self) -> list[Record]:
        return [effect for effect in self.trace if isinstance(effect, Record)]

    def look_ups_at(self) -> list[tuple[float, bool]]:
        """The time of each look-up, in seconds from the start, and whether it was thorough."""
        return [
            (at - self.started, effect.thorough)
            for effect, at in zip(self.trace, self.times, strict=True)
            if isinstance(effect, LookUp)
        ]


PLACED = SendOutcome(verdict=Verdict.PLACED, order=ORDER)
AMBIGUOUS = SendOutcome(verdict=Verdict.AMBIGUOUS, error=TimeoutError("no answer"))
REJECTED = SendOutcome(verdict=Verdict.REJECTED, error=ValueError("no funds"))
DUPLICATE = SendOutcome(verdict=Verdict.REJECTED, error=ValueError("duplicate"), duplicate=True)
PARTLY = SendOutcome(verdict=Verdict.REJECTED, error=ValueError("the cancel failed"), doubtful=True)
NOT_SENT = SendOutcome(verdict=Verdict.NOT_SENT, error=ConnectionError("refused"))
NOT_NOW = SendOutcome(verdict=Verdict.NOT_NOW, error=ConnectionError("429"), retry_after=3.0)
FOUND = LookUpOutcome(order=ORDER)
ABSENT = LookUpOutcome(absent=True)
FAILED = LookUpOutcome(error=ConnectionError("down"))
OTHER = LookUpOutcome(other={"id": "7"}, error=ValueError("another order"))
SILENT = LookUpOutcome()


def test_the_intent_is_recorded_as_sent_before_the_first_send() -> None:
    run = Run([PLACED], [ABSENT])
    result = run.submit()
    record, send = run.trace[0], run.trace[1]
    assert isinstance(record, Record)
    assert record.before_send
    assert record.binding is False
    assert record.intent.status is IntentStatus.SENT
    assert record.intent.accept_until == 1000.0 + 2.0 + 5.0
    assert isinstance(send, Send)
    assert send.sign_by == 1002.0
    assert result.intent.status is IntentStatus.PLACED
    assert result.intent.order_id == "42"
    assert result.order == ORDER


def test_a_certain_refusal_of_the_first_send_is_believed_without_a_look_up() -> None:
    run = Run([REJECTED], [ABSENT])
    result = run.submit()
    assert result.intent.status is IntentStatus.REJECTED
    assert result.error is REJECTED.error
    assert run.count(LookUp) == 0


@pytest.mark.parametrize("outcome", [NOT_SENT, NOT_NOW])
def test_what_surely_did_not_arrive_is_sent_again_without_a_look_up(outcome: SendOutcome) -> None:
    run = Run([outcome, PLACED], [FAILED])
    result = run.submit()
    assert result.intent.status is IntentStatus.PLACED
    assert result.intent.attempts == 2
    assert run.count(LookUp) == 0
    assert [e.seconds for e in run.trace if isinstance(e, Wait)] == [outcome.retry_after or 0.25]


def test_what_never_arrived_within_the_deadline_is_absent() -> None:
    run = Run([NOT_NOW], [FAILED])
    result = run.submit()
    assert result.intent.status is IntentStatus.ABSENT
    assert run.now <= 1000.0 + POLICY.order_deadline
    assert run.count(Send) > 5


def test_an_ambiguous_send_that_is_found_is_placed_and_not_sent_again() -> None:
    run = Run([AMBIGUOUS], [FAILED, SILENT, FOUND])
    result = run.submit()
    assert result.intent.status is IntentStatus.PLACED
    assert result.looked_up
    assert run.count(Send) == 1


def test_absence_is_believed_only_after_the_expiry_and_the_lag() -> None:
    run = Run([AMBIGUOUS, PLACED], [ABSENT])
    result = run.submit()
    sends = [at for effect, at in zip(run.trace, run.times, strict=True) if isinstance(effect, Send)]
    assert result.intent.status is IntentStatus.PLACED
    assert result.resent
    assert sends[1] >= 1000.0 + 2.0 + 5.0 + 1.0


def test_without_an_expiry_absence_is_never_proved() -> None:
    run = Run([AMBIGUOUS], [ABSENT], policy=SubmissionPolicy(expiry=None))
    assert run.submit().intent.status is IntentStatus.UNKNOWN
    assert run.count(Send) == 1


def test_failed_look_ups_prove_nothing() -> None:
    run = Run([AMBIGUOUS], [FAILED])
    result = run.submit()
    assert result.intent.status is IntentStatus.UNKNOWN
    assert run.count(Send) == 1
    assert "down" in (result.intent.error or "")


def test_absence_proved_too_late_to_send_again_is_absent() -> None:
    policy = SubmissionPolicy(order_deadline=3.0, expiry=5.0, visibility_lag=1.0)
    run = Run([AMBIGUOUS], [ABSENT], policy=policy)
    assert run.submit().intent.status is IntentStatus.ABSENT
    assert run.count(Send) == 1


def test_a_duplicate_refusal_is_looked_up_before_it_is_believed() -> None:
    run = Run([DUPLICATE], [FOUND])
    assert run.submit().intent.status is IntentStatus.PLACED


def test_a_duplicate_refusal_for_another_orders_id_is_a_refusal() -> None:
    run = Run([DUPLICATE], [OTHER])
    result = run.submit()
    assert result.intent.status is IntentStatus.REJECTED
    assert result.error is DUPLICATE.error


def test_a_duplicate_refusal_that_no_look_up_explains_stays_unknown() -> None:
    run = Run([DUPLICATE], [ABSENT])
    assert run.submit().intent.status is IntentStatus.UNKNOWN


def test_a_refusal_after_a_resend_is_looked_up_first() -> None:
    refused = Run([AMBIGUOUS, REJECTED], [ABSENT])
    assert refused.submit().intent.status is IntentStatus.REJECTED
    sends = [i for i, effect in enumerate(refused.trace) if isinstance(effect, Send)]
    assert any(isinstance(effect, LookUp) for effect in refused.trace[sends[1] :])


def test_a_refusal_of_a_part_is_believed_only_when_the_rest_would_be_visible() -> None:
    """The order may have been accepted with the very answer that refuses another part, and be invisible still."""
    run = Run([PARTLY], [ABSENT, ABSENT, FOUND])
    result = run.submit()
    looked = [at for effect, at in zip(run.trace, run.times, strict=True) if isinstance(effect, LookUp)]
    assert looked[-1] < 1000.0 + POLICY.visibility_lag + 1.0
    assert result.intent.status is IntentStatus.PLACED

    refused = Run([PARTLY], [ABSENT])
    assert refused.submit().intent.status is IntentStatus.REJECTED
    assert refused.now >= 1000.0 + POLICY.visibility_lag


def test_a_recovery_never_sends_and_waits_out_the_expiry() -> None:
    sent = new_intent(status=IntentStatus.SENT, attempts=1, accept_until=1004.0)
    run = Run([PLACED], [ABSENT])
    result = run.resolve(sent)
    assert result.intent.status is IntentStatus.ABSENT
    assert run.now >= 1005.0
    assert run.count(Send) == 0
    assert run.records()[-1].binding is True  # until this is written, another process may still send it


def test_a_recovered_intent_that_was_never_sent_needs_one_look_up() -> None:
    run = Run([PLACED], [ABSENT])
    absent = run.resolve(new_intent()).intent
    assert (absent.status, absent.error) == (IntentStatus.ABSENT, None)
    assert run.count(LookUp) == 1


def test_each_record_tells_its_time_and_the_record_that_it_follows() -> None:
    run = Run([AMBIGUOUS, NOT_NOW, PLACED], [FAILED, ABSENT])
    result = run.submit()
    records = run.records()
    assert [record.intent.status for record in records] == [
        *(IntentStatus.SENT, IntentStatus.SENT),  # before the send, and after the answer that tells nothing
        *(IntentStatus.SENT, IntentStatus.PENDING),
        *(IntentStatus.SENT, IntentStatus.PLACED),
    ]
    assert [record.before_send for record in records] == [True, False] * 3
    assert [record.expected for record in records] == [None, *(record.intent for record in records[:-1])]
    times = [at for effect, at in zip(run.trace, run.times, strict=True) if isinstance(effect, Record)]
    assert [record.intent.updated_at for record in records] == [
        datetime.fromtimestamp(at, UTC) for at in times
    ]
    for effect, last in zip(run.trace[1:], run.trace, strict=False):
        if isinstance(effect, Send | LookUp) and isinstance(last, Record):
            assert effect.intent is last.intent
    assert result.intent.attempts == 3


def test_an_id_that_is_used_again_goes_on_from_its_former_intent() -> None:
    former = new_intent(status=IntentStatus.ABSENT, attempts=4)
    run = Run([PLACED], [ABSENT])
    assert run.submit(former).intent.attempts == 5
    assert run.records()[0].expected is former


def test_what_went_wrong_on_the_way_is_recorded_until_the_order_is_placed() -> None:
    for run in (Run([NOT_NOW, PLACED], [FAILED]), Run([AMBIGUOUS], [FAILED, FOUND])):
        placed = run.submit().intent
        errors = [record.intent.error for record in run.records()]
        assert errors[0] is None
        assert errors[1] in {"429", "no answer"}
        assert placed.status is IntentStatus.PLACED
        assert placed.error is errors[-1] is None


def test_an_answer_says_whether_it_came_from_a_look_up_and_after_a_second_send() -> None:
    at_once = Run([PLACED], [ABSENT]).submit()
    assert (at_once.order, at_once.looked_up, at_once.resent, at_once.error) == (ORDER, False, False, None)
    found = Run([AMBIGUOUS], [FOUND]).submit()
    assert (found.order, found.looked_up, found.resent) == (ORDER, True, False)
    late = SubmissionPolicy(order_deadline=3.0, expiry=5.0)
    for sends, looks, policy, status in (
        ([DUPLICATE], OTHER, POLICY, IntentStatus.REJECTED),
        ([AMBIGUOUS], FAILED, POLICY, IntentStatus.UNKNOWN),
        ([AMBIGUOUS], ABSENT, late, IntentStatus.ABSENT),
    ):
        result = Run(sends, [looks], policy=policy).submit()
        assert result.intent.status is status
        assert (result.order, result.looked_up) == (None, True)
    for sends in ([REJECTED], [NOT_SENT]):
        assert Run(sends, [ABSENT], policy=late).submit().looked_up is False


def test_no_send_starts_at_the_deadline_itself() -> None:
    policy = SubmissionPolicy(order_deadline=3.0, expiry=1.0, visibility_lag=0.0)
    waited_for = Run([NOT_NOW], [ABSENT], policy=policy, takes=0.0)
    assert waited_for.submit().intent.status is IntentStatus.ABSENT
    assert waited_for.count(Send) == 1
    proved = Run([AMBIGUOUS], [ABSENT], policy=policy, takes=0.0)
    assert proved.submit().intent.status is IntentStatus.ABSENT
    assert (proved.count(Send), proved.now) == (1, 1003.0)
    sooner = Run(
        [AMBIGUOUS, PLACED],
        [ABSENT],
        policy=SubmissionPolicy(order_deadline=3.5, expiry=1.0, visibility_lag=0.0),
    )
    assert sooner.submit().resent


def test_the_pause_doubles_from_one_try_to_the_next_up_to_the_longest() -> None:
    assert [POLICY.pause(n) for n in range(1, 8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert POLICY.pause(5000) == 5.0


@pytest.mark.parametrize(("look_up_round", "looks"), [(10.5, [0, 1, 3, 7, 11]), (11.0, [0, 1, 3, 7, 11, 15])])
def test_look_ups_go_on_until_the_last_bound_and_a_round(look_up_round: float, looks: list[float]) -> None:
    policy = SubmissionPolicy(order_deadline=4.0, base_delay=1.0, max_delay=4.0, look_up_round=look_up_round)
    run = Run([AMBIGUOUS], [SILENT], policy=policy, takes=0.0)
    assert run.submit().intent.status is IntentStatus.UNKNOWN
    assert run.look_ups_at() == [
        (at, True) for at in looks
    ]  # nothing will ever prove absence: each is thorough


def test_look_ups_before_the_moment_of_proof_are_light_and_the_first_after_it_is_at_that_moment() -> None:
    policy = SubmissionPolicy(
        order_deadline=4.0, send_window=2.0, expiry=60.0, visibility_lag=1.0, base_delay=8.0, max_delay=32.0
    )
    run = Run([AMBIGUOUS], [*[SILENT] * 4, ABSENT], policy=policy, takes=0.0)
    assert run.submit().intent.status is IntentStatus.ABSENT
    assert run.look_ups_at() == [(0.0, False), (8.0, False), (24.0, False), (56.0, False), (63.0, True)]


def test_after_the_moment_of_proof_the_pauses_go_on() -> None:
    policy = SubmissionPolicy(
        order_deadline=4.0, send_window=0.0, expiry=1.0, visibility_lag=0.0, base_delay=1.0, look_up_round=6.0
    )
    run = Run([AMBIGUOUS], [SILENT], policy=policy, takes=0.0)
    run.submit()
    assert run.look_ups_at() == [(0.0, False), (1.0, True), (3.0, True), (7.0, True)]


def test_a_refusal_after_a_resend_waits_for_no_expiry_and_counts_only_if_the_order_is_absent() -> None:
    sure = Run([AMBIGUOUS, REJECTED], [ABSENT])
    result = sure.submit()
    assert result.error is REJECTED.error
    assert sure.now < 1000.0 + 8.0 + 1.0
    unsure = Run([AMBIGUOUS, REJECTED], [*[ABSENT] * 7, FAILED])
    assert unsure.submit().resent
    assert unsure.records()[-1].intent.status is IntentStatus.UNKNOWN


def test_a_recovery_that_finds_the_order_says_so_and_one_that_cannot_look_does_not_know() -> None:
    sent = new_intent(status=IntentStatus.SENT, attempts=1, accept_until=1004.0)
    run = Run([PLACED], [FAILED, FOUND])
    found = run.resolve(sent)
    assert found.intent.status is IntentStatus.PLACED
    assert (found.order, found.looked_up, found.intent.error) == (ORDER, True, None)
    assert run.records()[0].expected is sent
    blind = Run([PLACED], [FAILED]).resolve(sent)
    assert blind.intent.status is IntentStatus.UNKNOWN
    assert blind.intent.error == "down"
    assert blind.looked_up
    unsure = Run([PLACED], [FAILED])
    unsure.resolve(sent)
    assert unsure.records()[-1].binding is False


@pytest.mark.parametrize(("written", "proved_after"), [(1000.0, 5.0 + 1.0), (1010.0, 0.0 + 1.0)])
def test_a_recovery_on_a_clock_that_was_set_back_waits_for_what_was_left_of_the_submission_at_most(
    written: float, proved_after: float
) -> None:
    sent = new_intent(
        status=IntentStatus.SENT, accept_until=1005.0, updated_at=datetime.fromtimestamp(written, UTC)
    )
    run = Run([PLACED], [ABSENT], takes=0.0, now=500.0)
    assert run.resolve(sent).intent.status is IntentStatus.ABSENT
    assert run.look_ups_at()[-1] == (proved_after, True)
    assert [thorough for _, thorough in run.look_ups_at()[:-1]] == [False] * (run.count(LookUp) - 1)


@pytest.mark.parametrize(
    "field", ["order_deadline", "expiry", "visibility_lag", "base_delay", "max_delay", "send_window"]
)
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "1", True])
def test_a_policy_refuses_what_is_no_duration(field: str, value: Any) -> None:
    with pytest.raises(ConfigurationException, match=field) as caught:
        SubmissionPolicy(**{field: value})
    assert caught.value.context["field"] == field
    assert repr(caught.value.context["value"]) == repr(value)


outcomes = st.sampled_from([PLACED, AMBIGUOUS, REJECTED, DUPLICATE, NOT_SENT, NOT_NOW])
look_ups = st.sampled_from([FOUND, ABSENT, FAILED, OTHER, SILENT])


@given(
    sends=st.lists(outcomes, min_size=1, max_size=12),
    looks=st.lists(look_ups, min_size=1, max_size=30),
    takes=st.floats(0.0, 20.0),
    expiry=st.one_of(st.none(), st.floats(0.0, 60.0)),
    lag=st.floats(0.0, 10.0),
)
def test_no_path_doubles_forgets_or_invents_an_order(
    sends: list[SendOutcome],
    looks: list[LookUpOutcome],
    takes: float,
    expiry: float | None,
    lag: float,
) -> None:
    policy = SubmissionPolicy(expiry=expiry, visibility_lag=lag)
    run = Run(sends, looks, takes=takes, policy=policy)
    scripted_sends, scripted_looks = list(sends), list(looks)
    result = run.submit()
    check_trace(run, policy, scripted_sends, scripted_looks)
    assert result.intent.status != IntentStatus.PENDING
    assert result.intent.status != IntentStatus.SENT
    if result.intent.status is IntentStatus.PLACED:
        assert result.intent.order_id == "42"
    last = [e for e in run.trace if isinstance(e, Record)][-1]
    assert last.intent == result.intent  # what the caller learns is what the journal was told


def check_trace(
    run: Run, policy: SubmissionPolicy, sends: list[SendOutcome], looks: list[LookUpOutcome]
) -> None:
    """No send follows one whose copy may exist; ABSENT after an ambiguous send has its proof."""
    in_doubt_until: float | None = None
    doubtful = False
    recorded_sent = False
    for effect, at in zip(run.trace, run.times, strict=True):
        match effect:
            case Record():
                recorded_sent = effect.before_send
                if effect.intent.status is IntentStatus.ABSENT:
                    assert not doubtful
            case Send():
                assert recorded_sent, "a send must be journaled first"
                assert not doubtful, "an unresolved intent was sent again"
                outcome = sends.pop(0) if len(sends) > 1 else sends[0]
                doubtful = outcome.verdict is Verdict.AMBIGUOUS or outcome.duplicate
                bound = effect.intent.accept_until
                in_doubt_until = None if bound is None else bound + policy.visibility_lag
                if outcome.duplicate:
                    in_doubt_until = None
            case LookUp():
                seen = looks.pop(0) if len(looks) > 1 else looks[0]
                if seen.absent and effect.thorough and in_doubt_until is not None and at >= in_doubt_until:
                    doubtful = False
            case Wait():
                pass


def test_a_recovery_is_not_misled_by_a_clock_that_was_set_back_between_the_wish_and_the_send() -> None:
    """What is left of the request's time is told by the clock that its end was told by."""
    sent = datetime.fromtimestamp(1000, UTC)
    wished = datetime.fromtimestamp(5000, UTC)
    intent = new_intent(status=IntentStatus.SENT, created_at=wished, updated_at=sent, accept_until=1007.0)
    run = Run([], [LookUpOutcome(absent=True)] * 50)
    run.now = 1001.0
    resolution = run.drive(resolve(intent, POLICY, lambda: run.now))
    assert resolution.intent.status is IntentStatus.ABSENT
    assert run.now >= 1007.0 + POLICY.visibility_lag


def test_where_nothing_can_be_looked_up_nobody_waits() -> None:
    run = Run([SendOutcome(verdict=Verdict.AMBIGUOUS)], [LookUpOutcome(hopeless=True)] * 50)
    resolution = run.submit()
    assert resolution.intent.status is IntentStatus.UNKNOWN
    assert sum(isinstance(effect, LookUp) for effect in run.trace) == 1
    assert not any(isinstance(effect, Wait) for effect in run.trace)
