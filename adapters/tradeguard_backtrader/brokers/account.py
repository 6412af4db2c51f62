# SPDX-License-Identifier: GPL-3.0-or-later
"""The account in the background: what it holds as the run begins, its open orders, its balances."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tradeguard.clock import Clock
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders.errors import JournalError
from tradeguard_backtrader.accounts.account_reads import read_account
from tradeguard_backtrader.accounts.account_setup import AccountSetup, Arranged
from tradeguard_backtrader.accounts.fills import ZERO, FillBook, exact
from tradeguard_backtrader.accounts.markets import Market, in_base
from tradeguard_backtrader.accounts.snapshot import Snapshot
from tradeguard_backtrader.brokers.broker_events import Adopted, AdoptedOrder, BalanceSeen, BrokerEvent, Unfit
from tradeguard_backtrader.brokers.claims import Claims, Found
from tradeguard_backtrader.brokers.order_watch import OrderWatch, Watched
from tradeguard_backtrader.brokers.submission import Arrival, Traffic
from tradeguard_backtrader.config import StoreConfig
from tradeguard_backtrader.failures import CallFailedError, ask, is_denied, wait_hint
from tradeguard_backtrader.held.held_orders import HeldOrder
from tradeguard_backtrader.workers import Worker

__all__ = ["AccountDesk"]

_DENIED_PAUSE = 30.0  # a key that was refused may be allowed again, but not soon
_RATE_AGE = 300.0  # seconds for which a price serves to convert fees


class AccountDesk:
    """Follows one account; `step` is what a worker calls.

    Args:
        exchange: anything with ccxt's unified methods.
        setup: arranges what is to be arranged before the first order.
        config: pauses and patience.
        clock: measures.
        post: takes each event; called in the worker's thread.
        notify: tells `notify_store` a kind and a text.
        traffic: the orders on their way.

    Attributes:
        denied: the error with which the exchange refused the key, or None.
        is_settled: whether it is known what the account holds, or that it will not be told.
    """

    worker: Worker

    def __init__(
        self,
        exchange: Any,
        setup: AccountSetup,
        config: StoreConfig,
        clock: Clock,
        post: Callable[[BrokerEvent], None],
        notify: Callable[..., None],
        traffic: Traffic,
    ) -> None:
        self.denied: BaseException | None = None
        self.is_settled = False
        self._lock = threading.Lock()
        self._exchange = exchange
        self._setup = setup
        self._arranged: Arranged | None = None
        self._markets: Mapping[str, Market] = {}
        self._config = config
        self._clock = clock
        self._post = post
        self._notify = notify
        self._traffic = traffic
        self._claims = Claims(exchange, ())
        self._watch = OrderWatch(exchange, clock, config.patience, self._rate, post)
        self._arrivals: deque[Arrival | Watched] = deque()
        self._arrived = self._followed_up = 0
        self._adopted = False
        self._unclaimed: dict[str, Watched] = {}
        self._rates: dict[tuple[str, str], tuple[Decimal | None, float]] = {}
        self._look_at = self._balance_at = clock.monotonic()
        self._failures = 0

    # -- called by the loop and by other workers -----------------------------------------------------------------

    @property
    def is_quiet(self) -> bool:
        """Whether every order that arrived has been looked at."""
        return self._arrived == self._followed_up

    def arrived(self, arrival: Arrival) -> None:
        """Follow up an order that the exchange has taken; called by the worker that placed it."""
        self._arrivals.append(arrival)
        with self._lock:
            self._arrived += 1
        self.worker.wake()

    def expect(self, orders: Iterable[HeldOrder]) -> None:
        """Find what a former process handed over, whether it is open or not; called before the first step."""
        self._claims = Claims(self._exchange, orders)

    def claim(self, ref: int, order: AdoptedOrder) -> None:
        """Follow up an adopted order under Backtrader's number `ref`."""
        watched = self._unclaimed.pop(str(order.order["id"]))
        watched.ref = ref
        self._arrivals.append(watched)
        self.worker.wake()

    def disown(self, orders: Iterable[AdoptedOrder]) -> None:
        """Leave orders that were found alone."""
        for order in orders:
            self._unclaimed.pop(str(order.order["id"]), None)

    def look_soon(self) -> None:
        """Look at the open orders without waiting for their turn."""
        self._look_at = self._clock.monotonic()
        self.worker.wake()

    def refresh_soon(self) -> None:
        """Refresh the balances without waiting for their turn."""
        self._balance_at = self._clock.monotonic()
        self.worker.wake()

    # -- the step -----------------------------------------------------------------------------------------------

    def step(self) -> float | None:
        """Do what is due, and return the seconds until something is."""
        try:
            if not self._adopted:
                self._adopt()
            else:
                self._follow()
        except CallFailedError as failed:
            return self._failed(failed.error)
        except ConfigurationException as error:
            self._post(Unfit(error))
            self.is_settled = True
            return None
        if not self._adopted:
            return self._config.order_poll / 5
        due = min(self._balance_at, self._look_at) if len(self._watch) else self._balance_at
        return max(due - self._clock.monotonic(), 0.0)

    def _follow(self) -> None:
        arrived = self._arrived
        while self._arrivals:
            self._take(self._arrivals[0])
            self._arrivals.popleft()  # only now: what failed is taken again
        now = self._clock.monotonic()
        if len(self._watch) and now >= self._look_at:
            self._watch.look()
            self._answered()
            self._look_at = now + self._config.order_poll
        self._followed_up = arrived
        if now >= self._balance_at:
            self._refresh()

    def _take(self, arrival: Arrival | Watched) -> None:
        if isinstance(arrival, Watched):
            self._watch.add(arrival)
            return
        request, answer = arrival.ticket.request, arrival.answer
        market = self._markets[request.symbol]
        watched = Watched(request.ref, str(arrival.ticket.order_id), market, FillBook(request.exact_amount))
        self._watch.add(watched)
        self._look_at = self._clock.monotonic()
        if answer.get("status") is not None:
            self._watch.take(watched, in_base(answer, market.contract_size))
            if answer["status"] == "open":
                self._look_at += self._config.order_poll

    def _refresh(self) -> None:
        """Tell the balances, if they fit the fills that were told: no order moved while they were fetched."""
        now = self._clock.monotonic()
        mark, filled = self._traffic.mark(), self._watch.filled()
        pause = min(self._config.order_poll, self._config.balance_refresh)
        if self._traffic.is_quiet and not self._unclaimed:
            snapshot = self._read(now)
            if len(self._watch):
                self._watch.look()
            self._answered()
            if self._watch.filled() == filled and self._traffic.mark() == mark and not self._arrivals:
                self._post(BalanceSeen(snapshot))
                pause = self._config.balance_refresh
        self._balance_at = now + pause

    # -- the beginning ------------------------------------------------------------------------------------------

    def _adopt(self) -> None:
        """Tell balances and open orders, if none of these moved in between."""
        if self._arranged is None:
            self._arranged = self._setup.arrange()
            self._markets = self._arranged.markets
        symbols = list(self._markets)
        self._recover()
        now = self._clock.monotonic()
        before = self._open_orders(symbols)
        snapshot = self._read(now)
        after = self._open_orders(symbols)
        if {key: order.get("filled") for key, order in before.items()} != {
            key: order.get("filled") for key, order in after.items()
        }:
            return
        found = self._claims.find(after)
        adopted = [self._adopted_order(order, found) for order in {**after, **found.elsewhere}.values()]
        self._balance_at = now + self._config.balance_refresh
        prices = {symbol: self._asked_price(symbol) or ZERO for symbol in symbols}
        self._post(Adopted(snapshot, adopted, prices, found.absent, self._markets, self._arranged.refusals))
        self._adopted = self.is_settled = True
        self._answered()

    def _read(self, now: float) -> Snapshot:
        leverages = {} if self._arranged is None else self._arranged.leverages
        return read_account(self._exchange, self._markets, leverages, now)

    def _recover(self) -> None:
        """Have the guarded exchange resolve what a former process left open."""
        if not hasattr(self._exchange, "recover_orders"):
            return
        try:
            ask(self._exchange.recover_orders)
        except CallFailedError as failed:
            if not isinstance(failed.error, JournalError):
                raise
            # Every order will be refused for the same reason; candles need no journal.
            self._notify("account", f"orders cannot be recovered: {failed}", error=failed.error)

    def _open_orders(self, symbols: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        if not self._exchange.has.get("fetchOpenOrders"):
            return {}
        orders = [
            in_base(order, self._markets[symbol].contract_size)
            for symbol in symbols
            for order in ask(self._exchange.fetch_open_orders, symbol)
        ]
        return {str(order["id"]): order for order in orders}

    def _adopted_order(self, order: Mapping[str, Any], found: Found) -> AdoptedOrder:
        """Count what was filled before the run, so that it is not told as new."""
        order_id = str(order["id"])
        market = self._markets[str(order["symbol"])]
        watched = Watched(0, order_id, market, FillBook(exact(order.get("amount"))))
        if exact(order.get("filled")) > ZERO:
            self._watch.count(watched, order)
        self._unclaimed[order_id] = watched
        return AdoptedOrder(order, replace(watched.book), found.client_order_ids.get(order_id))

    def _answered(self) -> None:
        self._failures, self.denied = 0, None

    # -- failures and rates -------------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> float:
        self._failures += 1
        if is_denied(error):
            self.denied, self.is_settled = error, True
        if self._failures == 1:
            self._notify("account", f"the account cannot be read: {error}", error=error)
        if is_denied(error):
            return _DENIED_PAUSE
        hint = wait_hint(error)
        backoff = self._config.retry_pause * 2.0 ** min(self._failures - 1, 30)
        return min(backoff if hint is None else max(hint, 0.05), self._config.max_retry_pause)

    def _rate(self, currency: str, quote: str) -> Decimal | None:
        """Return the price of `currency` in `quote`, some minutes old at most; None where nobody tells it."""
        known = self._rates.get((currency, quote))
        if known is not None and self._clock.monotonic() - known[1] < _RATE_AGE:
            return known[0]
        rate = self._asked_rate(currency, quote)
        self._rates[currency, quote] = (rate, self._clock.monotonic())
        if rate is None:
            self._notify("fee", f"fees in {currency} count as 0 {quote}: nobody tells their price")
        return rate

    def _asked_rate(self, currency: str, quote: str) -> Decimal | None:
        for symbol in (f"{currency}/{quote}", f"{quote}/{currency}", f"{currency}/{quote}:{quote}"):
            last = self._asked_price(symbol)
            if last is not None:
                return 1 / last if symbol.startswith(f"{quote}/") else last
        return None

    def _asked_price(self, symbol: str) -> Decimal | None:
        if symbol not in (self._exchange.markets or {}):
            return None
        try:
            last = exact(ask(self._exchange.fetch_ticker, symbol).get("last"))
        except CallFailedError as failed:
            self._notify("fee", f"{symbol} has no price now: {failed}")
            return None
        return last if last > 0 else None
