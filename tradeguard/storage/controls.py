"""What the operator restricts, kept in the state: it outlives the bot, and reaches a running one from outside."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, insert

from tradeguard.orders.errors import JournalError
from tradeguard.orders.interlock import InterlockCause, InterlockState
from tradeguard.orders.journal import OrderJournal
from tradeguard.storage.database import Database
from tradeguard.storage.encoding import decode_time, encode_text, encode_time
from tradeguard.storage.schema import controls as table

__all__ = ["AccountOperator", "Control", "Controls", "JournalOperator"]

_REASON_LIMIT = 500
_READ = "SELECT exchange, account, state, reason, since FROM controls ORDER BY since, exchange, account"
_DELETE = delete(table).where(
    table.c.exchange == bindparam("of_exchange"), table.c.account == bindparam("of_account")
)
_INSERT = insert(table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One restriction by the operator.

    Attributes:
        exchange: ccxt id of the exchange it concerns; empty for all.
        account: fingerprint of the account it concerns; empty for all.
        state: HALTED or REDUCE_ONLY.
        reason: why, with secrets masked.
        since: aware UTC.
    """

    exchange: str = ""
    account: str = ""
    state: InterlockState
    reason: str
    since: datetime

    def concerns(self, exchange: str, account: str) -> bool:
        """Whether it restricts this account at this exchange."""
        return self.exchange in ("", exchange) and self.account in ("", account)


class Controls:
    """The operator's restrictions in one state, for any number of threads and processes.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.location = database.address.label

    def standing(self) -> list[Control]:
        """Return the restrictions that stand, oldest first; it takes some 20 microseconds.

        Raises:
            JournalError: they could not be read.
        """
        doing = "reading the operator's restrictions"
        rows = self._database.read(JournalError, doing, _READ)
        if not rows:
            return []
        with self._database.translated(JournalError, doing):
            return [
                Control(
                    exchange=exchange,
                    account=account,
                    state=InterlockState(state),
                    reason=reason,
                    since=decode_time(since),
                )
                for exchange, account, state, reason, since in rows
            ]

    def put(self, control: Control) -> None:
        """Let a restriction stand in place of the former one of the same exchange and account.

        Raises:
            JournalError: it could not be made durable.
        """
        with self._database.durable_transaction(JournalError, "restricting trading") as connection:
            connection.execute(_DELETE, {"of_exchange": control.exchange, "of_account": control.account})
            connection.execute(
                _INSERT,
                {
                    "exchange": control.exchange,
                    "account": control.account,
                    "state": control.state.value,
                    "reason": encode_text(control.reason, _REASON_LIMIT),
                    "since": encode_time(control.since),
                },
            )

    def lift(self, exchange: str = "", account: str = "") -> None:
        """Lift the restriction of exactly this exchange and account; none is no error.

        Raises:
            JournalError: that could not be made durable; it stands.
        """
        with self._database.connect(JournalError, "resuming trading") as connection:
            connection.execute(_DELETE, {"of_exchange": exchange, "of_account": account})


class AccountOperator:
    """The operator's restrictions as one account meets them; an `OperatorMemory`.

    Args:
        controls: the restrictions of the state.
        exchange: ccxt id of the exchange.
        account: fingerprint of the account.
    """

    def __init__(self, controls: Controls, exchange: str, account: str) -> None:
        self._controls = controls
        self._exchange = exchange
        self._account = account

    def standing(self) -> InterlockCause | None:
        """Return the strictest restriction that concerns the account, or None.

        Raises:
            JournalError: it could not be read.
        """
        found = [c for c in self._controls.standing() if c.concerns(self._exchange, self._account)]
        if not found:
            return None
        control = max(found, key=lambda c: c.state.strictness)
        resume = f"`tradeguard resume {shlex.quote(self._controls.location)}`"
        return InterlockCause(
            kind="operator",
            state=control.state,
            symbol=None,
            reason=control.reason,
            lifted_by=f"resume() or {resume}" if control.account else resume,
            since=control.since,
        )

    def keep(self, cause: InterlockCause) -> None:
        """Let the account's own restriction stand, over the end of the process too.

        Raises:
            JournalError: it could not be made durable.
        """
        self._controls.put(
            Control(
                exchange=self._exchange,
                account=self._account,
                state=cause.state,
                reason=cause.reason,
                since=cause.since,
            )
        )

    def forget(self) -> None:
        """Lift the account's own restriction; one for all accounts stands.

        Raises:
            JournalError: that could not be made durable.
        """
        self._controls.lift(self._exchange, self._account)


class JournalOperator:
    """The operator's restrictions beside a journal that may not be open yet, or have no place for them.

    Args:
        journal: returns the journal, opening it.
        is_open: whether that journal has a state which is open; else nothing is read.
    """

    def __init__(self, journal: Callable[[], OrderJournal], is_open: Callable[[], bool]) -> None:
        self._journal = journal
        self._is_open = is_open
        self._known: InterlockCause | None = None

    def standing(self) -> InterlockCause | None:
        """Return the restriction that concerns the journal's account, or None; the last known one while it is closed.

        Raises:
            JournalError: it could not be read.
        """
        operator = self._operator() if self._is_open() else None
        if operator is not None:
            self._known = operator.standing()
        return self._known

    def keep(self, cause: InterlockCause) -> None:
        """Let the account's own restriction stand.

        Raises:
            ConfigurationException: the state cannot be used.
            JournalError: it could not be made durable.
        """
        operator = self._operator()
        if operator is not None:
            operator.keep(cause)
        self._known = cause

    def forget(self) -> None:
        """Lift the account's own restriction.

        Raises:
            JournalError: that could not be made durable.
        """
        operator = self._operator()
        if operator is not None:
            operator.forget()
        self._known = None

    def _operator(self) -> AccountOperator | None:
        operator = getattr(self._journal(), "operator", None)
        return operator if isinstance(operator, AccountOperator) else None
