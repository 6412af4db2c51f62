"""Last known good values, kept over a restart."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from tradeguard.exceptions import RecoveryException, ValidationException
from tradeguard.storage.database import Database
from tradeguard.storage.schema import known_values as table

__all__ = ["KnownValues"]

_GET = select(table.c.value, table.c.at).where(table.c.key == bindparam("of_key"))


class KnownValues:
    """One JSON value a key, with the time at which it was true.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        # Both dialects spell it alike, and SQLAlchemy has it in neither's common part.
        upsert = postgresql.insert(table) if database.dialect == "postgresql" else sqlite.insert(table)
        self._put = upsert.on_conflict_do_update(
            index_elements=["key"], set_={"value": upsert.excluded.value, "at": upsert.excluded.at}
        )

    def put(self, key: str, value: object, at: float) -> None:
        """Keep `value`, which was true `at` (epoch seconds), in place of the key's former one.

        Raises:
            ValidationException: the value is not JSON.
            RecoveryException: it could not be written.
        """
        try:
            text = json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValidationException(f"value {key!r} is not JSON: {error}", component="storage") from error
        with self._database.transaction(RecoveryException, f"keeping value {key!r}") as connection:
            connection.execute(self._put, {"key": key, "value": text, "at": float(at)})

    def get(self, key: str) -> tuple[Any, float] | None:
        """Return the key's value and its time (epoch seconds), or None.

        Raises:
            RecoveryException: it could not be read.
        """
        with self._database.connect(RecoveryException, f"reading value {key!r}") as connection:
            row = connection.execute(_GET, {"of_key": key}).one_or_none()
            return None if row is None else (json.loads(row.value), row.at)
