"""A journal that cannot keep an order stops it: a clear error, and not a byte of it reaches the exchange."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tradeguard.analysis import load
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import JournalError
from tradeguard.simulator import SimulatedExchange
from tradeguard.storage import StateStore


def orders_sent(server: SimulatedExchange) -> int:
    return server.requests.count("POST", "/api/v3/order")


def buy(exchange: Any) -> Any:
    return exchange.create_order("ETH/BTC", "limit", "buy", 1, 0.03)


def sql(path: Path, statements: str) -> None:
    raw = sqlite3.connect(path)
    raw.executescript(statements)
    raw.close()


def overwrite_journal(path: Path) -> None:
    raw = sqlite3.connect(path)
    (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'intents'").fetchone()
    raw.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xa5" * 4096)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "garbage": (lambda path: path.write_bytes(os.urandom(8192)), "it is not an SQLite file"),
    "cut short": (lambda path: os.truncate(path, 3 * 4096), "damaged"),
    "a damaged page": (overwrite_journal, "the file is damaged"),
    "another schema": (
        lambda path: sql(path, "UPDATE meta SET value = '99' WHERE key = 'schema_version'"),
        "a newer TradeGuard wrote it",
    ),
    "another application's": (
        lambda path: sql(path, "PRAGMA application_id = 77"),
        "it is an SQLite file of another application",
    ),
    "a lost table": (lambda path: sql(path, "DROP TABLE intents"), "no such table: intents"),
    "a directory": (lambda path: (path.unlink(), path.mkdir()), "it is a directory"),
}


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of a bot that names none."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    path = tmp_path / "tradeguard" / "state.db"
    StateStore(path).close()
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="where a user's state lives differs by system")
@pytest.mark.parametrize(("harm", "reason"), DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("named", [True, False], ids=["named", "by default"])
def test_a_state_that_cannot_be_used_stops_trading(
    server: SimulatedExchange,
    guarded: Any,
    own_state: Path,
    harm: Callable[[Path], object],
    reason: str,
    named: bool,
) -> None:
    """A state that the user names is checked when the exchange is made, the user's own at the first order."""
    harm(own_state)
    with pytest.raises(ConfigurationException, match=reason) as refused:
        buy(guarded(journal=own_state if named else None))
    assert str(own_state) in str(refused.value)
    assert orders_sent(server) == 0


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
@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "reason"),
    [(0o555, 0o666, "its folder is not writable"), (0o777, 0o444, "not readable and writable")],
)
def test_a_state_that_cannot_be_written_stops_trading(
    server: SimulatedExchange, guarded: Any, folder_mode: int, file_mode: int, reason: str
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tradeguard-"))  # pytest's own folders are closed to others
    try:
        StateStore(folder / "state.db").close()
        (folder / "state.db").chmod(file_mode)
        folder.chmod(folder_mode)
        with as_nobody(), pytest.raises(ConfigurationException, match=reason):
            buy(guarded(journal=folder / "state.db"))
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert orders_sent(server) == 0


def test_a_state_that_is_taken_away_stops_trading(
    server: SimulatedExchange, guarded: Any, tmp_path: Path
) -> None:
    """Orders written to a deleted file would be forgotten at the next crash; put back, trading goes on."""
    exchange = guarded()
    buy(exchange)
    (tmp_path / "state.db").rename(tmp_path / "away.db")
    with pytest.raises(JournalError, match="its file was moved or deleted while in use"):
        buy(exchange)
    assert orders_sent(server) == 1
    (tmp_path / "away.db").rename(tmp_path / "state.db")
    buy(exchange)
    assert orders_sent(server) == 2


def test_a_state_that_another_process_keeps_locked_stops_the_order(
    server: SimulatedExchange, guarded: Any, tmp_path: Path
) -> None:
    with StateStore(tmp_path / "state.db", lock_timeout=0.1) as store:
        exchange = guarded(journal=store)
        buy(exchange)
        store.flush()
        other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match=r"another process has been writing for more than 0\.1 s"):
            buy(exchange)
        assert orders_sent(server) == 1
        other.close()
        buy(exchange)
        assert orders_sent(server) == 2


FULL_DISK = """
import json, os, resource, signal, sys
from tradeguard.orders import JournalError
from tradeguard_ccxt import GuardConfig, GuardedExchange
config, path = json.loads(sys.argv[1]), sys.argv[2]
bot = GuardedExchange("binance", config, guard=GuardConfig(journal=path))
def buy():
    return bot.create_order("ETH/BTC", "limit", "buy", 1, 0.03)
buy()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path + "-wal") + 20_000, -1))
placed = 1
try:
    for _ in range(50):
        buy()
        placed += 1
except JournalError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
buy()
print(placed + 1)
bot.recover_orders()  # an outcome that could not be written down either is found again
bot.close()
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_full_disk_refuses_the_order_before_it_is_sent(tmp_path: Path) -> None:
    """When there is room again, trading goes on; every order on the book is in the journal."""
    with SimulatedExchange(seed=1) as server:
        command = [
            sys.executable,
            "-c",
            FULL_DISK,
            json.dumps(server.ccxt_config()),
            str(tmp_path / "state.db"),
        ]
        bot = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert bot.returncode == 0, bot.stderr
        message, placed = bot.stdout.splitlines()
        assert "adding order" in message or "updating order" in message
        assert "disk" in message
        assert orders_sent(server) == int(placed) < 40
        stored = load(tmp_path / "state.db").intents
        resolved = stored[stored["status"] == "PLACED"]
        assert set(resolved["client_order_id"]) == {order.client_order_id for order in server.orders()}
