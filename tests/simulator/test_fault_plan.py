"""Which fault strikes: scripts, chances and profiles."""

from __future__ import annotations

from collections import Counter

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import EndpointGroup, Fault, FaultKind, FaultPlan, Phase
from tradeguard.simulator.fault_profiles import PROFILES, chances_of

POST = "POST /api/v3/order"


def kinds(plan: FaultPlan, requests: int, group: str = "create", endpoint: str = POST) -> list[str | None]:
    drawn = [plan.draw(group, endpoint, seed=1) for _ in range(requests)]
    return [None if fault is None else fault.label for fault in drawn]


def test_scripted_faults_strike_in_their_order_and_as_often_as_they_say() -> None:
    plan = FaultPlan.script(
        [Fault(FaultKind.DROPPED, "create", times=2), Fault(FaultKind.EMPTY, "create", Phase.AFTER)]
    )
    assert kinds(plan, 4) == ["dropped/before", "dropped/before", "empty/after", None]
    assert plan.faults == ()


def test_skipped_requests_pass_first() -> None:
    plan = FaultPlan([Fault(FaultKind.DROPPED, "create", skip=2)])
    assert kinds(plan, 4) == [None, None, "dropped/before", None]


def test_endless_fault_strikes_until_it_is_removed() -> None:
    fault = Fault(FaultKind.DROPPED, times=None)
    plan = FaultPlan([fault])
    assert kinds(plan, 3) == ["dropped/before"] * 3
    plan.remove(fault)
    plan.remove(fault)
    assert kinds(plan, 1) == [None]


def test_fault_is_for_its_group_its_endpoint_or_all() -> None:
    assert Fault(FaultKind.DROPPED, "create").is_for("create", POST)
    assert not Fault(FaultKind.DROPPED, "cancel").is_for("create", POST)
    assert Fault(FaultKind.DROPPED, POST).is_for("create", POST)
    assert not Fault(FaultKind.DROPPED, "GET /api/v3/order").is_for("lookup", POST)
    assert Fault(FaultKind.DROPPED).is_for("market", "GET /api/v3/ping")


def test_share_of_requests_is_struck_at_the_rate() -> None:
    plan = FaultPlan([Fault(FaultKind.DROPPED, "create", times=None, rate=0.3)])
    struck = sum(1 for kind in kinds(plan, 4000) if kind)
    assert 0.27 < struck / 4000 < 0.33


def test_same_seed_draws_the_same_whatever_happens_at_other_endpoints() -> None:
    alone, busy = FaultPlan.profile("hostile"), FaultPlan.profile("hostile")
    expected = kinds(alone, 200)
    actual = []
    for _ in range(200):
        kinds(busy, 3, "market", "GET /api/v3/klines")
        actual += kinds(busy, 1)
    assert actual == expected


def test_another_seed_draws_otherwise() -> None:
    one, other = FaultPlan.profile("hostile", seed=1), FaultPlan.profile("hostile", seed=2)
    assert kinds(one, 100) != kinds(other, 100)


def test_cleared_plan_strikes_no_more() -> None:
    plan = FaultPlan.profile("hostile")
    plan.add(Fault(FaultKind.DROPPED))
    plan.clear()
    assert set(kinds(plan, 200)) == {None}


@pytest.mark.parametrize(
    ("group", "low", "high"),
    [
        (EndpointGroup.CREATE, 0.25, 0.35),
        (EndpointGroup.CANCEL, 0.10, 0.25),
        (EndpointGroup.LOOKUP, 0.10, 0.20),
        (EndpointGroup.MARKET, 0.10, 0.15),
        (EndpointGroup.ACCOUNT, 0.10, 0.15),
    ],
)
def test_hostile_profile_keeps_to_its_rates(group: EndpointGroup, low: float, high: float) -> None:
    drawn = kinds(FaultPlan.profile("hostile", seed=4), 3000, group, f"GET /{group}")
    assert low < sum(1 for kind in drawn if kind) / 3000 < high


def test_hostile_profile_strikes_orders_after_acceptance_more_often_than_before() -> None:
    drawn = Counter(kinds(FaultPlan.profile("hostile", seed=4), 5000))
    after = sum(number for kind, number in drawn.items() if kind and kind.endswith("after"))
    before = sum(number for kind, number in drawn.items() if kind and kind.endswith("before"))
    assert after > before
    assert drawn["late_acceptance"] > 0
    assert drawn["limited"] > 0


def test_profiles_grow_from_calm_to_hostile() -> None:
    shares = [sum(chance for chance, _ in chances_of(name)) for name in PROFILES]
    assert shares == sorted(shares)
    assert list(PROFILES) == ["calm", "stormy", "hostile"]


def test_no_chance_of_a_group_adds_up_to_more_than_one() -> None:
    for group in EndpointGroup:
        assert sum(chance for chance, fault in chances_of("hostile") if fault.on == group) < 1


def test_unknown_profile_is_refused() -> None:
    with pytest.raises(ConfigurationException, match="'wild' is not one of calm, stormy, hostile"):
        FaultPlan.profile("wild")


def test_only_faults_are_accepted() -> None:
    with pytest.raises(ConfigurationException, match="is no Fault"):
        FaultPlan(["dropped"])  # type: ignore[list-item]


def test_chance_beyond_one_is_refused() -> None:
    with pytest.raises(ConfigurationException, match="chance"):
        FaultPlan(chances=[(1.5, Fault(FaultKind.DROPPED))])
