"""The registry: every living circuit, and one circuit to a shared name."""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass

import pytest

from tradeguard.breaker_registry import BreakerRegistry
from tradeguard.circuit_breaker import CircuitBreaker, CircuitBreakerConfig
from tradeguard.exceptions import ConfigurationException
from tradeguard.testing import ManualClock


@dataclass(eq=False)
class Named:
    name: str


def test_a_circuit_is_listed_by_name_while_it_lives() -> None:
    breaker = CircuitBreaker("registry.living")
    assert CircuitBreaker.registry()["registry.living"] is breaker

    del breaker
    gc.collect()
    assert "registry.living" not in CircuitBreaker.registry()


def test_the_listing_is_a_copy() -> None:
    breaker = CircuitBreaker("registry.copy")
    CircuitBreaker.registry().pop("registry.copy")  # type: ignore[attr-defined]
    assert CircuitBreaker.registry()["registry.copy"] is breaker


def test_of_several_of_one_name_the_newest_is_listed() -> None:
    older = CircuitBreaker("registry.twins")
    newer = CircuitBreaker("registry.twins")
    assert CircuitBreaker.registry()["registry.twins"] is newer is not older


def test_a_shared_name_has_one_circuit_for_good() -> None:
    first = CircuitBreaker.named("registry.shared", CircuitBreakerConfig(failure_threshold=3))
    again = CircuitBreaker.named("registry.shared", CircuitBreakerConfig(failure_threshold=3))
    stranger = CircuitBreaker("registry.shared")

    assert again is first is not stranger
    assert CircuitBreaker.registry()["registry.shared"] is first


def test_a_shared_name_with_another_config_is_an_error_that_names_both() -> None:
    CircuitBreaker.named("registry.config", CircuitBreakerConfig(failure_threshold=3))
    for other in (CircuitBreakerConfig(failure_threshold=4), None):
        with pytest.raises(
            ConfigurationException, match=r"'registry.config' exists with another config"
        ) as caught:
            CircuitBreaker.named("registry.config", other)
        assert "failure_threshold=3" in str(caught.value)
        assert caught.value.context["circuit"] == "registry.config"


def test_a_shared_name_keeps_its_clock(manual: ManualClock) -> None:
    first = CircuitBreaker.named("registry.clock", clock=manual)
    assert CircuitBreaker.named("registry.clock") is first
    assert CircuitBreaker.named("registry.clock", clock=manual) is first
    with pytest.raises(ConfigurationException):
        CircuitBreaker.named("registry.clock", clock=ManualClock())


def test_threads_that_ask_for_a_name_at_once_get_the_same_one() -> None:
    registry: BreakerRegistry[Named] = BreakerRegistry()
    start = threading.Barrier(8)
    made = threading.Barrier(8)
    got: list[Named] = []

    def make() -> Named:
        made.wait()  # all are past the look-up before the first is entered
        return Named("api")

    def ask() -> None:
        start.wait()
        got.append(registry.share("api", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == 8
    assert len(set(map(id, got))) == 1


def test_only_the_first_to_ask_for_a_name_makes_a_circuit() -> None:
    registry: BreakerRegistry[Named] = BreakerRegistry()
    first = registry.share("api", lambda: Named("api"))
    made: list[Named] = []

    def make() -> Named:
        made.append(Named("api"))
        return made[0]

    assert registry.share("api", make) is first
    assert made == []
    assert registry.share("feed", make) is made[0]


def test_a_registry_lists_its_own_circuits_only() -> None:
    registry: BreakerRegistry[Named] = BreakerRegistry()
    one, two = Named("one"), Named("two")
    registry.add(one)
    registry.add(two)
    assert registry.by_name() == {"one": one, "two": two}
    assert BreakerRegistry[Named]().by_name() == {}
