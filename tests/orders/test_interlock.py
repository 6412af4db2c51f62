"""The interlock: causes stack, the strictest counts, each lifts on its own, and a refusal says why."""

from __future__ import annotations

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import Interlock, InterlockState, InterlockStatus, TradingRestrictedError
from tradeguard.testing import ManualClock

REDUCE, HALT = InterlockState.REDUCE_ONLY, InterlockState.HALTED


def test_nothing_is_restricted_at_first() -> None:
    interlock = Interlock(clock=ManualClock())
    interlock.check("ETH/BTC", reduces=False)
    assert interlock.status() == InterlockStatus(state=InterlockState.NORMAL, causes=())


def test_a_cause_restricts_its_own_symbol_and_lets_reducing_orders_pass() -> None:
    interlock = Interlock(clock=ManualClock())
    interlock.restrict("stale_data", REDUCE, symbol="ETH/BTC", reason="old prices", lifted_by="fresh ones")
    interlock.check("LTC/BTC", reduces=False)
    interlock.check("ETH/BTC", reduces=True)
    with pytest.raises(TradingRestrictedError, match=r"old prices \(lifted by fresh ones\)") as refused:
        interlock.check("ETH/BTC", reduces=False)
    assert refused.value.context["causes"] == ["stale_data"]
    assert refused.value.context["state"] == "REDUCE_ONLY"


def test_causes_stack_and_the_strictest_counts_until_each_is_lifted() -> None:
    clock, told = ManualClock(), []
    interlock = Interlock(clock=clock, on_change=lambda status: told.append(str(status.state)))
    interlock.restrict("unknown_order", REDUCE, symbol="ETH/BTC", reason="in doubt", lifted_by="finding it")
    clock.advance(1)
    interlock.halt("lunch")
    assert [cause.kind for cause in interlock.status().causes] == ["unknown_order", "operator"]
    with pytest.raises(TradingRestrictedError, match="lunch"):
        interlock.check("ETH/BTC", reduces=True)
    interlock.resume()
    interlock.check("ETH/BTC", reduces=True)
    assert interlock.stands("unknown_order", "ETH/BTC")
    assert interlock.lift("unknown_order", "ETH/BTC")
    assert not interlock.lift("unknown_order", "ETH/BTC")
    assert interlock.status().state is InterlockState.NORMAL
    assert told == ["REDUCE_ONLY", "HALTED", "REDUCE_ONLY", "NORMAL"]


def test_the_same_cause_again_is_no_change() -> None:
    told: list[InterlockStatus] = []
    interlock = Interlock(clock=ManualClock(), on_change=told.append)
    for age in (1, 2, 3):
        interlock.restrict("stale_data", REDUCE, symbol="A/B", reason=f"{age} s old", lifted_by="data")
    assert len(told) == 1
    assert interlock.status().causes[0].reason == "3 s old"


def test_a_cause_that_restricts_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationException, match="state must be"):
        Interlock().restrict("x", InterlockState.NORMAL, reason="x", lifted_by="x")
