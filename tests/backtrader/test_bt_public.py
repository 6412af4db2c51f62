"""The package's public names."""

from __future__ import annotations

import tradeguard_backtrader


def test_the_public_names_are_these_and_no_others() -> None:
    assert tradeguard_backtrader.__all__ == [
        "GuardedBroker",
        "GuardedFeed",
        "GuardedStore",
        "InlineWorkers",
        "StoreConfig",
        "ThreadWorkers",
        "Watchful",
        "guard_broker",
        "guard_feed",
    ]
    assert all(hasattr(tradeguard_backtrader, name) for name in tradeguard_backtrader.__all__)
