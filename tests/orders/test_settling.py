"""The end of an order that was sent together with others: judged by its part of the answer, never sent again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from test_submission import (
    ABSENT,
    AMBIGUOUS,
    DUPLICATE,
    FAILED,
    FOUND,
    NOT_NOW,
    NOT_SENT,
    OTHER,
    PLACED,
    POLICY,
    REJECTED,
    Run,
    new_intent,
)

from tradeguard.orders import (
    IntentStatus,
    LookUpOutcome,
    OrderIntent,
    Resolution,
    Send,
    SendOutcome,
    SubmissionPolicy,
    settle,
)

SENT_AT = 1000.0
ACCEPT_UNTIL = SENT_AT + POLICY.send_window + 5.0


def sent() -> OrderIntent:
    at = datetime.fromtimestamp(SENT_AT, UTC)
    return new_intent(
        status=IntentStatus.SENT, created_at=at, updated_at=at, attempts=1, accept_until=ACCEPT_UNTIL
    )


def settled(
    outcome: SendOutcome, *look_ups: LookUpOutcome, policy: SubmissionPolicy = POLICY
) -> tuple[Run, Resolution]:
    run = Run([outcome], list(look_ups) or [ABSENT], policy=policy, now=SENT_AT)
    resolution = run.drive(settle(sent(), outcome, policy, lambda: run.now, lambda error: f"<{error}>"))
    assert run.count(Send) == 0
    return run, resolution


def test_what_was_placed_is_recorded_with_its_order_and_without_an_error() -> None:
    run, resolution = settled(PLACED)
    (record,) = run.records()
    assert record.expected == sent()
    assert record.intent == resolution.intent
    assert (record.intent.status, record.intent.order_id, record.intent.error) == (
        IntentStatus.PLACED,
        "42",
        None,
    )
    assert resolution.order == {"id": "42"}
    assert not resolution.looked_up


@pytest.mark.parametrize("outcome", [NOT_SENT, NOT_NOW])
def test_what_never_arrived_is_absent_and_keeps_its_error(outcome: SendOutcome) -> None:
    run, resolution = settled(outcome)
    assert resolution.intent.status is IntentStatus.ABSENT
    assert resolution.intent.error == f"<{outcome.error}>"
    assert resolution.error is outcome.error
    assert resolution.intent.updated_at == datetime.fromtimestamp(run.started, UTC)
    assert run.look_ups_at() == []


def test_a_refusal_is_believed_at_once() -> None:
    run, resolution = settled(REJECTED)
    assert resolution.intent.status is IntentStatus.REJECTED
    assert resolution.intent.error == "<no funds>"
    assert run.look_ups_at() == []


def test_what_is_ambiguous_is_looked_up_and_placed_where_it_is_found() -> None:
    run, resolution = settled(AMBIGUOUS, FAILED, FOUND)
    assert resolution.intent.status is IntentStatus.PLACED
    assert resolution.intent.order_id == "42"
    assert resolution.looked_up
    assert not resolution.resent
    assert len(run.look_ups_at()) == 2


def test_absence_is_proved_after_the_expiry_and_ends_it_though_time_to_send_were_left() -> None:
    run, resolution = settled(AMBIGUOUS, ABSENT)
    assert resolution.intent.status is IntentStatus.ABSENT
    last, thorough = run.look_ups_at()[-1]
    assert thorough
    assert last >= ACCEPT_UNTIL - SENT_AT + POLICY.visibility_lag
    assert resolution.looked_up
    assert not resolution.resent


def test_nobody_looks_longer_than_a_round_after_the_moment_of_proof() -> None:
    """The deadline of the batch is no deadline of each of its orders: what is settled was sent already."""
    run, resolution = settled(AMBIGUOUS, FAILED)
    assert resolution.intent.status is IntentStatus.UNKNOWN
    assert resolution.intent.error == "<down>"
    proof = ACCEPT_UNTIL - SENT_AT + POLICY.visibility_lag
    assert proof < run.now - run.started <= proof + POLICY.look_up_round + 0.1


def test_an_id_that_another_order_has_is_a_refusal_after_the_look_up() -> None:
    run, resolution = settled(DUPLICATE, OTHER)
    assert resolution.intent.status is IntentStatus.REJECTED
    assert resolution.error is DUPLICATE.error
    assert len(run.look_ups_at()) == 1
