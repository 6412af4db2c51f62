"""The state file of a demo: replaced at each run, but only if a demo had written it."""

from __future__ import annotations

import time
from pathlib import Path

from tradeguard.exceptions import ConfigurationException
from tradeguard.storage import StateStore

__all__ = ["fresh_state"]

_MARK = "tradeguard.demo"


def fresh_state(path: Path) -> StateStore:
    """Return a new, empty state at `path`, in place of the one that an earlier demo left there.

    Raises:
        ConfigurationException: it cannot be written, or something is there that no demo has written. A bot's
            own state holds its open orders, and is not ours to delete.
    """
    if path.exists():
        _check_ours(path)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    store = StateStore(path)
    store.put_value(_MARK, True, time.time())
    return store


def _check_ours(path: Path) -> None:
    if path.is_file() and path.stat().st_size == 0:
        return
    with StateStore(path) as store:
        marked = store.get_value(_MARK) is not None
    if not marked:
        raise _refused(path, "no demo has written it, so it is not replaced; name another file")
    # SQLite removes this file when the last process closes the state.
    if Path(f"{path}-wal").exists():
        raise _refused(path, "it is in use by another process; name another file")


def _refused(path: Path, why: str) -> ConfigurationException:
    return ConfigurationException(f"--state {path}: {why}", component="cli", field="state")
