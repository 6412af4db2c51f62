"""Fixtures for users' own tests; pytest finds them by itself once TradeGuard is installed.

Imports stay inside the fixtures: pytest loads this module in every run of every project on the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tradeguard.testing import ManualClock


@pytest.fixture
def manual_clock() -> ManualClock:
    """A clock that stands still until advanced; sleeping advances it at once."""
    from tradeguard.testing import ManualClock  # noqa: PLC0415 - see the module's docstring

    return ManualClock()
