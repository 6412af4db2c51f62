"""The state that survives the process: one schema, SQLite by default, PostgreSQL for a fleet."""

from tradeguard.storage.controls import Control, Controls, JournalOperator
from tradeguard.storage.journal import SqlJournal
from tradeguard.storage.state_store import StateStore

__all__ = ["Control", "Controls", "JournalOperator", "SqlJournal", "StateStore"]
