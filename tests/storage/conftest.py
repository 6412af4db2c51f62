"""Each test of a state runs on SQLite and, where a server can be started, on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tradeguard.orders import IntentStatus, OrderIntent
from tradeguard.storage import SqlJournal, StateStore

MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123457, tzinfo=UTC)
POSTGRES_FOLDERS = ":".join(str(folder) for folder in Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture
def make_intent() -> Callable[..., OrderIntent]:
    """Makes an intent with every field set; keywords change it."""

    def make(client_order_id: str = "tg-1", **changes: Any) -> OrderIntent:
        intent = OrderIntent(
            client_order_id=client_order_id,
            symbol="ETH/BTC",
            type="limit",
            side="buy",
            amount=0.1 + 0.2,
            price=0.05213,
            status=IntentStatus.PENDING,
            order_id=None,
            created_at=MOMENT,
            updated_at=MOMENT,
            attempts=0,
            error=None,
            exchange="binance",
            account="ab12",
            operation="create_order",
            params={"timeInForce": "GTC", "nested": {"ids": [1, 2]}},
            accept_until=1_772_366_405.25,
            owner="host:1:2",
        )
        return intent.replace(**changes)

    return make


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address of a state that does not exist yet."""
    if request.param == "sqlite":
        return str(tmp_path / "state.db")
    return request.getfixturevalue("postgres_location")()  # type: ignore[no-any-return]


@pytest.fixture
def store(location: str) -> Iterator[StateStore]:
    with StateStore(location) as store:
        yield store


@pytest.fixture
def journal(store: StateStore) -> SqlJournal:
    return store.journal(exchange="binance", account="ab12")


@pytest.fixture(scope="session")
def postgres_location() -> Iterator[Callable[[], str]]:
    """Makes URLs of empty schemas on a server of our own, which forgets all at the end."""
    psycopg = pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed")
    search = os.pathsep.join([os.environ.get("PATH", ""), POSTGRES_FOLDERS])
    if shutil.which("initdb", path=search) is None:
        pytest.skip("PostgreSQL's server is not on this machine")
    # Not a folder of pytest's: a socket's path is short, and the server refuses to be root.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    options: dict[str, Any] = {"env": {**os.environ, "PATH": search}, "capture_output": True}
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        options |= {"user": "postgres", "group": "postgres", "cwd": folder}

    def run(*command: str) -> None:
        subprocess.run([*command, "-D", f"{folder}/data"], check=True, **options)

    run("initdb", "-A", "trust", "-U", "postgres", "-N")
    settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    run("pg_ctl", "start", "-w", "-l", f"{folder}/log", "-o", settings)
    server_url = f"postgresql://postgres@/postgres?host={folder}"
    names = (f"test_{number}" for number in count())

    def make() -> str:
        name = next(names)
        with psycopg.connect(server_url) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        return f"{server_url}&options={quote(f'-csearch_path={name}')}"

    yield make
    run("pg_ctl", "stop", "-m", "immediate")
    shutil.rmtree(folder, ignore_errors=True)
