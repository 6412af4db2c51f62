"""What the tests of the core share."""

from __future__ import annotations

import pytest

from tradeguard.testing import ManualClock


@pytest.fixture
def manual() -> ManualClock:
    """A clock that stands still until it is advanced, and sleeps without waiting."""
    return ManualClock()
