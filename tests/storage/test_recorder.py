"""The recorder: it costs the caller nothing, loses nothing silently, and never grows without bound."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tradeguard.records import ErrorRecord, RescueRecord, TransitionRecord
from tradeguard.storage import StateStore
from tradeguard.storage.address import Address
from tradeguard.storage.database import Database
from tradeguard.storage.recorder import Recorder

MakeRecorder = Callable[..., Recorder]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    StateStore(path).close()
    return path


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(Address.parse(path), lock_timeout=0.01)
    yield database
    database.close()


@pytest.fixture
def make_recorder(database: Database) -> Iterator[MakeRecorder]:
    made: list[Recorder] = []

    def make(**options: Any) -> Recorder:
        made.append(Recorder(database, **{"interval": 0.01, **options}))
        return made[-1]

    yield make
    for recorder in made:
        recorder.close()


def an_error(message: str = "read timed out", **changes: Any) -> ErrorRecord:
    fields: dict[str, Any] = {
        "timestamp": 1_700_000_000.25,
        "component": "network",
        "error_type": "RequestTimeout",
        "error_code": "NETWORK_ERROR",
        "message": message,
        "severity": "WARNING",
        "operation": "fetch_ticker",
        "rescued": True,
        "context": {"symbol": "ETH/BTC"},
    }
    return ErrorRecord(**{**fields, **changes})


def a_rescue(kind: str = "retry") -> RescueRecord:
    return RescueRecord(
        timestamp=1.5, component="network", kind=kind, operation="fetch_ticker", detail={"n": 2}
    )


def rows(path: Path, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute(f"SELECT {columns} FROM {table} ORDER BY id").fetchall()


def test_each_kind_of_record_is_written(make_recorder: MakeRecorder, path: Path) -> None:
    """An error, a transition and a rescue become rows of their tables, field by field."""
    recorder = make_recorder()
    recorder.record(an_error())
    recorder.record(
        TransitionRecord(
            timestamp=2.5, circuit="trading", old_state="closed", new_state="open", reason="5 failures"
        )
    )
    recorder.record(a_rescue())
    assert recorder.flush()
    assert rows(path, "errors") == [
        (
            1, 1_700_000_000.25, "network", "RequestTimeout", "NETWORK_ERROR", "read timed out", "WARNING",
            "fetch_ticker", 1, '{"symbol": "ETH/BTC"}',
        )
    ]  # fmt: skip
    assert rows(path, "transitions") == [(1, 2.5, "trading", "closed", "open", "5 failures")]
    assert rows(path, "rescues") == [(1, 1.5, "network", "retry", "fetch_ticker", '{"n": 2}')]
    assert recorder.dropped == 0


def test_optional_fields_may_be_missing(make_recorder: MakeRecorder, path: Path) -> None:
    """An operation that is not known is NULL, and no context an empty object."""
    recorder = make_recorder()
    recorder.record(an_error(operation=None, context={}))
    recorder.record(RescueRecord(timestamp=1.0, component="feed", kind="gap_filled"))
    assert recorder.flush()
    assert rows(path, "errors", "operation, context") == [(None, "{}")]
    assert rows(path, "rescues", "operation, detail") == [(None, "{}")]


def test_records_are_written_without_being_asked(make_recorder: MakeRecorder, database: Database) -> None:
    """The writer wakes by itself: a record is in the database soon after."""
    recorder = make_recorder()
    written = threading.Event()
    encode_and_insert = recorder._insert

    def insert(*arguments: Any) -> None:
        encode_and_insert(*arguments)
        written.set()

    recorder._insert = insert  # type: ignore[assignment, method-assign]
    recorder.record(a_rescue())
    assert written.wait(10)


def test_what_an_exchange_sent_is_bounded_and_storable(make_recorder: MakeRecorder, path: Path) -> None:
    """A page of HTML is cut, half a character replaced, a NUL left out, and a secret masked."""
    recorder = make_recorder()
    recorder.record(an_error("x" * 100_000, context={"body": "y" * 100_000}))
    recorder.record(an_error("half \ud800 and \x00 and apiKey=cafebabe88", context={"apiKey": "cafebabe88"}))
    assert recorder.flush()
    (long, cut), (odd, masked) = rows(path, "errors", "message, context")
    assert (len(long), long[-1]) == (2_000, "…")
    assert cut.startswith('{"truncated": ')
    assert len(cut) < 10_000
    assert odd == "half ? and  and apiKey=***"
    assert masked == '{"apiKey": "***"}'


def test_many_records_are_written_in_order(make_recorder: MakeRecorder, path: Path) -> None:
    """Records of many batches keep their order."""
    recorder = make_recorder()
    for number in range(1_700):
        recorder.record(a_rescue(str(number)))
    assert recorder.flush()
    assert [kind for (kind,) in rows(path, "rescues", "kind")] == [str(number) for number in range(1_700)]


def test_threads_record_without_loss(make_recorder: MakeRecorder, path: Path) -> None:
    """Everything that many threads record at once is there."""
    recorder = make_recorder()

    def record() -> None:
        for _ in range(500):
            recorder.record(a_rescue())

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert recorder.flush()
    assert len(rows(path, "rescues")) == 4_000
    assert recorder.dropped == 0


def test_too_many_waiting_records_are_dropped_and_counted(
    make_recorder: MakeRecorder, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A full queue drops the newest records, counts each, and logs it once."""
    recorder = make_recorder(queue_limit=10, interval=60.0)
    with caplog.at_level(logging.WARNING, "tradeguard"):
        for number in range(25):
            recorder.record(a_rescue(str(number)))
    assert recorder.dropped == 15
    assert recorder.flush()
    assert [kind for (kind,) in rows(path, "rescues", "kind")] == [str(number) for number in range(10)]
    assert [record.getMessage() for record in caplog.records] == [
        f"state '{path}': records are being lost: too many records are waiting"
    ]


def test_a_passing_failure_loses_nothing(make_recorder: MakeRecorder, path: Path) -> None:
    """Records wait while another process holds the database, and are written after that."""
    recorder = make_recorder(interval=60.0)
    failed = threading.Event()

    def note(_record: logging.LogRecord) -> bool:
        failed.set()
        return True

    logger = logging.getLogger("tradeguard.storage.recorder")
    logger.addFilter(note)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        recorder.record(a_rescue())
        assert not recorder.flush(timeout=0.0)
        assert failed.wait(10)
        other.execute("ROLLBACK")
    logger.removeFilter(note)
    assert recorder.flush()
    assert len(rows(path, "rescues")) == 1
    assert recorder.dropped == 0


def test_a_lasting_failure_is_counted_and_logged_once(
    make_recorder: MakeRecorder, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After three tries a batch is dropped; nobody is told by an exception, and the log holds one line."""
    recorder = make_recorder()
    with (
        caplog.at_level(logging.WARNING, "tradeguard"),
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        for _ in range(2):
            recorder.record(a_rescue())
            recorder.record(a_rescue())
            assert not recorder.flush(timeout=10)
    assert recorder.dropped == 4
    assert len(caplog.records) == 1
    recorder.record(a_rescue())
    assert recorder.flush()
    assert len(rows(path, "rescues")) == 1


def test_what_is_no_record_harms_no_other(make_recorder: MakeRecorder, path: Path) -> None:
    """A foreign object and a record with impossible fields are counted, and the rest is written."""
    recorder = make_recorder()
    recorder.record("nonsense")  # type: ignore[arg-type]
    recorder.record(an_error(timestamp="yesterday"))
    recorder.record(an_error())
    assert recorder.flush()
    assert len(rows(path, "errors")) == 1
    assert recorder.dropped == 2


@pytest.mark.parametrize("total", [100, 1_000])
def test_the_oldest_records_are_deleted(make_recorder: MakeRecorder, path: Path, total: int) -> None:
    """Of each kind no more than `max_rows` are kept, and they are the newest."""
    recorder = make_recorder(max_rows=50)
    for number in range(total):
        recorder.record(a_rescue(str(number)))
    assert recorder.flush()
    kept = [int(kind) for (kind,) in rows(path, "rescues", "kind")]
    assert 40 <= len(kept) <= 50
    assert kept == list(range(total - len(kept), total))


def test_many_short_runs_do_not_outgrow_the_bound(make_recorder: MakeRecorder, path: Path) -> None:
    """The bound holds over restarts too, however little each run records."""
    for _ in range(8):
        recorder = make_recorder(max_rows=200)
        for _ in range(60):
            recorder.record(a_rescue())
        recorder.close()
    assert len(rows(path, "rescues")) <= 200


def test_flushing_nothing_is_done_at_once(make_recorder: MakeRecorder) -> None:
    """With nothing recorded there is nothing to wait for, before and after closing."""
    recorder = make_recorder(interval=60.0)
    assert recorder.flush(timeout=0.0)
    recorder.close()
    assert recorder.flush(timeout=0.0)


def test_closing_writes_and_then_drops(make_recorder: MakeRecorder, path: Path) -> None:
    """What was recorded before closing is written; what comes later is counted as dropped."""
    recorder = make_recorder(interval=60.0)
    recorder.record(a_rescue("before"))
    recorder.close()
    recorder.record(a_rescue("after"))
    recorder.close()
    assert rows(path, "rescues", "kind") == [("before",)]
    assert recorder.dropped == 1


def test_closing_on_a_failing_database_is_bounded(make_recorder: MakeRecorder, path: Path) -> None:
    """Closing tries once, gives up, and counts what is lost."""
    recorder = make_recorder(interval=60.0)
    recorder.record(a_rescue())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        recorder.close()
    assert recorder.dropped == 1
    assert rows(path, "rescues") == []


def test_a_thread_that_cannot_start_delays_writing_to_the_close(
    make_recorder: MakeRecorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the interpreter's end no thread starts any more; the record is still written."""
    recorder = make_recorder()

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    recorder.record(a_rescue())
    recorder.close()
    assert len(rows(path, "rescues")) == 1


def test_closing_in_the_writer_itself_does_not_wait(make_recorder: MakeRecorder, path: Path) -> None:
    """Garbage collection may close a store in any thread, this one included; it must not wait for itself."""
    recorder = make_recorder()
    encode_and_insert = recorder._insert

    def insert(*arguments: Any) -> None:
        recorder.close()
        encode_and_insert(*arguments)

    recorder._insert = insert  # type: ignore[assignment, method-assign]
    recorder.record(a_rescue())
    thread = recorder._thread
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    assert len(rows(path, "rescues")) == 1


def test_closing_does_not_wait_for_a_hanging_database(path: Path) -> None:
    """After the bound closing gives up waiting; the thread ends when the database lets it."""
    database = Database(Address.parse(path), lock_timeout=30.0)
    recorder = Recorder(database, interval=0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        recorder.record(a_rescue())
        thread = recorder._thread
        assert thread is not None
        recorder.close(timeout=0.01)
        assert thread.is_alive()
        other.execute("ROLLBACK")
    thread.join(10)
    database.close()
    assert len(rows(path, "rescues")) == 1
    assert recorder.dropped == 0
