"""Fixtures for users' own tests; pytest finds them by itself once TradeGuard is installed.

Imports stay inside the fixtures: pytest loads this module in every run of every project on the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tradeguard.simulator import SimulatedExchange
    from tradeguard.testing import ManualClock


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, so that `--strict-markers` accepts it."""
    config.addinivalue_line(
        "markers", "simulated_exchange(**arguments): how the `simulated_exchange` fixture is built"
    )


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that stands still until advanced; sleeping advances it at once."""
    from tradeguard.testing import ManualClock  # noqa: PLC0415 - see the module's docstring

    return ManualClock()


@pytest.fixture
def simulated_exchange(request: pytest.FixtureRequest) -> Iterator[SimulatedExchange]:
    """A running local exchange, stopped after the test.

    `@pytest.mark.simulated_exchange(seed=3, balances={"ETH": 1, "BTC": 1})` passes arguments to
    `SimulatedExchange`; a test that also asks for `manual_clock` shares that clock with the exchange.
    """
    from tradeguard.simulator import SimulatedExchange  # noqa: PLC0415 - see the module's docstring

    marker = request.node.get_closest_marker("simulated_exchange")
    arguments = dict(marker.kwargs) if marker is not None else {}
    if "manual_clock" in request.fixturenames:
        arguments.setdefault("clock", request.getfixturevalue("manual_clock"))
    with SimulatedExchange(**arguments) as exchange:
        yield exchange
