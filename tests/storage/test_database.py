"""The connections: their waiting, their failures, and forks."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tradeguard.exceptions import RecoveryException
from tradeguard.orders import JournalError, OrderIntent
from tradeguard.storage import StateStore
from tradeguard.storage.address import Address
from tradeguard.storage.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    StateStore(path).close()
    return path


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(Address.parse(path), lock_timeout=0.05)
    yield database
    database.close()


def test_orders_wait_for_the_disk_and_observations_do_not(database: Database) -> None:
    """Durable connections are FULL, relaxed ones NORMAL, and both check foreign keys."""
    with database.connect(RecoveryException, "asking") as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == 50
    with database.transaction(RecoveryException, "asking") as connection:
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 1


def test_another_process_that_writes_too_long_is_named(database: Database, path: Path) -> None:
    """A lock held beyond the bound is an error that says so, and no harm remains."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    statement = text("INSERT INTO meta VALUES ('a', 'b')")
    with (
        pytest.raises(
            RecoveryException, match=r"trying failed: another process has been writing for more than 0.05 s"
        ),
        database.connect(RecoveryException, "trying") as connection,
    ):
        connection.execute(statement)
    other.execute("ROLLBACK")
    other.close()
    with database.connect(RecoveryException, "trying again") as connection:
        assert connection.execute(statement).rowcount == 1


def test_another_thread_that_writes_too_long_is_named(database: Database) -> None:
    """Threads queue at one lock, for the same bound."""
    caught: list[str] = []

    def wait() -> None:
        try:
            with database.transaction(RecoveryException, "waiting"):
                caught.append("lent")
        except RecoveryException as error:
            caught.append(error.message)

    with database.connect(RecoveryException, "holding"):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join()
    assert len(caught) == 1
    assert caught[0].startswith(
        "waiting failed: another thread has been writing for more than 0.05 s (state "
    )


def test_a_transaction_is_whole_or_nothing(database: Database) -> None:
    """A block that fails leaves nothing behind, and its own error passes unchanged."""

    def fail_half_way() -> None:
        with database.transaction(RecoveryException, "recording") as connection:
            connection.execute(text("INSERT INTO meta VALUES ('a', 'b')"))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail_half_way()
    with database.connect(RecoveryException, "asking") as connection:
        assert connection.execute(text("SELECT count(*) FROM meta WHERE key = 'a'")).scalar() == 0


def test_the_password_is_masked_in_what_a_server_says() -> None:
    """A failing server is explained without the password, wherever it stands in the text."""
    pytest.importorskip("psycopg")
    database = Database(Address.parse("postgresql://trader:hunter22@127.0.0.1:1/state"))
    with (
        pytest.raises(RecoveryException, match="connecting failed") as caught,
        database.connect(RecoveryException, "connecting"),
    ):
        pass
    assert "hunter22" not in str(caught.value)
    assert "hunter22" not in repr(database.address)
    assert database.explain(ValueError("hunter22 is wrong")) == "*** is wrong"
    database.close()


def test_closing_waits_for_the_statement_under_way(path: Path) -> None:
    """A thread that is writing finishes first; one that comes later is told that the state is closed."""
    database = Database(Address.parse(path))
    lent, finish = threading.Event(), threading.Event()
    written: list[int] = []

    def write() -> None:
        with database.connect(RecoveryException, "writing") as connection:
            lent.set()
            finish.wait()
            written.append(connection.execute(text("INSERT INTO meta VALUES ('a', 'b')")).rowcount)

    writer = threading.Thread(target=write)
    writer.start()
    lent.wait()
    closer = threading.Thread(target=database.close)
    closer.start()
    finish.set()
    closer.join()
    writer.join()
    assert written == [1]
    with (
        pytest.raises(RecoveryException, match="writing again failed: it is closed"),
        database.connect(RecoveryException, "writing again"),
    ):
        pass
    database.close()


def test_an_error_without_a_text_is_named_by_its_kind(database: Database) -> None:
    """No message ends in nothing."""
    assert database.explain(ValueError()) == "ValueError"


@pytest.mark.parametrize(("replaced", "reason"), [(False, "moved or deleted"), (True, "replaced")])
def test_a_file_that_is_taken_away_is_noticed(
    path: Path, make_intent: Callable[..., OrderIntent], replaced: bool, reason: str
) -> None:
    """SQLite would go on writing to a file that nobody will ever find again."""
    with StateStore(path) as store:
        journal = store.journal("binance", "ab12")
        path.rename(path.with_suffix(".moved"))
        if replaced:
            path.touch()
        with pytest.raises(JournalError, match=f"its file was {reason} while in use"):
            journal.add(make_intent())
        path.with_suffix(".moved").replace(path)
        journal.add(make_intent())
        assert len(journal.intents()) == 1


def test_a_durable_transaction_is_whole_or_nothing(database: Database) -> None:
    """What replaces a row never leaves none behind."""

    def fail_half_way() -> None:
        with database.durable_transaction(JournalError, "replacing") as connection:
            connection.execute(text("DELETE FROM meta"))
            connection.execute(text("INSERT INTO nowhere VALUES (1)"))

    with pytest.raises(JournalError, match="no such table"):
        fail_half_way()
    with database.durable_transaction(JournalError, "adding") as connection:
        connection.execute(text("INSERT INTO meta VALUES ('a', 'b')"))
    with database.connect(JournalError, "reading") as connection:
        assert len(connection.execute(text("SELECT * FROM meta")).all()) == 3
