# SPDX-License-Identifier: GPL-3.0-or-later
"""The poller: takes candles or trades from a stream, asks for all else by REST, and tells the feed what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.failures import CallFailedError, is_denied, is_unknown_symbol, wait_hint
from tradeguard_backtrader.feeds.candle_sequence import CandleSequence
from tradeguard_backtrader.feeds.candles import Batch
from tradeguard_backtrader.feeds.exchange_time import ExchangeTime
from tradeguard_backtrader.feeds.feed_events import Denied, Ended, Event, UnknownSymbol
from tradeguard_backtrader.feeds.live_source import LiveSource
from tradeguard_backtrader.feeds.poll_plan import PollPlan
from tradeguard_backtrader.feeds.rest_source import RestSource
from tradeguard_backtrader.feeds.sequences import sequence_of
from tradeguard_backtrader.feeds.telling import Teller
from tradeguard_backtrader.feeds.trade_sequence import TradeSequence

__all__ = ["CandlePoller"]

_BACKLOG = 5_000  # candles that may wait for the loop before the poller pauses


class CandlePoller:
    """Brings the candles, or the trades, of one market; `step` is what a worker calls.

    The sequence decides what is a candle, a gap or a correction, wherever it came from. A stream is asked first, and
    is believed in what follows on the last candle that was told. REST has the rest: the history, what the stream
    missed or keeps back, and every `time_sync` seconds the time and late corrections.

    Args:
        exchange: anything with ccxt's unified methods.
        load_markets: returns the exchange's markets by symbol.
        plan: which candles are wanted.
        config: how long to wait for what.
        time: the exchange's time.
        post: takes each event; called in the worker's thread.
        backlog: how many events the feed has not taken yet.
        live: the stream; None to poll.

    Attributes:
        live_from_ms: the exchange's time when the poller began, epoch milliseconds; None before.
    """

    def __init__(
        self,
        exchange: Any,
        load_markets: Callable[[], Mapping[str, Any]],
        plan: PollPlan,
        config: StoreConfig,
        time: ExchangeTime,
        post: Callable[[Event], None],
        backlog: Callable[[], int],
        live: LiveSource[Any] | None = None,
    ) -> None:
        self.live_from_ms: int | None = None
        self._rest = RestSource(exchange, load_markets, plan, config, time)
        self._teller = Teller(plan, self._tell)
        self._plan = plan
        self._config = config
        self._time = time
        self._clock = time.clock
        self._post = post
        self._backlog = backlog
        self._live = live
        self._sequence: CandleSequence | TradeSequence | None = None
        self._page = 1
        self._stopped = False
        self._silent = False
        self._failures = 0
        self._overdue_since: float | None = None
        self._is_whole = False  # all that REST had was told: what follows may come from the stream
        self._rest_until = -math.inf  # REST is not asked before, monotonic seconds
        self._asked_at = -math.inf  # when REST gave its last answer
        self._distrusted_at = -math.inf  # when REST had something that the stream should have told

    def stop(self) -> None:
        """Ask for nothing more, listen no more, and tell nothing of what is still under way."""
        self._stopped = True
        if self._live is not None:
            self._live.stop()

    def is_silent(self) -> bool:
        """Whether the exchange has owed an answer for longer than `patience`."""
        if not self._rest.is_silent():
            return False
        self._silent = True
        return True

    def step(self) -> float | None:
        """Take what came, or make one look at the candles; return the seconds until the next, None for never."""
        if self._stopped:
            return None
        if self._backlog() > _BACKLOG:
            return 0.05
        try:
            return self._look()
        except CallFailedError as failed:
            return self._failed(failed.error)

    def _look(self) -> float | None:
        if self._sequence is not None and self._live is not None and self._is_whole:
            rows = self._live.take(self._sequence)
            if rows:
                return self._take(self._sequence, rows)
            pause = self._left_alone(self._sequence, self._live)
            if pause > 0:
                return pause
        return self._ask()

    # -- by the stream ----------------------------------------------------------------------------------------

    def _take(self, sequence: CandleSequence | TradeSequence, rows: list[Any]) -> float | None:
        """Tell what follows, by the stream, on what was told."""
        now_ms, shown_ms = self._time.at_least_ms(), sequence.close_of(rows[-1])
        if self._failures and shown_ms:  # REST does not tell the time, but this does
            self._time.observe(shown_ms)
        if isinstance(sequence, TradeSequence):
            batch = sequence.accept(rows, now_ms, follows=True)
        else:
            batch = sequence.accept(rows, max(now_ms, shown_ms))
        return self._accepted(sequence, batch, by_rest=False)

    def _left_alone(self, sequence: CandleSequence | TradeSequence, live: LiveSource[Any]) -> float:
        """Return for how many seconds REST need not be asked."""
        now = self._clock.monotonic()
        if now < self._rest_until:
            return self._rest_until - now
        if self._failures or self._overdue_since is not None or not self._is_trusted(live):
            return 0.0
        if live.is_ahead(sequence) or self._time.is_due(self._config.time_sync):
            return 0.0
        heard_at = self._asked_at if live.heard_at is None else max(live.heard_at, self._asked_at)
        until_silent = heard_at + live.silence - now
        return min(self._until_close(sequence) + self._config.stream_grace, until_silent)

    def _is_trusted(self, live: LiveSource[Any]) -> bool:
        """Whether the stream has kept nothing back since it was last heard; it begins with nothing against it."""
        heard_at = -math.inf if live.heard_at is None else live.heard_at
        return heard_at > self._distrusted_at or self._distrusted_at == -math.inf

    # -- by REST ----------------------------------------------------------------------------------------------

    def _ask(self) -> float | None:
        if self._sequence is None:
            known = self._rest.markets()
            if self._plan.symbol not in known:
                return self._stop_with(UnknownSymbol(self._plan.symbol, tuple(known)))
        is_audit = not self._failures and self._time.is_due(self._config.time_sync)
        self._rest.sync_time()
        sequence = self._sequence if self._sequence is not None else self._begin()
        was_expected = self._is_whole and self._live is not None and not self._live.is_ahead(sequence)
        asked_at, shown_ms = self._clock.monotonic(), 0 if self._live is None else self._live.shown_ms
        if isinstance(sequence, TradeSequence):
            rows = self._rest.page(sequence.since_ms, self._page)
            batch = sequence.accept(rows, self._time.at_least_ms(asked_at))
        else:
            since_ms = sequence.audit_ms if is_audit else sequence.since_ms
            rows = self._rest.page(since_ms, self._page)
            closed_by_ms = max(self._time.at_least_ms(asked_at), shown_ms)
            batch = sequence.accept(rows, closed_by_ms, asked_ms=since_ms)
        self._asked_at = self._clock.monotonic()
        if was_expected and batch.items:
            self._distrusted_at = self._asked_at
        return self._accepted(sequence, batch, by_rest=True)

    def _begin(self) -> CandleSequence | TradeSequence:
        """Decide where to begin, now that the exchange's time is known."""
        plan, now_ms = self._plan, self._time.at_least_ms()
        if plan.historical and self._teller.to_ms is None:
            self._teller.to_ms = now_ms
        self.live_from_ms = now_ms
        self._page = self._rest.page_size()
        if self._live is not None:
            self._live.start()
        self._sequence = sequence_of(
            plan,
            self._config,
            now_ms,
            page=self._page,
            is_streamed=self._live is not None,
        )
        return self._sequence

    # -- what came of it --------------------------------------------------------------------------------------

    def _accepted(
        self, sequence: CandleSequence | TradeSequence, batch: Batch, *, by_rest: bool
    ) -> float | None:
        """Tell a batch and return the seconds until the next look."""
        self._good_answer()
        if batch.items:
            self._overdue_since = None
        self._teller.found(batch)
        to_ms = self._teller.to_ms
        if to_ms is not None and sequence.next_close_ms > to_ms:
            return self._stop_with(Ended())
        # A candle that is late on the stream has its grace; trades have none.
        may_follow = not by_rest and isinstance(sequence, CandleSequence)
        self._is_whole = (batch.caught_up or batch.overdue or may_follow) and not batch.refetch
        if batch.refetch:
            return self._config.refetch_pause
        pause = self._pause(sequence, caught_up=batch.caught_up, overdue=batch.overdue)
        if pause is None or self._live is None or not self._is_whole:
            return pause
        if by_rest and (batch.overdue or not self._is_trusted(self._live) or self._live.is_ahead(sequence)):
            self._rest_until = self._clock.monotonic() + pause
        else:
            self._rest_until = -math.inf
        return max(self._left_alone(sequence, self._live), 0.0)

    def _good_answer(self) -> None:
        was_broken = self._failures > 0 or self._silent
        if was_broken or not self._teller.has_answered:
            self._silent, self._failures, self._overdue_since = False, 0, None
        self._teller.answered(was_broken=was_broken)

    def _pause(
        self, sequence: CandleSequence | TradeSequence, *, caught_up: bool, overdue: bool
    ) -> float | None:
        """Return the seconds before REST is asked again, telling the feed when it is up to date."""
        now = self._clock.monotonic()
        if overdue:
            self._overdue_since = now if self._overdue_since is None else self._overdue_since
            # Either nobody trades, or the candle comes late; whoever waits for LIVE waits so long and no longer.
            caught_up = now - self._overdue_since >= self._config.patience
            if caught_up:
                self._teller.quiet(sequence.next_ms)
        if caught_up:
            self._teller.caught_up()
            to_ms = self._teller.to_ms
            if to_ms is not None and self._time.at_least_ms() >= to_ms + self._config.patience * 1000:
                return self._stop_with(Ended())
        if self._plan.timeframe is None:
            return self._config.trade_poll if caught_up else 0.0
        if overdue:
            return min(max(self._plan.timeframe.duration_ms / 20_000, 0.2), 5.0)
        return min(max(self._until_close(sequence), 0.0), self._config.max_poll_pause) if caught_up else 0.0

    def _until_close(self, sequence: CandleSequence | TradeSequence) -> float:
        """Return the seconds until the next candle closes; of trades nobody knows."""
        if isinstance(sequence, TradeSequence):
            return math.inf
        return (sequence.next_close_ms - self._time.at_least_ms()) / 1000

    def _failed(self, error: BaseException) -> float | None:
        is_unknown = is_unknown_symbol(error)
        if is_unknown and not self._teller.has_answered:
            return self._stop_with(UnknownSymbol(self._plan.symbol, ()))
        if is_unknown or is_denied(error):  # unknown now: no longer listed
            return self._stop_with(Denied(error))
        self._failures += 1
        self._time.doubt()
        if self._failures == 1:
            self._teller.broke(error)
        config = self._config
        hint = wait_hint(error)
        backoff = config.retry_pause * 2.0 ** min(self._failures - 1, 30)
        pause = min(backoff if hint is None else max(hint, 0.05), config.max_retry_pause)
        self._rest_until = self._clock.monotonic() + pause
        return pause

    def _stop_with(self, event: Event) -> float | None:
        self._tell(event)
        self.stop()
        return None

    def _tell(self, event: Event) -> None:
        if not self._stopped:
            self._post(event)
