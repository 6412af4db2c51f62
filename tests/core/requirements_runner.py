"""How the tests of the requirements document run its examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tradeguard
from tradeguard import CircuitBreaker
from tradeguard.clock import SystemClock


def run(example: str, **names: Any) -> dict[str, Any]:
    """Run an example as it is written, but for the package's name, with `names` for what it leaves undefined."""
    namespace = {**{name: getattr(tradeguard, name) for name in tradeguard.__all__}, **names}
    exec(example.replace("src.error_handling", "tradeguard"), namespace)
    return namespace


def noted_sleeps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """Note the system clock's sleeps in place of sleeping: the examples take no clock. Reset circuits after it."""
    noted = list[float]()
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: noted.append(seconds))
    yield noted
    for breaker in CircuitBreaker.registry().values():
        breaker.reset()
