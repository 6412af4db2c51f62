# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a feed and what moves it from one to the next.

            answered              caught_up
STARTING ─────────────▶ DELAYED ────────────▶ LIVE
    │                     ▲  ▲     lagging      │
    │ failed     answered │  └──────────────────┤
    └─────────▶ BROKEN ───┘                     │
                  ▲          failed             │
                  └─────────────────────────────┘
Every state but UNSUPPORTED ends in ENDED.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["FeedState", "FeedStatus"]


class FeedState(StrEnum):
    """Where a feed stands; the values are Backtrader's names of the statuses."""

    STARTING = "CONNECTED"
    DELAYED = "DELAYED"
    LIVE = "LIVE"
    BROKEN = "CONNBROKEN"
    ENDED = "DISCONNECTED"
    UNSUPPORTED = "NOTSUPPORTED_TF"


_MOVES = {
    "answered": {FeedState.STARTING: FeedState.DELAYED, FeedState.BROKEN: FeedState.DELAYED},
    "caught_up": {FeedState.DELAYED: FeedState.LIVE},
    "lagging": {FeedState.LIVE: FeedState.DELAYED},
    "failed": {
        FeedState.STARTING: FeedState.BROKEN,
        FeedState.DELAYED: FeedState.BROKEN,
        FeedState.LIVE: FeedState.BROKEN,
    },
    "ended": {
        FeedState.STARTING: FeedState.ENDED,
        FeedState.DELAYED: FeedState.ENDED,
        FeedState.LIVE: FeedState.ENDED,
        FeedState.BROKEN: FeedState.ENDED,
    },
    "unsupported": {FeedState.STARTING: FeedState.UNSUPPORTED},
}


class FeedStatus:
    """The state machine of one feed; every method returns the state that was entered, or None."""

    def __init__(self) -> None:
        self.state = FeedState.STARTING

    def answered(self) -> FeedState | None:
        """The exchange gave a good answer."""
        return self._move("answered")

    def caught_up(self) -> FeedState | None:
        """Every candle that has closed was delivered."""
        return self._move("caught_up")

    def lagging(self) -> FeedState | None:
        """The bar about to be delivered is an old one."""
        return self._move("lagging")

    def failed(self) -> FeedState | None:
        """The exchange gave no good answer."""
        return self._move("failed")

    def ended(self) -> FeedState | None:
        """Nothing more will come."""
        return self._move("ended")

    def unsupported(self) -> FeedState | None:
        """The exchange has no such timeframe."""
        return self._move("unsupported")

    def _move(self, event: str) -> FeedState | None:
        entered = _MOVES[event].get(self.state)
        if entered is not None:
            self.state = entered
        return entered
