# SPDX-License-Identifier: GPL-3.0-or-later
"""The poller: asks the exchange for candles or trades, one request a step, and tells the feed what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradeguard_backtrader.candles import Batch, Candle, CandleSequence, Gap, GapReason
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.exchange_time import ExchangeTime
from tradeguard_backtrader.failures import CallFailedError, ask, is_denied, is_unknown_symbol, wait_hint
from tradeguard_backtrader.feed_events import (
    Answered,
    Broken,
    CaughtUp,
    Denied,
    Ended,
    Event,
    Filled,
    Flat,
    Quiet,
    UnknownSymbol,
)
from tradeguard_backtrader.timeframes import Timeframe
from tradeguard_backtrader.trade_sequence import TradeSequence

__all__ = ["CandlePoller", "PollPlan"]

_USUAL_PAGE = 500
_BACKLOG = 5_000  # candles that may wait for the loop before the poller pauses
_LOCAL_CLOCK_MARGIN_MS = 5_000  # by how much an exchange without a clock may be behind our own


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPlan:
    """Which candles are wanted.

    Attributes:
        symbol: unified symbol.
        timeframe: the candles' timeframe; None for public trades, each as a candle of no length.
        from_ms: deliver what closes at or after this time, epoch milliseconds; None for `history` candles.
        to_ms: deliver what closes at or before this time; None for no end.
        history: how many candles to begin with where `from_ms` is None, >= 0.
        historical: end where the history ends.
        page: candles a request; None for as many as the exchange gives.
        recheck: how many of the last candles are looked at again for corrections, >= 0.
        fill_empty: have a flat candle without volume for each one that the exchange does not have.
    """

    symbol: str
    timeframe: Timeframe | None
    from_ms: int | None = None
    to_ms: int | None = None
    history: int = 0
    historical: bool = False
    page: int | None = None
    recheck: int = 0
    fill_empty: bool = False


class CandlePoller:
    """Polls the candles, or the trades, of one market; `step` is what a worker calls.

    Args:
        exchange: anything with ccxt's unified methods.
        load_markets: returns the exchange's markets by symbol.
        plan: which candles are wanted.
        config: how long to wait for what.
        time: the exchange's time.
        post: takes each event; called in the worker's thread.
        backlog: how many events the feed has not taken yet.

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
    ) -> None:
        self._asked_at: float | None = None
        self._silent = False
        self.live_from_ms: int | None = None
        self._exchange = exchange
        self._load_markets = load_markets
        self._plan = plan
        self._config = config
        self._time = time
        self._clock = time.clock
        self._post = post
        self._backlog = backlog
        self._sequence: CandleSequence | TradeSequence | None = None
        self._last: Candle | None = None
        self._page = _USUAL_PAGE
        self._to_ms = plan.to_ms
        self._stopped = False
        self._answered = False
        self._failures = 0
        self._overdue_since: float | None = None
        self._told_caught_up = False
        self._told_quiet = False
        self._missed: list[Candle] | None = None

    def stop(self) -> None:
        """Ask for nothing more."""
        self._stopped = True

    def is_silent(self) -> bool:
        """Whether the exchange has owed an answer for longer than `patience`."""
        asked_at = self._asked_at
        if asked_at is None or self._clock.monotonic() - asked_at <= self._config.patience:
            return False
        self._silent = True
        return True

    def step(self) -> float | None:
        """Make one look at the candles and return the seconds until the next, None for never."""
        if self._stopped:
            return None
        if self._backlog() > _BACKLOG:
            return 0.05
        try:
            return self._look()
        except CallFailedError as failed:
            return self._failed(failed.error)

    def _look(self) -> float | None:
        if self._sequence is None:
            known = self._call(self._load_markets)
            if self._plan.symbol not in known:
                return self._stop_with(UnknownSymbol(self._plan.symbol, tuple(known)))
        self._sync_time()
        sequence = self._sequence if self._sequence is not None else self._begin()
        asked_at = self._clock.monotonic()
        rows = self._fetch(sequence.since_ms)
        batch = sequence.accept(rows, self._time.at_least_ms(asked_at))
        self._good_answer()
        self._tell_all(batch)
        if self._to_ms is not None and sequence.next_close_ms > self._to_ms:
            return self._stop_with(Ended())
        if batch.refetch:
            return self._config.refetch_pause
        return self._rest(sequence, caught_up=batch.caught_up, overdue=batch.overdue)

    def _begin(self) -> CandleSequence | TradeSequence:
        """Decide where to begin, now that the exchange's time is known."""
        plan, now_ms = self._plan, self._time.at_least_ms()
        if plan.historical and self._to_ms is None:
            self._to_ms = now_ms
        self.live_from_ms = now_ms
        self._page = self._page_size()
        refetches = self._config.refetches
        if plan.timeframe is None:
            self._sequence = TradeSequence(
                plan.from_ms, history=plan.history, page=self._page, refetches=refetches
            )
            return self._sequence
        length_ms = plan.timeframe.duration_ms
        start_ms = now_ms - (plan.history + 1) * length_ms + 1
        if plan.from_ms is not None:
            start_ms = plan.from_ms - length_ms
        self._sequence = CandleSequence(
            plan.timeframe, start_ms, page=self._page, refetches=refetches, recheck=plan.recheck
        )
        return self._sequence

    def _page_size(self) -> int:
        if self._plan.page is not None:
            return self._plan.page
        method = "fetchTrades" if self._plan.timeframe is None else "fetchOHLCV"
        limit = None
        if hasattr(self._exchange, "feature_value"):
            limit = self._exchange.feature_value(self._plan.symbol, method, "limit")
        return limit if isinstance(limit, int) and limit > 0 else _USUAL_PAGE

    def _fetch(self, since_ms: int | None) -> Sequence[object]:
        plan, exchange = self._plan, self._exchange
        if plan.timeframe is None:
            rows = self._call(exchange.fetch_trades, plan.symbol, since_ms, self._page)
        else:
            rows = self._call(exchange.fetch_ohlcv, plan.symbol, plan.timeframe.name, since_ms, self._page)
        return rows if isinstance(rows, (list, tuple)) else ()

    def _sync_time(self) -> None:
        """Ask for the exchange's time, now and then."""
        if not self._time.is_due(self._config.time_sync):
            return
        if self._exchange.has.get("fetchTime"):
            server_ms = self._call(self._exchange.fetch_time)
        else:
            server_ms = self._exchange.milliseconds() - _LOCAL_CLOCK_MARGIN_MS
        if isinstance(server_ms, bool) or not isinstance(server_ms, (int, float)):
            raise CallFailedError(TypeError(f"the exchange's time is {server_ms!r}"))
        self._time.observe(server_ms)

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        self._asked_at = self._clock.monotonic()
        try:
            return ask(method, *arguments)
        finally:
            self._asked_at = None

    def _good_answer(self) -> None:
        was_broken = self._failures > 0 or self._silent
        if was_broken:
            self._missed = []
        if was_broken or not self._answered:
            self._answered, self._silent, self._failures, self._told_caught_up = True, False, 0, False
            self._overdue_since = None
            self._post(Answered())

    def _tell_all(self, batch: Batch) -> None:
        for item in batch.items:
            if self._to_ms is None or _end_ms(item) <= self._to_ms:
                self._tell(item)
        for correction in batch.corrections:
            self._post(correction)

    def _tell(self, item: Candle | Gap) -> None:
        self._told_caught_up = self._told_quiet = False
        self._overdue_since = None
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

    def _rest(
        self, sequence: CandleSequence | TradeSequence, *, caught_up: bool, overdue: bool
    ) -> float | None:
        """Return the pause before the next look, telling the feed when it is up to date."""
        now = self._clock.monotonic()
        if overdue:
            self._overdue_since = now if self._overdue_since is None else self._overdue_since
            # Either nobody trades, or the candle comes late; whoever waits for LIVE waits so long and no longer.
            caught_up = now - self._overdue_since >= self._config.patience
            if caught_up and not self._told_quiet:
                self._told_quiet = True
                self._post(Quiet(sequence.next_ms))
        if caught_up and not self._told_caught_up:
            self._tell_caught_up()
        if caught_up and self._to_ms is not None and self._is_over(self._to_ms):
            return self._stop_with(Ended())
        if self._plan.timeframe is None:
            return self._config.trade_poll if caught_up else 0.0
        if overdue:
            return min(max(self._plan.timeframe.duration_ms / 20_000, 0.2), 5.0)
        until_close = (sequence.next_close_ms - self._time.at_least_ms()) / 1000
        return min(max(until_close, 0.0), self._config.max_poll_pause) if caught_up else 0.0

    def _is_over(self, to_ms: int) -> bool:
        return self._time.at_least_ms() >= to_ms + self._config.patience * 1000

    def _tell_caught_up(self) -> None:
        self._told_caught_up = True
        if self._missed:
            self._post(Filled(len(self._missed), self._missed[0].open_ms, self._missed[-1].close_ms))
        self._missed = None
        self._post(CaughtUp())

    def _failed(self, error: BaseException) -> float | None:
        if is_denied(error) or (is_unknown_symbol(error) and self._answered):  # or no longer listed
            return self._stop_with(Denied(error))
        if is_unknown_symbol(error) and not self._answered:
            return self._stop_with(UnknownSymbol(self._plan.symbol, ()))
        self._failures += 1
        self._time.doubt()
        if self._failures == 1:
            self._post(Broken(error))
        config = self._config
        hint = wait_hint(error)
        backoff = config.retry_pause * 2.0 ** min(self._failures - 1, 30)
        pause = backoff if hint is None else max(hint, 0.05)
        return min(pause, config.max_retry_pause)

    def _stop_with(self, event: Event) -> float | None:
        self._stopped = True
        self._post(event)
        return None


def _end_ms(item: Candle | Gap) -> int:
    return item.close_ms if isinstance(item, Candle) else item.to_ms
