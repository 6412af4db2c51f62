"""Reading from outside: the same for a file and a server, and unable to write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, delete, select

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import OrderIntent
from tradeguard.storage import StateStore, schema
from tradeguard.storage.reading import read_state


def client_order_ids(connection: Connection) -> list[str]:
    return list(connection.scalars(select(schema.intents.c.client_order_id)))


def empty_the_journal(connection: Connection) -> None:
    connection.execute(delete(schema.intents))


def test_an_open_and_a_closed_state_are_read_alike(
    location: str, make_intent: Callable[..., OrderIntent]
) -> None:
    """What is stored is read while the store is open, and after."""
    with StateStore(location) as store:
        store.journal("binance", "ab12").add(make_intent())
        assert read_state(location, client_order_ids) == ["tg-1"]
    assert read_state(location, client_order_ids) == ["tg-1"]


def test_a_reader_cannot_write(location: str, make_intent: Callable[..., OrderIntent]) -> None:
    """The database itself refuses a reader's change, while the store is open and after."""
    with StateStore(location) as store:
        store.journal("binance", "ab12").add(make_intent())
        with pytest.raises(ConfigurationException, match=r"reading failed: .*read-?only"):
            read_state(location, empty_the_journal)
    with pytest.raises(ConfigurationException, match=r"reading failed: .*read-?only"):
        read_state(location, empty_the_journal)
    assert read_state(location, client_order_ids) == ["tg-1"]


def test_an_empty_database_is_refused(postgres_location: Callable[[], str]) -> None:
    """On a server without a state there is nothing to read, and none is made."""
    location = postgres_location()
    for _ in range(2):
        with pytest.raises(ConfigurationException, match="there is no state in it"):
            read_state(location, client_order_ids)
