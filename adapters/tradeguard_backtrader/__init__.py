# SPDX-License-Identifier: GPL-3.0-or-later
"""Backtrader on a guarded exchange: a store, a feed and a broker that outlive outages."""

from tradeguard_backtrader.brokers.broker import GuardedBroker
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.feeds.feed import GuardedFeed
from tradeguard_backtrader.guards.guarding import guard_broker, guard_feed
from tradeguard_backtrader.store import GuardedStore
from tradeguard_backtrader.watchful import Watchful
from tradeguard_backtrader.workers import InlineWorkers, ThreadWorkers

__all__ = [
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
