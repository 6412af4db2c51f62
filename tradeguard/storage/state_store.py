"""The state: one place for all that must survive the process."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import finalize

from sqlalchemy import func, select

from tradeguard.clock import SYSTEM_CLOCK, Clock
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders.errors import JournalError
from tradeguard.orders.intent import IntentStatus
from tradeguard.storage.address import Address
from tradeguard.storage.controls import Controls
from tradeguard.storage.database import Database
from tradeguard.storage.journal import SqlJournal
from tradeguard.storage.observations import Record
from tradeguard.storage.opening import open_state
from tradeguard.storage.recorder import Recorder
from tradeguard.storage.schema import intents
from tradeguard.storage.values import KnownValues

__all__ = ["StateStore"]

_LONGEST_AGE = 1e9  # some 30 years

_OPEN_ORDERS = (
    select(intents.c.exchange, intents.c.account, func.count().label("orders"))
    .where(intents.c.status.in_([status.value for status in IntentStatus if status.is_open]))
    .group_by(intents.c.exchange, intents.c.account)
)


class StateStore:
    """Order intents, errors, circuit transitions, rescues and last known good values, in one database.

    Opening it creates what is not there yet, parent folders included. It serves any number of threads, and
    any number of processes may open the same state at once. A forked child may go on using it; a spawned one
    gets it by pickling, which carries the address alone.

    Args:
        path_or_url: the path of an SQLite file, or a URL of SQLAlchemy (`postgresql://…`).
        clock: times the check of the file.
        lock_timeout: seconds (> 0) to wait for a thread, and again for a process, that is writing.
        max_records: errors, transitions, rescues and archived orders kept, each (>= 1); the oldest are deleted.
        archive_after: seconds (>= 0) after which a resolved order leaves the journal's lists; None for never.

    Raises:
        ConfigurationException: the state cannot be used; one line names it and says why.
    """

    def __init__(
        self,
        path_or_url: str | Path,
        *,
        clock: Clock | None = None,
        lock_timeout: float = 5.0,
        max_records: int = 1_000_000,
        archive_after: float | None = 7 * 86_400.0,
    ) -> None:
        if not lock_timeout > 0:
            raise ConfigurationException(f"lock_timeout must be > 0 seconds, got {lock_timeout!r}")
        if max_records < 1:
            raise ConfigurationException(f"max_records must be >= 1, got {max_records!r}")
        if archive_after is not None and not 0 <= archive_after < _LONGEST_AGE:
            raise ConfigurationException(
                f"archive_after must be None or 0 to {_LONGEST_AGE:g} seconds, got {archive_after!r}"
            )
        self._arguments: dict[str, Any] = {
            "clock": clock,
            "lock_timeout": lock_timeout,
            "max_records": max_records,
            "archive_after": archive_after,
        }
        self._journal_options: dict[str, Any] = {"archive_after": archive_after, "max_intents": max_records}
        self._address = Address.parse(path_or_url)
        self._database = Database(self._address, lock_timeout=lock_timeout)
        try:
            open_state(self._database, SYSTEM_CLOCK if clock is None else clock)
        except BaseException:
            self._database.close()
            raise
        self._values = KnownValues(self._database)
        self._recorder = Recorder(self._database, max_rows=max_records)
        # At the end of the process too, or when nobody holds the store any more.
        self._closing = finalize(self, _close, self._recorder, self._database)

    @property
    def location(self) -> str:
        """The path or URL, with secrets masked."""
        return self._address.label

    @property
    def path(self) -> Path | None:
        """The absolute path of the SQLite file, or None for a server."""
        return self._address.path

    @property
    def dropped(self) -> int:
        """How many records were lost: too many were waiting, or the database failed."""
        return self._recorder.dropped

    def journal(self, exchange: str, account: str) -> SqlJournal:
        """Return the order journal of one account.

        Args:
            exchange: ccxt id of the exchange.
            account: fingerprint of the account, never a key.
        """
        return SqlJournal(self._database, exchange, account, keeper=self, **self._journal_options)

    def open_orders(self) -> dict[tuple[str, str], int]:
        """Return how many orders are unresolved, by exchange and account.

        Raises:
            JournalError: they could not be read.
        """
        with self._database.connect(JournalError, "counting open orders") as connection:
            return {(row.exchange, row.account): row.orders for row in connection.execute(_OPEN_ORDERS)}

    def controls(self) -> Controls:
        """Return what the operator restricts: see `tradeguard halt` and `tradeguard resume`."""
        return Controls(self._database)

    def record(self, record: Record) -> None:
        """Take an error, transition or rescue; a listener for `ErrorMonitor`. Never raises, never waits.

        It is written within about half a second, and at the latest when the store is closed or the process
        ends in order.
        """
        self._recorder.record(record)

    def flush(self, timeout: float = 5.0) -> bool:
        """Write what was recorded so far, and tell whether all of it was written within `timeout` seconds."""
        return self._recorder.flush(timeout)

    def put_value(self, key: str, value: object, at: float) -> None:
        """Keep a JSON value, which was true `at` (epoch seconds), in place of the key's former one.

        Tuples come back as lists, and keys as text, as ever with JSON.

        Raises:
            ValidationException: the value is not JSON.
            RecoveryException: it could not be written.
        """
        self._values.put(key, value, at)

    def get_value(self, key: str) -> tuple[Any, float] | None:
        """Return the key's value and its time (epoch seconds), or None.

        Raises:
            RecoveryException: it could not be read.
        """
        return self._values.get(key)

    def close(self) -> None:
        """Write what was recorded, for at most two seconds, and close; a second call does nothing."""
        self._closing()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        address = self._address
        return _reopen, (address.path or address.url.render_as_string(hide_password=False), self._arguments)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r})"


def _close(recorder: Recorder, database: Database) -> None:
    recorder.close()
    database.close()


def _reopen(path_or_url: str | Path, arguments: dict[str, Any]) -> StateStore:
    return StateStore(path_or_url, **arguments)
