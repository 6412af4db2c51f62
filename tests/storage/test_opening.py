"""Opening a state: it is refused in one clear line, and never changed, unless it is ours and whole."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import OrderIntent
from tradeguard.storage import StateStore, schema
from tradeguard.testing import ManualClock

MakeIntent = Callable[..., OrderIntent]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def refusal(path: object, **options: object) -> str:
    """Return the one line with which opening `path` is refused; it names the path."""
    with pytest.raises(ConfigurationException) as caught:
        StateStore(path, **options)  # type: ignore[arg-type]
    line = str(caught.value)
    assert line.count(str(path)) == 1
    assert "\n" not in line
    return line


def test_a_state_is_made_with_its_folders(tmp_path: Path) -> None:
    """What is missing is created, and marked as ours for every tool that looks."""
    path = tmp_path / "a" / "b" / "state.db"
    with StateStore(path) as store:
        assert store.path == path
        assert store.location == str(path)
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert dict(raw.execute("SELECT key, value FROM meta")) == {
        "application": "tradeguard",
        "schema_version": "2",
    }
    raw.close()


def test_an_empty_file_becomes_a_state(path: Path) -> None:
    """A file of no bytes, as a tool for temporary files makes them, is as good as none."""
    path.touch()
    StateStore(path).close()
    assert path.stat().st_size > 0


def test_a_closed_state_is_one_file(path: Path) -> None:
    """After closing, nothing but the file itself is left, ready to be copied."""
    with StateStore(path) as store:
        store.put_value("a", 1, 0.0)
    assert [entry.name for entry in path.parent.iterdir()] == ["state.db"]


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A folder is no state."""
    assert "it is a directory" in refusal(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A file in the way of the folder is named as the reason."""
    (tmp_path / "file").touch()
    assert "its folder cannot be made: File exists" in refusal(tmp_path / "file" / "state.db")
    assert "its folder cannot be made: Not a directory" in refusal(tmp_path / "file" / "deeper" / "state.db")


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder with a state, for someone who is not root; pytest's own folders are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="tradeguard-"))
    StateStore(folder / "state.db").close()
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the rights of root, which pass every check, for the block."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_cannot_be_written_is_refused(shared_folder: Path) -> None:
    """Without the right to write in its folder, a state can be neither made nor used."""
    shared_folder.chmod(0o555)
    with as_nobody():
        assert "its folder is not writable" in refusal(shared_folder / "new.db")
        assert "its folder is not writable" in refusal(shared_folder / "state.db")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_file_that_cannot_be_written_is_refused(shared_folder: Path) -> None:
    """Without the right to write the file itself, a state cannot be used."""
    shared_folder.chmod(0o777)
    (shared_folder / "state.db").chmod(0o444)
    with as_nobody():
        assert "the file is not readable and writable" in refusal(shared_folder / "state.db")


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_file_that_only_sqlite_cannot_write_is_refused(
    shared_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system's own check is too kind, as on read-only mounts, a write at opening tells."""
    shared_folder.chmod(0o777)
    (shared_folder / "state.db").chmod(0o444)
    monkeypatch.setattr(os, "access", lambda *_arguments, **_options: True)
    with as_nobody():
        assert "opening failed: attempt to write a readonly database" in refusal(shared_folder / "state.db")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a file system that takes no files")
def test_a_file_system_that_takes_no_files_is_refused() -> None:
    """What only SQLite finds out is told in its words."""
    assert "opening failed: unable to open database file" in refusal("/proc/state.db")


@pytest.mark.parametrize("content", [b"not a database at all\n" * 100, b"short"])
def test_a_file_of_another_format_is_refused(path: Path, content: bytes) -> None:
    """A file that is not of SQLite is refused and keeps its bytes."""
    path.write_bytes(content)
    assert "it is not an SQLite file" in refusal(path)
    assert path.read_bytes() == content


FOREIGN = {
    "of a declared application": "PRAGMA application_id = 77",
    "with its own tables": "CREATE TABLE customers (id)",
    "with a table called meta": "CREATE TABLE meta (name); INSERT INTO meta VALUES ('x')",
    "with a meta like ours": "CREATE TABLE meta (key, value); INSERT INTO meta VALUES ('application', 'x')",
}


@pytest.mark.parametrize("statements", FOREIGN.values(), ids=FOREIGN)
def test_a_database_of_another_application_is_refused(path: Path, statements: str) -> None:
    """Somebody else's database is refused and keeps its bytes."""
    raw = sqlite3.connect(path)
    raw.executescript(statements)
    raw.close()
    before = path.read_bytes()
    assert "of another application" in refusal(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["state.db"]


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("3", "a newer TradeGuard wrote it (schema 3, known here: 2)"),
        ("0", "its schema version is unreadable: '0'"),
        ("one", "its schema version is unreadable: 'one'"),
    ],
)
def test_another_schema_is_refused(path: Path, version: str, reason: str) -> None:
    """A schema from the future is left to the version that knows it."""
    StateStore(path).close()
    raw = sqlite3.connect(path)
    with raw:
        raw.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,))
    raw.close()
    assert reason in refusal(path)


def fill(path: Path, make_intent: MakeIntent, rows: int = 300) -> None:
    """Make a state in which tables span several pages."""
    StateStore(path).close()
    raw = sqlite3.connect(path)
    with raw:
        raw.executemany(
            "INSERT INTO errors (timestamp, component, error_type, message, severity, rescued, context)"
            " VALUES (?, 'network', 'X', ?, 'ERROR', 0, '{}')",
            [(float(row), "m" * 200) for row in range(rows)],
        )
    raw.close()


def damage(path: Path, table: str) -> None:
    """Overwrite the first page of a table."""
    raw = sqlite3.connect(path)
    (page,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    (size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.parametrize("table", ["intents", "errors", "meta"])
def test_a_damaged_file_is_refused(path: Path, make_intent: MakeIntent, table: str) -> None:
    """Damage in any table is found when the state is opened, not when an order goes out."""
    fill(path, make_intent)
    damage(path, table)
    assert "the file is damaged" in refusal(path)


def test_a_damaged_index_of_the_journal_is_refused(path: Path, make_intent: MakeIntent) -> None:
    """An index that has lost an order in doubt would keep it from ever being resolved."""
    with StateStore(path) as store:
        store.journal("binance", "ab12").add(make_intent())
    raw = sqlite3.connect(path)
    (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'intents_status'").fetchone()
    (size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        page = file.read(size)
        assert page.count(b"PENDING") == 1
        file.seek((root - 1) * size)
        file.write(page.replace(b"PENDING", b"PLACED!"))
    assert "the file is damaged: row 1 missing from index intents_status" in refusal(path)


def test_a_state_without_its_journal_is_refused(path: Path) -> None:
    """A state that lost a table is refused, and not mended by making an empty journal."""
    StateStore(path).close()
    raw = sqlite3.connect(path)
    raw.execute("DROP TABLE intents")
    raw.close()
    assert "opening failed: no such table: intents" in refusal(path)


def test_a_cut_file_is_refused(path: Path, make_intent: MakeIntent) -> None:
    """A file that lost its end is damaged."""
    fill(path, make_intent)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    assert "damaged" in refusal(path)


class RacingClock(ManualClock):
    """Time that flies: a minute passes between any two looks."""

    def monotonic(self) -> float:
        self.advance(60.0)
        return super().monotonic()


def test_the_check_of_a_large_file_is_bounded(path: Path, make_intent: MakeIntent) -> None:
    """When the time is up, what was not reached counts as whole: opening never takes long."""
    fill(path, make_intent, rows=20_000)
    with StateStore(path, clock=RacingClock()) as store:
        assert store.journal("binance", "ab12").intents() == []


def test_a_file_system_without_shared_memory_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite declines the write-ahead log, as on some network drives, the state says so."""
    connect = sqlite3.connect

    def connect_in_dotfile_mode(name: str, **options: object) -> sqlite3.Connection:
        # This way of locking, for drives without better, has no shared memory.
        return connect(f"file:{name}?vfs=unix-dotfile", uri=True, **options)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connect_in_dotfile_mode)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect_in_dotfile_mode)
    assert "its file system cannot hold a write-ahead log" in refusal(path)


def test_a_missing_driver_is_named() -> None:
    """A server whose driver is not installed is refused with the driver's name."""
    assert "no driver for this database" in refusal("postgresql+nosuchdriver://localhost/state")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lock_timeout": 0}, "lock_timeout must be > 0 seconds, got 0"),
        ({"lock_timeout": float("nan")}, "lock_timeout must be > 0"),
        ({"max_records": 0}, "max_records must be >= 1, got 0"),
    ],
)
def test_bad_options_are_refused(path: Path, options: dict[str, object], message: str) -> None:
    """An option out of bounds is named with its bound, before anything is made."""
    with pytest.raises(ConfigurationException, match=message):
        StateStore(path, **options)  # type: ignore[arg-type]
    assert not path.exists()
