# SPDX-License-Identifier: GPL-3.0-or-later
"""What a poller tells the feed of the candles it found, and what that means for how up to date the feed is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tradeguard_backtrader.feeds.candles import Batch, Candle, Gap, GapReason
from tradeguard_backtrader.feeds.feed_events import Answered, Broken, CaughtUp, Event, Filled, Flat, Quiet
from tradeguard_backtrader.feeds.poll_plan import PollPlan

__all__ = ["Teller"]


class Teller:
    """Tells each thing once.

    Args:
        plan: which candles are wanted.
        post: takes each event.

    Attributes:
        to_ms: nothing that closes later is told, epoch milliseconds; None for no end.
        has_answered: whether the exchange has given a good answer yet.
    """

    def __init__(self, plan: PollPlan, post: Callable[[Event], None]) -> None:
        self.to_ms = plan.to_ms
        self.has_answered = False
        self._plan = plan
        self._post = post
        self._last: Candle | None = None
        self._missed: list[Candle] | None = None
        self._told_caught_up = False
        self._told_quiet = False

    def answered(self, *, was_broken: bool) -> None:
        """The exchange gave a good answer."""
        if was_broken:
            self._missed = []
        if was_broken or not self.has_answered:
            self.has_answered, self._told_caught_up = True, False
            self._post(Answered())

    def broke(self, error: BaseException) -> None:
        """The exchange failed to answer."""
        self._post(Broken(error))

    def found(self, batch: Batch) -> None:
        """Something came, which may be nothing."""
        for item in batch.items:
            wanted = self._until_end(item)
            if wanted is not None:
                self._tell(wanted)
        for correction in batch.corrections:
            self._post(correction)

    def quiet(self, since_ms: int) -> None:
        """No candle has come since `since_ms`, though one was due for long."""
        if not self._told_quiet:
            self._told_quiet = True
            self._post(Quiet(since_ms))

    def caught_up(self) -> None:
        """Everything that there is was told."""
        if self._told_caught_up:
            return
        self._told_caught_up = True
        if self._missed:
            self._post(Filled(len(self._missed), self._missed[0].open_ms, self._missed[-1].close_ms))
        self._missed = None
        self._post(CaughtUp())

    def _until_end(self, item: Candle | Gap) -> Candle | Gap | None:
        """Return what of an item is wanted: nothing that closes after `to_ms`, and of a gap what is before it."""
        if self.to_ms is None:
            return item
        if isinstance(item, Candle):
            return item if item.close_ms <= self.to_ms else None
        if item.to_ms <= self.to_ms:
            return item
        timeframe = self._plan.timeframe
        until_ms = self.to_ms + 1 if timeframe is None else timeframe.last_close_ms(item.from_ms, self.to_ms)
        return Gap(item.from_ms, until_ms, item.reason) if until_ms > item.from_ms else None

    def _tell(self, item: Candle | Gap) -> None:
        self._told_caught_up = self._told_quiet = False
        if isinstance(item, Gap):
            flat = list(self._flat(item))
            if flat:
                self._post(Flat(len(flat), item.from_ms, item.to_ms))
                self._last = flat[-1]
                for candle in flat:
                    self._post(candle)
                return
        else:
            self._last = item
            if self._missed is not None:
                self._missed.append(item)
        self._post(item)

    def _flat(self, gap: Gap) -> Iterator[Candle]:
        """Make the candles of a stretch in which nobody traded, if they are wanted: the last close, no volume."""
        plan, last = self._plan, self._last
        if (
            not plan.fill_empty
            or plan.timeframe is None
            or last is None
            or gap.reason is not GapReason.MISSING
        ):
            return
        open_ms, price = gap.from_ms, last.close
        while open_ms < gap.to_ms:
            close_ms = plan.timeframe.close_ms(open_ms)
            yield Candle(open_ms, close_ms, price, price, price, price, 0.0)
            open_ms = close_ms
