"""Reading a state from outside: while a bot writes it, or long after, and never changing it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from tradeguard.exceptions import ConfigurationException
from tradeguard.storage.address import Address, refusal
from tradeguard.storage.database import Database
from tradeguard.storage.opening import check_application

__all__ = ["read_state"]

T = TypeVar("T")

_PLAIN_TRIES = 3


def read_state(path_or_url: str | Path, work: Callable[[Connection], T]) -> T:
    """Return what `work` returns on a connection that sees one moment of the state and cannot write.

    A state that nobody has open is read as a plain file, so that SQLite leaves no log beside it.

    Args:
        path_or_url: as for `StateStore`.
        work: reads; it is called again where a bot started to write meanwhile.

    Raises:
        ConfigurationException: there is no state, or it cannot be read.
    """
    address = Address.parse(path_or_url)
    if address.path is None:
        return _read(address, work)
    _require_file(address, address.path)
    for _ in range(_PLAIN_TRIES):
        if Path(f"{address.path}-wal").exists():
            break
        before = _stamp(address.path)
        try:
            result = _read(_with_mode(address, address.path, immutable="1"), work)
        except ConfigurationException:
            if _stamp(address.path) == before:
                raise
        else:
            if _stamp(address.path) == before:
                return result
        # A bot has written to it meanwhile: what was read may be half old and half new.
    return _read(_with_mode(address, address.path, mode="ro"), work)


def _read(address: Address, work: Callable[[Connection], T]) -> T:
    database = Database(address)
    try:
        with database.connect(ConfigurationException, "reading") as connection:
            if address.path is None:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            else:
                connection.exec_driver_sql("BEGIN")
            if not check_application(connection, address):
                raise refusal(address.label, "there is no state in it")
            return work(connection)
    finally:
        database.close()


def _require_file(address: Address, path: Path) -> None:
    if path.is_dir():
        raise refusal(address.label, "it is a directory")
    if not path.exists():
        raise refusal(address.label, "there is no such file")


def _with_mode(address: Address, path: Path, **mode: str) -> Address:
    return replace(address, url=URL.create("sqlite", database=path.as_uri(), query={**mode, "uri": "true"}))


def _stamp(path: Path) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns
