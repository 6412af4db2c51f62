"""The order journal on a database: an intent is on disk before the first byte of its order leaves."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from tradeguard.orders.errors import DuplicateIntentError, JournalConflictError, JournalError
from tradeguard.orders.intent import IntentStatus, OrderIntent
from tradeguard.storage.archive import Archive
from tradeguard.storage.controls import AccountOperator, Controls
from tradeguard.storage.database import Database
from tradeguard.storage.encoding import decode_mapping, decode_time, encode_mapping, encode_text, encode_time
from tradeguard.storage.schema import intents as table

__all__ = ["SqlJournal"]

_ERROR_LIMIT = 2_000
_PARAMS_LIMIT = 16_000
_OPEN = [status.value for status in IntentStatus if status.is_open]

# Built once: SQLAlchemy finds the compiled statement by the identity of its parts.
_ADD = insert(table).inline()
_OF_ACCOUNT = (table.c.exchange == bindparam("of_exchange"), table.c.account == bindparam("of_account"))
_THIS = (*_OF_ACCOUNT, table.c.client_order_id == bindparam("of_id"))
_CHANGING = (
    "symbol", "type", "side", "amount", "price", "status", "order_id", "updated_at", "attempts", "error",
    "operation", "params", "accept_until", "owner",
)  # fmt: skip
# A change brings an archived intent back, so that nothing open is ever hidden.
_UPDATE = update(table).where(*_THIS).values(archived=False, **{name: bindparam(name) for name in _CHANGING})
_UPDATE_EXPECTED = _UPDATE.where(
    table.c.status == bindparam("of_status"), table.c.attempts == bindparam("of_attempts")
)
_GET = select(table).where(*_THIS)
_ALL = select(table).where(*_OF_ACCOUNT).order_by(table.c.created_at, table.c.id)
_VISIBLE = _ALL.where(table.c.archived.is_(False))
_OF_STATUS = _VISIBLE.where(table.c.status == bindparam("of_status"))
_UNRESOLVED = _ALL.where(table.c.status.in_(_OPEN))


class SqlJournal:
    """The intents of one account at one exchange; see `tradeguard.orders.OrderJournal`.

    Args:
        database: where they are kept.
        exchange: ccxt id of the exchange.
        account: fingerprint of the account, never a key.
        archive_after: seconds after which a resolved intent is hidden; None for never.
        max_intents: intents of the state beyond which hidden ones are deleted, the oldest first.
        keeper: lives as long as the journal; a store closes the database when nobody holds it any more.
    """

    def __init__(
        self,
        database: Database,
        exchange: str,
        account: str,
        *,
        archive_after: float | None = None,
        max_intents: int = 1_000_000,
        keeper: object = None,
    ) -> None:
        self._keeper = keeper
        self.exchange = exchange
        self.account = account
        self._database = database
        self._scope = {"of_exchange": exchange, "of_account": account}
        self.operator = AccountOperator(Controls(database), exchange, account)
        self._archive = Archive(database, self._scope, after=archive_after, keep=max_intents)

    def add(self, intent: OrderIntent) -> None:
        """Write a new intent; it is on disk when this returns.

        Raises:
            DuplicateIntentError: the client order id is in the journal already, archived intents included.
            JournalError: it could not be made durable; nothing may be sent.
        """
        doing = f"adding order {intent.client_order_id!r}"
        with self._database.connect(JournalError, doing) as connection:
            values = self._encode(intent)
            values["archived"] = False
            try:
                connection.execute(_ADD, values)
            except IntegrityError as error:
                if self._stored(connection, intent.client_order_id) is None:
                    raise
                raise DuplicateIntentError(
                    f"client order id {intent.client_order_id!r} is in the journal already",
                    component="storage",
                    client_order_id=intent.client_order_id,
                ) from error

    def update(self, intent: OrderIntent, *, expected: OrderIntent | None = None) -> None:
        """Write the intent's present state over its former one.

        It is on disk when this returns, but for how an order ended that can be looked up again: a power failure,
        though no crash, may take that back to SENT, and recovery finds it out anew.

        Args:
            intent: what to write; its `created_at` stays as it was added.
            expected: where given, write only if the stored status and attempts are still those of `expected`.

        Raises:
            JournalConflictError: another process has changed the intent meanwhile.
            JournalError: it is not in the journal, or could not be made durable.
        """
        doing = f"updating order {intent.client_order_id!r}"
        lend = self._database.connect if _must_be_durable(intent, expected) else self._database.transaction
        with lend(JournalError, doing) as connection:
            row = self._encode(intent)
            # SQLAlchemy would set every column that it is given a value for.
            values = {name: row[name] for name in _CHANGING}
            values |= {**self._scope, "of_id": intent.client_order_id}
            if expected is None:
                written = connection.execute(_UPDATE, values).rowcount
            else:
                values |= {"of_status": str(expected.status), "of_attempts": expected.attempts}
                written = connection.execute(_UPDATE_EXPECTED, values).rowcount
            if written != 1:
                raise _unwritten(intent, expected, self._stored(connection, intent.client_order_id))
        if not intent.status.is_open:
            self._archive.ended(intent.updated_at)

    def get(self, client_order_id: str) -> OrderIntent | None:
        """Return the intent with this client order id, archived ones included, or None.

        Raises:
            JournalError: it could not be read.
        """
        with self._database.connect(JournalError, f"reading order {client_order_id!r}") as connection:
            row = self._stored(connection, client_order_id)
            return None if row is None else _decode(row)

    def intents(self, status: IntentStatus | str | None = None) -> list[OrderIntent]:
        """Return the intents that are not archived, oldest first, all or those of one status.

        Raises:
            JournalError: they could not be read.
        """
        if status is None:
            return self._select(_VISIBLE, "reading orders", {})
        return self._select(_OF_STATUS, "reading orders", {"of_status": str(status)})

    def open_intents(self) -> list[OrderIntent]:
        """Return the intents that are PENDING, SENT or UNKNOWN, oldest first, whatever else is said of them.

        Raises:
            JournalError: they could not be read.
        """
        return self._select(_UNRESOLVED, "reading open orders", {})

    def archive(self, before: datetime) -> int:
        """Hide the resolved intents that last changed before this aware moment; they stay stored.

        Returns:
            how many were hidden.

        Raises:
            JournalError: the change could not be written.
        """
        return self._archive.hide(before)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.exchange!r}, {self.account!r}, {self._database.address.label!r})"

    def _select(self, statement: Select[Any], doing: str, values: dict[str, Any]) -> list[OrderIntent]:
        with self._database.connect(JournalError, doing) as connection:
            rows = connection.execute(statement, {**self._scope, **values}).all()
        # A long journal is decoded after the connection was given back, so that no order waits for it.
        with self._database.translated(JournalError, doing):
            return [_decode(row) for row in rows]

    def _stored(self, connection: Connection, client_order_id: str) -> Row[Any] | None:
        return connection.execute(_GET, {**self._scope, "of_id": client_order_id}).one_or_none()

    def _encode(self, intent: OrderIntent) -> dict[str, Any]:
        if intent.exchange not in {"", self.exchange} or intent.account not in {"", self.account}:
            raise ValueError(
                f"it is an order of {intent.exchange!r}, account {intent.account!r}; this is {self!r}"
            )
        return {
            "exchange": self.exchange,
            "account": self.account,
            "client_order_id": intent.client_order_id,
            "symbol": intent.symbol,
            "type": intent.type,
            "side": intent.side,
            "amount": _number("amount", intent.amount),
            "price": _number("price", intent.price),
            "status": IntentStatus(intent.status).value,
            "order_id": intent.order_id,
            "created_at": encode_time(intent.created_at),
            "updated_at": encode_time(intent.updated_at),
            "attempts": intent.attempts,
            "error": None if intent.error is None else encode_text(intent.error, _ERROR_LIMIT),
            "operation": intent.operation,
            "params": encode_mapping(intent.params, _PARAMS_LIMIT),
            "accept_until": _number("accept_until", intent.accept_until),
            "owner": intent.owner,
        }


def _must_be_durable(intent: OrderIntent, expected: OrderIntent | None) -> bool:
    """Tell what waits for the disk: all that a send follows, and all that nobody might find out again."""
    was_in_doubt = expected is not None and expected.status is IntentStatus.UNKNOWN
    return intent.status is IntentStatus.SENT or intent.accept_until is None or was_in_doubt


def _number(name: str, value: float | None) -> float | None:
    """Return `value` as a double; NaN is refused, since SQLite would quietly store it as NULL."""
    if value is None:
        return None
    number = float(value)
    if math.isnan(number):
        raise ValueError(f"{name} is not a number")
    return number


def _decode(row: Row[Any]) -> OrderIntent:
    values: dict[str, Any] = row._asdict()
    del values["id"], values["archived"]
    values["status"] = IntentStatus(values["status"])
    values["params"] = decode_mapping(values["params"])
    values["created_at"] = decode_time(values["created_at"])
    values["updated_at"] = decode_time(values["updated_at"])
    return OrderIntent(**values)


def _unwritten(intent: OrderIntent, expected: OrderIntent | None, stored: Row[Any] | None) -> JournalError:
    about = {"component": "storage", "client_order_id": intent.client_order_id}
    if stored is None:
        return JournalError(f"order {intent.client_order_id!r} was never added to the journal", **about)
    wanted = (
        "" if expected is None else f", and was expected to be {expected.status} after {expected.attempts}"
    )
    return JournalConflictError(
        f"order {intent.client_order_id!r} is {stored.status} after {stored.attempts} attempts{wanted}",
        **about,
    )
