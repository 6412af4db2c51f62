"""Opening a state: is it ours, whole, writable, and of a schema that we know?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, false, insert, inspect, select
from sqlalchemy.exc import OperationalError

from tradeguard.clock import Clock
from tradeguard.exceptions import ConfigurationException
from tradeguard.storage import schema
from tradeguard.storage.address import Address, refusal
from tradeguard.storage.database import Database
from tradeguard.storage.migrations import migrate

__all__ = ["CHECK_SECONDS", "check_application", "check_integrity", "open_state"]

CHECK_SECONDS = 1.0
"""How long the check of an SQLite file may take; what it has not reached by then counts as whole."""

_OPENING = "opening"


def open_state(database: Database, clock: Clock) -> None:
    """Check the state, and create it where there is none.

    Raises:
        ConfigurationException: it cannot be used; then nothing of it was changed.
    """
    if database.address.path is None:
        with database.transaction(ConfigurationException, _OPENING) as connection:
            # Two processes never create the tables at once; the number is ours.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({schema.APPLICATION_ID})")
            _create_or_migrate(connection, database.address)
    else:
        _prepare_folder(database.address, database.address.path)
        with database.connect(ConfigurationException, _OPENING) as connection:
            _open_file(connection, database.address, clock)
        database.pin()


def check_application(connection: Connection, address: Address) -> int:
    """Return the version of the state's schema, 0 where its database is still empty.

    Raises:
        ConfigurationException: it is another application's, or of a schema that is not known here.
    """
    tables = set(inspect(connection).get_table_names())
    if address.path is None:
        # A server's database may hold other people's tables beside ours.
        tables &= set(schema.METADATA.tables)
    elif _pragma(connection, "application_id") not in {0, schema.APPLICATION_ID}:
        raise refusal(address.label, "it is an SQLite file of another application")
    if not tables:
        return 0
    entries = _meta(connection) if "meta" in tables else {}
    if entries.get("application") != schema.APPLICATION:
        raise refusal(address.label, "it holds tables of another application")
    return _version(entries.get("schema_version", ""), address)


def check_integrity(connection: Connection, address: Address, clock: Clock) -> None:
    """Check the pages of an SQLite file for at most `CHECK_SECONDS`, those of the order journal first.

    Raises:
        ConfigurationException: a page is damaged.
    """
    deadline = clock.monotonic() + CHECK_SECONDS
    raw: Any = connection.connection.driver_connection
    raw.set_progress_handler(lambda: clock.monotonic() > deadline, 10_000)
    try:
        # Of the journal, its indexes too: an order in doubt that an index has lost would never be resolved.
        for check in ("integrity_check('intents')", "quick_check(1)"):
            finding = str(_pragma(connection, check))
            if finding != "ok":
                raise refusal(address.label, f"the file is damaged: {finding}")
    except OperationalError as error:
        if "interrupted" not in str(error.orig):
            raise
    finally:
        raw.set_progress_handler(None, 0)


def _open_file(connection: Connection, address: Address, clock: Clock) -> None:
    # Nothing is written before we know that the file is ours, or empty.
    if check_application(connection, address):
        check_integrity(connection, address, clock)
    if _pragma(connection, "journal_mode=WAL") != "wal":
        raise refusal(address.label, "its file system cannot hold a write-ahead log")
    # The write lock lets one process alone create the tables.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        if _create_or_migrate(connection, address):
            connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")
        # SQLite grants that lock even where it may only read; a write, if only of nothing, it refuses.
        connection.execute(delete(schema.meta).where(false()))
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise


def _create_or_migrate(connection: Connection, address: Address) -> bool:
    """Create the tables where there are none yet, and tell whether that was so; bring older ones up to date."""
    version = check_application(connection, address)
    if version:
        if version < schema.SCHEMA_VERSION:
            migrate(connection, version)
        return False
    schema.METADATA.create_all(connection)
    entries = {"application": schema.APPLICATION, "schema_version": str(schema.SCHEMA_VERSION)}
    connection.execute(insert(schema.meta), [{"key": key, "value": value} for key, value in entries.items()])
    return True


def _meta(connection: Connection) -> dict[str, str]:
    columns = {column["name"] for column in inspect(connection).get_columns("meta")}
    if not columns >= {"key", "value"}:
        return {}  # somebody else's table of that name
    return {row.key: row.value for row in connection.execute(select(schema.meta))}


def _version(text: str, address: Address) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise refusal(address.label, f"its schema version is unreadable: {text!r}")
    if int(text) > schema.SCHEMA_VERSION:
        known = schema.SCHEMA_VERSION
        raise refusal(address.label, f"a newer TradeGuard wrote it (schema {text}, known here: {known})")
    return int(text)


def _prepare_folder(address: Address, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(address.label, f"its folder cannot be made: {error.strerror}") from error
    if path.is_dir():
        raise refusal(address.label, "it is a directory")
    if not _allows(path.parent, os.W_OK | os.X_OK):
        raise refusal(address.label, "its folder is not writable")
    if path.exists() and not _allows(path, os.R_OK | os.W_OK):
        raise refusal(address.label, "the file is not readable and writable")


def _allows(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _pragma(connection: Connection, pragma: str) -> Any:
    return connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()
