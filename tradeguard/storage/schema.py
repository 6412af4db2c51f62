"""The tables of a state: one schema for SQLite and PostgreSQL.

Every time is seconds since the Unix epoch as a double, which keeps a microsecond exact beyond the year
2100, sorts and subtracts in plain SQL, and means the same in every database, whatever its time zone.
Mappings are JSON text. Amounts and prices are doubles, exactly as ccxt delivers them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "APPLICATION",
    "APPLICATION_ID",
    "METADATA",
    "SCHEMA_VERSION",
    "controls",
    "errors",
    "intents",
    "known_values",
    "meta",
    "rescues",
    "transitions",
]

APPLICATION = "tradeguard"
APPLICATION_ID = 0x54476473
"""`TGds` in ASCII: SQLite's `PRAGMA application_id`, by which `file(1)` and we know the file as ours."""
SCHEMA_VERSION = 2
"""2 added `controls`, and the index by which old intents are found."""

METADATA = MetaData()

# SQLite only counts a key up by itself where its type is spelled INTEGER.
_Serial = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

intents = Table(
    "intents",
    METADATA,
    Column("id", _Serial, primary_key=True),
    Column("exchange", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("client_order_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("amount", Double),
    Column("price", Double),
    Column("status", Text, nullable=False),
    Column("order_id", Text),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("operation", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("accept_until", Double),
    Column("owner", Text, nullable=False),
    Column("archived", Boolean, nullable=False),
    UniqueConstraint("exchange", "account", "client_order_id", name="intents_client_order_id"),
    Index("intents_status", "exchange", "account", "status"),
    Index("intents_archived", "exchange", "account", "archived", "id"),
)

controls = Table(
    "controls",
    METADATA,
    Column("exchange", Text, primary_key=True),  # empty for every exchange
    Column("account", Text, primary_key=True),  # empty for every account
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", Double, nullable=False),
)

errors = Table(
    "errors",
    METADATA,
    Column("id", _Serial, primary_key=True),
    Column("timestamp", Double, nullable=False),
    Column("component", Text, nullable=False),
    Column("error_type", Text, nullable=False),
    Column("error_code", Text),
    Column("message", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("operation", Text),
    Column("rescued", Boolean, nullable=False),
    Column("context", Text, nullable=False),
)

transitions = Table(
    "transitions",
    METADATA,
    Column("id", _Serial, primary_key=True),
    Column("timestamp", Double, nullable=False),
    Column("circuit", Text, nullable=False),
    Column("old_state", Text, nullable=False),
    Column("new_state", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

rescues = Table(
    "rescues",
    METADATA,
    Column("id", _Serial, primary_key=True),
    Column("timestamp", Double, nullable=False),
    Column("component", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("operation", Text),
    Column("detail", Text, nullable=False),
)

known_values = Table(
    "known_values",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", Double, nullable=False),
)
