"""The state that survives the process: one schema, SQLite by default, PostgreSQL for a fleet."""

from tradeguard.storage.journal import SqlJournal
from tradeguard.storage.state_store import StateStore

__all__ = ["SqlJournal", "StateStore"]
