"""Faults of streams as values, and in a plan beside those of requests."""

from __future__ import annotations

from typing import Any

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import Fault, FaultKind, FaultPlan, StreamFault, StreamFaultKind

TRADES = "ethbtc@trade"


def kinds(plan: FaultPlan, count: int, group: str = "trade", name: str = TRADES) -> list[str | None]:
    drawn = [plan.draw_stream(group, name, seed=1) for _ in range(count)]
    return [None if fault is None else fault.label for fault in drawn]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"kind": "melted"}, "kind: 'melted' is not one of refused"),
        ({"kind": "lost", "on": "trades"}, "on: 'trades' is not any, one of trade"),
        ({"kind": "lost", "on": "handshake"}, "on: 'handshake'"),
        ({"kind": "lost", "on": 7}, "on: 7"),
        ({"kind": "refused", "on": "trade"}, "on: 'trade' is not any, /ws"),
        ({"kind": "lost", "times": 0}, "times: 0"),
        ({"kind": "lost", "times": True}, "times: True"),
        ({"kind": "lost", "skip": -1}, "skip: -1"),
        ({"kind": "lost", "rate": 1.1}, "rate: 1.1"),
        ({"kind": "lagging", "delay": 3601}, "delay: 3601"),
        ({"kind": "frozen", "duration": -1}, "duration: -1"),
        ({"kind": "closed", "code": 999}, "code: 999"),
        ({"kind": "refused", "status": 200}, "status: 200"),
        ({"kind": "refused", "retry_after": -1}, "retry_after: -1"),
    ],
)
def test_bad_values_are_refused_by_name(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationException, match=says):
        StreamFault(**arguments)


def test_fault_is_for_its_group_its_stream_or_all_but_never_for_another_moment() -> None:
    assert StreamFault(StreamFaultKind.LOST, "trade").is_for("trade", TRADES)
    assert StreamFault(StreamFaultKind.LOST, TRADES).is_for("trade", TRADES)
    assert StreamFault(StreamFaultKind.LOST).is_for("user", "user@executionReport")
    assert not StreamFault(StreamFaultKind.LOST, "depth").is_for("trade", TRADES)
    assert not StreamFault(StreamFaultKind.LOST, "btcusdt@trade").is_for("trade", TRADES)
    assert not StreamFault(StreamFaultKind.LOST).is_for("handshake", "/ws")
    assert StreamFault(StreamFaultKind.REFUSED).is_for("handshake", "/ws")
    assert not StreamFault(StreamFaultKind.REFUSED, "/stream").is_for("handshake", "/ws")
    assert not StreamFault(StreamFaultKind.REFUSED).is_for("trade", TRADES)


def test_scripted_faults_strike_in_their_order_and_as_often_as_they_say() -> None:
    plan = FaultPlan(
        [StreamFault(StreamFaultKind.LOST, skip=1, times=2), StreamFault(StreamFaultKind.GARBAGE)]
    )
    assert kinds(plan, 5) == ["garbage", "lost", "lost", None, None]
    assert plan.faults == ()


def test_requests_draw_none_of_them_and_streams_none_of_theirs() -> None:
    lost, dropped = StreamFault(StreamFaultKind.LOST), Fault(FaultKind.DROPPED)
    plan = FaultPlan.script([lost, dropped])
    assert plan.draw("create", "POST /api/v3/order") == dropped
    assert plan.draw_stream("trade", TRADES) == lost
    plan.add(lost)
    plan.remove(lost)
    assert kinds(plan, 1) == [None]


def test_share_of_messages_is_struck_at_the_rate_and_the_same_with_the_same_seed() -> None:
    def plan() -> FaultPlan:
        return FaultPlan([StreamFault(StreamFaultKind.LOST, times=None, rate=0.3)])

    drawn = kinds(plan(), 4000)
    assert 0.27 < sum(1 for kind in drawn if kind) / 4000 < 0.33
    assert kinds(plan(), 4000) == drawn
    busy, actual = plan(), []
    for _ in range(100):
        kinds(busy, 3, "depth", "ethbtc@depth")
        actual += kinds(busy, 1)
    assert actual == drawn[:100]


def test_profiles_leave_the_faults_of_requests_as_they_are() -> None:
    quiet, busy = FaultPlan.profile("hostile", seed=1), FaultPlan.profile("hostile", seed=1)
    expected = [quiet.draw("create", "POST /api/v3/order") for _ in range(200)]
    actual = []
    for _ in range(200):
        kinds(busy, 2)
        actual.append(busy.draw("create", "POST /api/v3/order"))
    assert actual == expected
