"""The connections to one state: durable ones for orders, relaxed ones for observations."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, Pool, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from tradeguard.exceptions import TradingException
from tradeguard.storage.address import Address, refusal
from tradeguard.storage.forks import follow_forks

__all__ = ["Database"]


class Database:
    """Connections to one state, for any number of threads, and safe over a fork.

    Orders use `connect`: each statement is its own transaction, on disk when it returns (`synchronous=FULL`).
    Observations, and ends of orders that can be looked up again, use `transaction`: one transaction a block, which
    a power failure may take back whole (`synchronous=NORMAL`; `synchronous_commit=off` on PostgreSQL), but no
    crash of the process.

    SQLite has one writer at a time. Threads of this process queue at a lock, which hands over at once, where
    SQLite's own waiting sleeps and polls; it also lets a fork wait until no connection is in use.

    Args:
        address: where the state lives.
        lock_timeout: seconds to wait for a thread, and again for a process, that is writing.
    """

    def __init__(self, address: Address, *, lock_timeout: float = 5.0) -> None:
        self.address = address
        self._lock_timeout = lock_timeout
        self._gate = threading.RLock()
        self._gated = address.path is not None
        self._durable = _engine(address, lock_timeout, durable=True)
        self._relaxed = _engine(address, lock_timeout, durable=False)
        self._driver_error: type[Exception] = self._durable.dialect.loaded_dbapi.Error
        self._closed = False
        self._identity: tuple[int, int] | None = None
        self._forking = False
        self._inherited: list[Pool] = []
        follow_forks(before=self._before_fork, in_parent=self._after_fork, in_child=self._become_child)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._durable.dialect.name

    @contextmanager
    def connect(self, failure: type[TradingException], doing: str) -> Iterator[Connection]:
        """Lend a connection on which each statement is durable when it returns.

        Raises:
            failure: the database failed while `doing`; also what `doing` is called in its message.
        """
        with self.translated(failure, doing), self._turn(), self._durable.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self, failure: type[TradingException], doing: str) -> Iterator[Connection]:
        """Lend a connection for one transaction, committed at the end of the block, without waiting for disk.

        Raises:
            failure: the database failed while `doing`.
        """
        with self.translated(failure, doing), self._turn(), self._relaxed.begin() as connection:
            yield connection

    @contextmanager
    def durable_transaction(self, failure: type[TradingException], doing: str) -> Iterator[Connection]:
        """Lend a connection for one transaction, on disk when the block has ended.

        Raises:
            failure: the database failed while `doing`.
        """
        with self.connect(failure, doing) as connection:
            connection.exec_driver_sql("BEGIN" if self.address.path is None else "BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise

    def read(self, failure: type[TradingException], doing: str, statement: str) -> list[Any]:
        """Return the rows of a plain statement, in a fifth of the time that SQLAlchemy's own way takes.

        Raises:
            failure: the database failed while `doing`.
        """
        with self.translated(failure, doing), self._turn():
            lent = self._durable.raw_connection()
            try:
                cursor = lent.cursor()
                cursor.execute(statement)
                return list(cursor.fetchall())
            finally:
                lent.close()

    def pin(self) -> None:
        """Refuse from now on what would go to another file than the one that is at the path now.

        SQLite goes on writing to a file that was moved or deleted, and nobody would find it after a crash.
        """
        if self.address.path is not None:
            found = os.stat(self.address.path)
            self._identity = found.st_dev, found.st_ino

    def close(self) -> None:
        """Close every connection; a second call does nothing."""
        self._closed = True
        # A statement that is under way is waited for, since its connection would else be left open.
        with self._held():
            self._durable.dispose()
            self._relaxed.dispose()

    def explain(self, error: Exception) -> str:
        """Return one line that says why `error` came, with secrets masked."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        text = " ".join(str(cause).split()) or type(cause).__name__
        if "database is locked" in text:
            text = f"another process has been writing for more than {self._lock_timeout:g} s"
        elif "file is not a database" in text:
            text = "it is not an SQLite file"
        elif "malformed" in text:
            text = f"the file is damaged: {text}"
        return self.address.mask(text)

    @contextmanager
    def translated(self, failure: type[TradingException], doing: str) -> Iterator[None]:
        """Raise what the database, or a value that it cannot hold, causes in the block as `failure`."""
        try:
            yield
        except TradingException:
            raise  # one of them is a ValueError
        except (
            SQLAlchemyError, self._driver_error, _UnavailableError, ValueError, TypeError, OverflowError
        ) as error:  # fmt: skip
            # The last three are values that the driver refuses, such as half a character in a text.
            message = f"{doing} failed: {self.explain(error)} (state {self.address.label!r})"
            raise failure(message, component="storage", state=self.address.label) from error

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._held() if self._gated else nullcontext(True) as held:
            if not held:
                raise _UnavailableError(
                    f"another thread has been writing for more than {self._lock_timeout:g} s"
                )
            if self._closed:
                raise _UnavailableError("it is closed")
            self._require_file()
            yield

    def _require_file(self) -> None:
        if self._identity is None or self.address.path is None:
            return
        try:
            found = os.stat(self.address.path)
        except OSError as error:
            raise _UnavailableError(f"its file was moved or deleted while in use: {error.strerror}") from None
        if (found.st_dev, found.st_ino) != self._identity:
            raise _UnavailableError("its file was replaced while in use")

    @contextmanager
    def _held(self) -> Iterator[bool]:
        gate = self._gate  # a child process gets another one
        held = gate.acquire(timeout=self._lock_timeout)
        try:
            yield held
        finally:
            if held:
                gate.release()

    def _before_fork(self) -> None:
        # Forking beats waiting for ever: after the bound the child abandons what it inherits, below.
        self._forking = self._gate.acquire(timeout=self._lock_timeout)
        self._durable.dispose()
        self._relaxed.dispose()

    def _after_fork(self) -> None:
        if self._forking:
            self._forking = False
            self._gate.release()

    def _become_child(self) -> None:
        self._gate = threading.RLock()
        self._forking = False
        for engine in (self._durable, self._relaxed):
            # Kept for ever: freeing a connection of the parent's closes it, and with it the parent's session.
            self._inherited.append(engine.pool)
            engine.dispose(close=False)


class _UnavailableError(Exception):
    """A connection could not be lent at all."""


def _engine(address: Address, lock_timeout: float, *, durable: bool) -> Engine:
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if durable else {}
    if address.path is not None:
        options["connect_args"] = {"timeout": lock_timeout, "check_same_thread": False}
    else:
        options["pool_pre_ping"] = True
    try:
        engine = create_engine(address.url, poolclass=QueuePool, hide_parameters=True, **options)
    except (SQLAlchemyError, ImportError) as error:
        raise refusal(address.label, f"no driver for this database: {address.mask(str(error))}") from None

    if address.path is not None:
        settings = ["PRAGMA foreign_keys=ON", f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}"]
    else:
        settings = [] if durable else ["SET synchronous_commit TO off"]

    def configure(dbapi_connection: Any, _record: object) -> None:
        cursor = dbapi_connection.cursor()
        try:
            for setting in settings:
                cursor.execute(setting)
        finally:
            cursor.close()
        dbapi_connection.commit()

    event.listen(engine, "connect", configure)
    return engine
