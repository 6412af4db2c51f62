"""A state that an older version wrote is brought up to date, and nothing in it is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from tradeguard.analysis import load
from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import IntentStatus
from tradeguard.storage import StateStore, schema

# The tables as schema 1 made them; they never change again.
SCHEMA_1 = """
CREATE TABLE meta (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE intents (
    id {serial} PRIMARY KEY, exchange TEXT NOT NULL, account TEXT NOT NULL, client_order_id TEXT NOT NULL,
    symbol TEXT NOT NULL, type TEXT NOT NULL, side TEXT NOT NULL, amount {double}, price {double},
    status TEXT NOT NULL, order_id TEXT, created_at {double} NOT NULL, updated_at {double} NOT NULL,
    attempts INTEGER NOT NULL, error TEXT, operation TEXT NOT NULL, params TEXT NOT NULL, accept_until {double},
    owner TEXT NOT NULL, archived BOOLEAN NOT NULL,
    CONSTRAINT intents_client_order_id UNIQUE (exchange, account, client_order_id)
);
CREATE INDEX intents_status ON intents (exchange, account, status);
CREATE TABLE errors (
    id {serial} PRIMARY KEY, timestamp {double} NOT NULL, component TEXT NOT NULL, error_type TEXT NOT NULL,
    error_code TEXT, message TEXT NOT NULL, severity TEXT NOT NULL, operation TEXT, rescued BOOLEAN NOT NULL,
    context TEXT NOT NULL
);
CREATE TABLE transitions (
    id {serial} PRIMARY KEY, timestamp {double} NOT NULL, circuit TEXT NOT NULL, old_state TEXT NOT NULL,
    new_state TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE rescues (
    id {serial} PRIMARY KEY, timestamp {double} NOT NULL, component TEXT NOT NULL, kind TEXT NOT NULL,
    operation TEXT, detail TEXT NOT NULL
);
CREATE TABLE known_values (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, at {double} NOT NULL);
INSERT INTO meta VALUES ('application', 'tradeguard'), ('schema_version', '1');
INSERT INTO intents VALUES (
    1, 'binance', 'ab12', 'tg-1', 'ETH/BTC', 'limit', 'buy', 0.3, 0.05, 'SENT', NULL, 1772366400.0, 1772366400.0, 1,
    NULL, 'create_order', '{{}}', 1772366405.0, 'host:1', {false}
);
INSERT INTO known_values VALUES ('price', '0.05', 1772366400.0);
"""


def make_old(location: str) -> None:
    if "://" not in location:
        raw = sqlite3.connect(location)
        raw.executescript(SCHEMA_1.format(serial="INTEGER NOT NULL", double="DOUBLE", false="0"))
        raw.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        raw.close()
        return
    import psycopg

    with psycopg.connect(location) as connection:
        connection.execute(SCHEMA_1.format(serial="BIGSERIAL", double="DOUBLE PRECISION", false="false"))


def test_an_old_state_is_brought_up_to_date(location: str) -> None:
    """Its intents are still there, what is new works, and the schema is that of a new state."""
    make_old(location)
    with StateStore(location) as store:
        journal = store.journal("binance", "ab12")
        [left] = journal.open_intents()
        assert (left.client_order_id, left.status, left.accept_until) == (
            "tg-1",
            IntentStatus.SENT,
            1772366405.0,
        )
        assert store.get_value("price") == (0.05, 1772366400.0)
        journal.update(left.replace(status=IntentStatus.PLACED, order_id="7"))
        assert [intent.order_id for intent in journal.intents()] == ["7"]
        with store._database.connect(ConfigurationException, "looking") as connection:
            version = connection.execute(text("SELECT value FROM meta WHERE key = 'schema_version'")).scalar()
            assert version == str(schema.SCHEMA_VERSION)
            found = inspect(connection)
            for name, table in schema.METADATA.tables.items():
                assert [column["name"] for column in found.get_columns(name)] == [
                    column.name for column in table.columns
                ]
                indexes = {
                    index["name"] for index in found.get_indexes(name) if "duplicates_constraint" not in index
                }
                assert indexes == {index.name for index in table.indexes}
    StateStore(location).close()  # and once more, with nothing left to do


def test_an_old_state_is_read_as_it_is(tmp_path: Path) -> None:
    """Reading never changes a state, not even to bring it up to date."""
    path = tmp_path / "state.db"
    make_old(str(path))
    before = path.read_bytes()
    assert list(load(path).intents["client_order_id"]) == ["tg-1"]
    assert path.read_bytes() == before


def test_an_update_that_fails_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done as a whole or not at all."""
    path = tmp_path / "state.db"
    make_old(str(path))
    raw = sqlite3.connect(path)
    raw.execute("CREATE INDEX intents_archived ON errors (id)")  # in the way of the second step
    raw.close()
    with pytest.raises(ConfigurationException, match="intents_archived"):
        StateStore(path)
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall() == [("1",)]
    assert raw.execute("SELECT name FROM sqlite_master WHERE name = 'controls'").fetchall() == []
    raw.close()
