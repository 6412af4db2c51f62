"""What the tests of the core share."""

from __future__ import annotations

import pytest
from retry_cases import Execute, call_async, call_plain

from tradeguard.testing import ManualClock


@pytest.fixture
def manual() -> ManualClock:
    """A clock that stands still until it is advanced, and sleeps without waiting."""
    return ManualClock()


@pytest.fixture(params=[call_plain, call_async], ids=["plain", "async"])
def execute(request: pytest.FixtureRequest) -> Execute:
    """Both ways of calling; they share every decision, and so every test of one."""
    return request.param
