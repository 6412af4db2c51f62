"""Everything about orders that is decided without awaiting: what is sent, what an outcome means, what is restricted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ccxt

from tradeguard.error_monitor import ErrorSeverity
from tradeguard.orders import (
    IntentStatus,
    InterlockState,
    JournalError,
    JournalWriter,
    OrderIntent,
    Resolution,
    SendOutcome,
    Verdict,
)
from tradeguard.orders import TradingRestrictedError as RestrictedError
from tradeguard.redaction import redact
from tradeguard.storage import JournalOperator
from tradeguard_ccxt.errors import OrderUnknownError, TradingRestrictedError, absent_error, guarded_error
from tradeguard_ccxt.failures import classify
from tradeguard_ccxt.operations import Circuit
from tradeguard_ccxt.order_state import OrderState
from tradeguard_ccxt.runtime import ExchangeGuard
from tradeguard_ccxt.tickets import OrderTicket, TicketOffice
from tradeguard_ccxt.verdicts import verdict_of_answer, verdict_of_error
from tradeguard_ccxt.wire import Wire

__all__ = ["OrderDesk"]


class OrderDesk:
    """The orders of one guarded exchange instance.

    Args:
        exchange: the guarded ccxt instance.
        guard: its guard.
        on_doubt: told of the instance whenever an order has come into doubt.

    Attributes:
        symbols: those of all orders that this instance has submitted.
        recovered_account: the account of which what a former process left behind has been resolved, as far as it could
            be; None before that. The key of an instance may be changed.
    """

    def __init__(self, exchange: Any, guard: ExchangeGuard, on_doubt: Callable[[Any], None]) -> None:
        self.symbols: set[str] = set()
        self.recovered_account: str | None = None
        self._on_doubt = on_doubt
        self._exchange = exchange
        self._guard = guard
        self.state = OrderState(exchange, guard)
        self.tickets = TicketOffice(exchange, guard)
        # `check` asks it before each order: a halt may come from another process, and outlives this one.
        guard.interlock.remember(JournalOperator(self.state.journal, lambda: self.state.store is not None))
        self._lock = threading.Lock()
        self._in_flight: set[str] = set()
        self._abandoned: set[str] = set()

    # -- before the send --------------------------------------------------------------------------------

    def writer(self) -> JournalWriter:
        """Return what writes a submission's records."""
        return JournalWriter(self.state.journal(), self._unrecorded)

    def admit(self, ticket: OrderTicket) -> None:
        """Refuse the order where the interlock forbids it, before anything is journaled.

        Raises:
            TradingRestrictedError: says why, and what lifts it.
        """
        self._check(ticket.intent.symbol, reduces=ticket.params.get("reduceOnly") in (True, "true"))

    def admit_unjournaled(self, symbol: str | None, *, reduces: bool) -> None:
        """Refuse a trade that has no intent, where the interlock forbids it.

        Raises:
            TradingRestrictedError: says why, and what lifts it.
        """
        self._check(symbol or "", reduces=reduces)

    def _check(self, symbol: str, *, reduces: bool) -> None:
        try:
            self._guard.interlock.check(symbol, reduces=reduces)
        except RestrictedError as error:
            raise TradingRestrictedError(error.message, **error.context) from None

    @contextmanager
    def submitting(self, tickets: Sequence[OrderTicket]) -> Iterator[None]:
        """Note that this instance is submitting the intents, so that a recovery leaves them alone.

        Where the submission is broken off (Ctrl-C, a cancelled task, no memory left), what it has sent may exist: it
        is in doubt, and resolved as every doubt is.
        """
        identifiers = {ticket.intent.client_order_id for ticket in tickets}
        self.symbols |= {ticket.intent.symbol for ticket in tickets}
        with self._lock:
            identifiers -= self._in_flight  # another thread's, whose id the caller uses once more
            self._in_flight |= identifiers
        try:
            yield
        except BaseException as error:
            if not isinstance(error, JournalError):  # that one came before the send
                self._abandon(identifiers)
            raise
        finally:
            with self._lock:
                self._in_flight -= identifiers

    def _abandon(self, identifiers: set[str]) -> None:
        try:
            open_intents = self.state.journal().open_intents()
        except JournalError as error:  # it must not hide what broke the submission off
            self._guard.monitor.record_error(error, ErrorSeverity.CRITICAL, "orders.journal")
            return
        for intent in open_intents:
            if intent.client_order_id in identifiers and intent.status is not IntentStatus.PENDING:
                with self._lock:
                    self._abandoned.add(intent.client_order_id)
                self.restrict(intent)

    def former(self, ticket: OrderTicket) -> OrderIntent | None:
        """Return the intent whose client order id the caller uses again, where that order surely does not exist."""
        if not ticket.is_callers_id:
            return None
        stored = self.state.journal().get(ticket.intent.client_order_id)
        gone = (IntentStatus.REJECTED, IntentStatus.ABSENT)
        return stored if stored is not None and stored.status in gone else None

    def unresolved(self, symbol: str | None = None) -> list[OrderIntent]:
        """Return the open intents that nobody here is submitting, oldest first."""
        intents = [i for i in self.state.journal().open_intents() if symbol is None or i.symbol == symbol]
        with self._lock:
            return [i for i in intents if i.client_order_id not in self._in_flight]

    def in_doubt(self, symbol: str | None = None) -> list[OrderIntent]:
        """Return the intents that may exist and that nobody is working at, oldest first."""
        with self._lock:
            abandoned = set(self._abandoned)
        return [
            i
            for i in self.unresolved(symbol)
            if i.status is IntentStatus.UNKNOWN or i.client_order_id in abandoned
        ]

    # -- after the send ---------------------------------------------------------------------------------------

    def answered(self, ticket: OrderTicket, order: object) -> SendOutcome:
        """Return the verdict on an answer."""
        outcome = verdict_of_answer(order, ticket.intent, amount=ticket.amount, client_id=ticket.client_id)
        if outcome.error is not None:
            self._note(outcome.error, ErrorSeverity.WARNING, ticket.intent, rescued=True)
        return outcome

    def failed(self, ticket: OrderTicket, error: Exception, wire: Wire) -> SendOutcome:
        """Return the verdict on a failure."""
        failure = classify(error, wire.answer, self._guard.clock.time())
        outcome = verdict_of_error(error, failure, sent=wire.sent, status=wire.status, facts=ticket.facts)
        if wire.followed:
            outcome = SendOutcome(verdict=Verdict.AMBIGUOUS, error=error)
        final = outcome.verdict is Verdict.REJECTED and not outcome.duplicate
        severity = ErrorSeverity.ERROR if final else ErrorSeverity.WARNING
        self._note(error, severity, ticket.intent, rescued=not final)
        self._guard.tally.add(f"sends_{outcome.verdict.lower()}")
        return outcome

    def note_resync_failure(self, error: BaseException) -> None:
        """Record that the exchange's clock could not be read after it had refused our timestamp."""
        if isinstance(error, Exception):
            self._guard.monitor.record_error(
                error,
                ErrorSeverity.WARNING,
                self._guard.component(Circuit.MARKET_DATA),
                {"operation": "fetch_time"},
            )

    def describe(self, error: BaseException) -> str:
        """Render an error for the journal, with secrets masked."""
        return redact(f"{type(error).__name__}: {error}", self._exchange.guard_secrets())[:500]

    def conclude(self, resolution: Resolution) -> Mapping[str, Any] | None:
        """Return the order of a submission that ended well, None where it must be fetched by its id; else raise.

        Raises:
            OrderAbsentError: the order is certain not to exist.
            OrderUnknownError: it may exist.
            ccxt.BaseError: the exchange's own refusal.
        """
        intent = resolution.intent
        self._guard.tally.add(f"orders_{intent.status.lower()}")
        if intent.status is IntentStatus.PLACED:
            self._rescued(resolution)
            return resolution.order
        context: dict[str, Any] = {
            "component": "orders",
            "exchange": intent.exchange,
            "operation": intent.operation,
        }
        context |= {"symbol": intent.symbol, "attempts": intent.attempts}
        if intent.status is IntentStatus.REJECTED and resolution.error is not None:
            raise _as_guarded(resolution.error, context | {"client_order_id": intent.client_order_id})
        context |= {"client_order_id": intent.client_order_id, "cause": intent.error}
        if intent.status is IntentStatus.UNKNOWN:
            unknown = OrderUnknownError(
                f"{_what(intent)} on {intent.symbol} may exist: it was sent and could neither be found nor proved "
                f"absent ({intent.error}); do not send it again, call recover_orders()",
                **context,
            )
            self.restrict(intent)
            self._note(unknown, ErrorSeverity.CRITICAL, intent, rescued=False)
            raise unknown from resolution.error
        absent = absent_error(
            f"{_what(intent)} on {intent.symbol} does not exist at the exchange ({intent.error}); "
            "sending it again is safe",
            resolution.error,
            context,
        )
        self._note(absent, ErrorSeverity.ERROR, intent, rescued=False)
        raise absent

    def recovered(self, resolution: Resolution) -> OrderIntent:
        """Take note of an intent that was resolved, or not, after the fact; returns it."""
        intent = resolution.intent
        if intent.status is IntentStatus.UNKNOWN:
            self.restrict(intent)
        elif not intent.status.is_open:  # else its owner, another process, has just sent it again
            self._guard.tally.add("orders_recovered")
            self._guard.monitor.record_rescue(
                "order_recovered",
                "orders",
                operation=intent.operation,
                detail={"client_order_id": intent.client_order_id, "status": str(intent.status)},
            )
        self.release(intent.symbol)
        return intent

    def restrict(self, intent: OrderIntent) -> None:
        """Let no new entry on the intent's symbol out until it is resolved."""
        self._guard.interlock.restrict(
            "unknown_order",
            InterlockState.REDUCE_ONLY,
            symbol=intent.symbol,
            reason=f"{_what(intent)} on {intent.symbol} may exist",
            lifted_by="finding it or proving it absent (recover_orders())",
        )
        self._on_doubt(self._exchange)

    def release(self, symbol: str) -> None:
        """Lift the restriction of an unknown order where none is left on `symbol`."""
        if not self.in_doubt(symbol):
            self._guard.interlock.lift("unknown_order", symbol)

    def release_all(self) -> None:
        """Lift the restriction of unknown orders wherever none is left; another process may have resolved them."""
        for cause in self._guard.interlock.status().causes:
            if cause.kind == "unknown_order" and cause.symbol is not None:
                self.release(cause.symbol)

    def statistics(self) -> dict[str, Any]:
        """Return what became of the orders of this instance."""
        counts = self._guard.tally.read(
            "orders_placed", "orders_rejected", "orders_absent", "orders_unknown", "orders_recovered",
            "orders_found", "orders_resent", "sends_ambiguous", "sends_not_sent", "sends_not_now",
        )  # fmt: skip
        return {name.removeprefix("orders_"): count for name, count in counts.items()}

    def _rescued(self, resolution: Resolution) -> None:
        intent = resolution.intent
        detail = {
            "client_order_id": intent.client_order_id,
            "symbol": intent.symbol,
            "attempts": intent.attempts,
        }
        kinds: list[tuple[bool, str]] = [
            (resolution.looked_up, "order_found"),
            (resolution.resent, "order_resent"),
        ]
        for happened, kind in kinds:
            if happened:
                self._guard.tally.add(kind.replace("order_", "orders_"))
                self._guard.monitor.record_rescue(kind, "orders", operation=intent.operation, detail=detail)
        if intent.attempts > 1 and not resolution.resent:
            self._guard.monitor.record_rescue("retry", "orders", operation=intent.operation, detail=detail)

    def _note(
        self, error: BaseException, severity: ErrorSeverity, intent: OrderIntent, *, rescued: bool
    ) -> None:
        if not isinstance(error, Exception):
            return
        self._guard.monitor.record_error(
            error,
            severity,
            self._guard.component(Circuit.TRADING),
            {
                "operation": intent.operation,
                "symbol": intent.symbol,
                "client_order_id": intent.client_order_id,
                "rescued": rescued,
            },
        )

    def _unrecorded(self, intent: OrderIntent, error: Exception) -> None:
        self._guard.monitor.record_error(
            error, ErrorSeverity.CRITICAL, "orders.journal", {"client_order_id": intent.client_order_id}
        )


def _as_guarded(error: BaseException, context: Mapping[str, Any]) -> BaseException:
    is_guarded = isinstance(error, ccxt.BaseError) and not isinstance(error, ccxt.InvalidProxySettings)
    return guarded_error(error, context) if is_guarded else error


def _what(intent: OrderIntent) -> str:
    if intent.order_id is not None and intent.status is not IntentStatus.PLACED:
        return f"the change of order {intent.order_id}"
    return f"order {intent.client_order_id}"
