"""How a state of an older schema becomes one of ours; what is in it stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sqlalchemy import Connection, update

from tradeguard.storage import schema

__all__ = ["migrate"]


def migrate(connection: Connection, version: int) -> None:
    """Take a state from schema `version` to ours, within the transaction that is under way.

    Each step only adds, so that a bot of an older version which has the state open can go on.
    """
    for step in range(version + 1, schema.SCHEMA_VERSION + 1):
        _STEPS[step](connection)
    entry = update(schema.meta).where(schema.meta.c.key == "schema_version")
    connection.execute(entry.values(value=str(schema.SCHEMA_VERSION)))


def _add_controls(connection: Connection) -> None:
    schema.controls.create(connection)
    [index] = (index for index in schema.intents.indexes if index.name == "intents_archived")
    index.create(connection)


_STEPS: Mapping[int, Callable[[Connection], None]] = MappingProxyType({2: _add_controls})
