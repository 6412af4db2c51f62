"""The recorder: takes errors, transitions and rescues to the database, at next to no cost to the trade."""

from __future__ import annotations

import logging
import threading
from collections import deque

from sqlalchemy import Connection

from tradeguard.exceptions import RecoveryException
from tradeguard.storage.database import Database
from tradeguard.storage.forks import follow_forks
from tradeguard.storage.observations import OBSERVATIONS, Record

__all__ = ["Recorder"]

logger = logging.getLogger(__name__)

_BATCH = 500
"""Records a transaction: about 5 ms of SQLite's one write lock, which an order may be waiting for."""
_TRIES = 3
"""Tries for a batch, one an interval; then it is dropped, lest one bad batch hold up all that follow."""


class Recorder:
    """Takes records from any thread at once and writes them in batches from a thread of its own.

    A database that fails is never the caller's problem: what could not be kept is counted in `dropped`.

    Args:
        database: where the records go.
        interval: seconds over which a batch gathers.
        queue_limit: records that may wait; further ones are dropped.
        max_rows: rows kept of each kind; the oldest are deleted.
    """

    def __init__(
        self,
        database: Database,
        *,
        interval: float = 0.5,
        queue_limit: int = 10_000,
        max_rows: int = 1_000_000,
    ) -> None:
        self._database = database
        self._interval = interval
        self._limit = queue_limit
        self._slack = max(1, max_rows // 100)
        self._keep = max_rows - self._slack
        self._closing = False
        self._start_anew()
        follow_forks(in_child=self._start_anew)

    @property
    def dropped(self) -> int:
        """How many records were lost: the queue was full, or the database failed."""
        return self._dropped

    def record(self, record: Record) -> None:
        """Take a record; it is written within about `interval`. Never raises, never waits."""
        queue = self._queue
        if len(queue) >= self._limit:
            self._drop(1, "too many records are waiting")
            return
        queue.append(record)
        if not self._wake.is_set():
            self._call_writer()

    def flush(self, timeout: float = 5.0) -> bool:
        """Write what was recorded so far, and tell whether all of it was written within `timeout` seconds."""
        marker = _Marker()
        if self._closing or (self._thread is None and not self._queue):
            return not self._queue
        self._queue.append(marker)
        self._hurry.set()
        self._call_writer()
        return marker.passed.wait(timeout) and marker.written

    def close(self, timeout: float = 2.0) -> None:
        """Write what is waiting, and wait for that at most `timeout` seconds; later records are dropped."""
        self._closing = True
        self._limit = 0  # from now on the queue is full
        thread = self._thread
        self._hurry.set()
        self._wake.set()
        if thread is threading.current_thread():
            return  # garbage was collected there; it ends by itself
        if thread is not None:
            thread.join(timeout)
        if thread is None or not thread.is_alive():
            self._drain()  # what came while the thread was ending

    def _start_anew(self) -> None:
        """Begin with nothing waiting and no thread; in a forked child both are the parent's."""
        self._queue: deque[Record | _Marker] = deque()
        self._batch: list[Record | _Marker] = []
        self._tries = 0
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._silent = False
        # Due at once: a bot that restarts often must not grow its state either.
        self._unpruned = dict.fromkeys(OBSERVATIONS, self._slack)

    def _call_writer(self) -> None:
        with self._lock:
            self._wake.set()
            if self._thread is None and not self._closing:
                thread = threading.Thread(target=self._run, name="tradeguard-recorder", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return  # the interpreter is ending; `close` will write
                self._thread = thread

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._hurry.wait(self._interval)
            # Cleared before looking, so that a record which is missed below sets it again.
            self._hurry.clear()
            self._wake.clear()
            self._drain()

    def _drain(self) -> None:
        while self._fill_batch():
            written = self._write_batch()
            self._tries += 1
            if not written and self._tries < _TRIES and not self._closing:
                self._wake.set()
                return
            batch, self._batch, self._tries = self._batch, [], 0
            markers = [item for item in batch if isinstance(item, _Marker)]
            if not written:
                self._drop(len(batch) - len(markers), "they could not be written")
            for marker in markers:
                marker.pass_by(written)

    def _fill_batch(self) -> bool:
        while self._queue and len(self._batch) < _BATCH:
            self._batch.append(self._queue.popleft())
        return bool(self._batch)

    def _write_batch(self) -> bool:
        rows: dict[type, list[dict[str, object]]] = {kind: [] for kind in OBSERVATIONS}
        unreadable = 0
        for item in self._batch:
            try:
                if not isinstance(item, _Marker):
                    rows[type(item)].append(OBSERVATIONS[type(item)].encode(item))
            except Exception:  # noqa: BLE001 - a user's own record may hold anything; it is counted below
                unreadable += 1
        try:
            with self._database.transaction(RecoveryException, "recording") as connection:
                for kind, values in rows.items():
                    if values:
                        self._insert(connection, kind, values)
        except RecoveryException as error:
            self._tell(error.message)
            return False
        self._silent = False
        if unreadable:
            self._drop(unreadable, "they are no records")
        return True

    def _insert(self, connection: Connection, kind: type, rows: list[dict[str, object]]) -> None:
        connection.execute(OBSERVATIONS[kind].insertion, rows)
        self._unpruned[kind] += len(rows)
        if self._unpruned[kind] >= self._slack:
            connection.execute(OBSERVATIONS[kind].pruning, {"keep": self._keep})
            self._unpruned[kind] = 0

    def _drop(self, count: int, reason: str) -> None:
        with self._lock:
            self._dropped += count
        self._tell(reason)

    def _tell(self, reason: str) -> None:
        """Log a failure, once until recording works again."""
        if not self._silent:
            self._silent = True
            logger.warning("state %r: records are being lost: %s", self._database.address.label, reason)


class _Marker:
    """Goes through the queue like a record: when it has passed, so has all that came before it."""

    def __init__(self) -> None:
        self.passed = threading.Event()
        self.written = False

    def pass_by(self, written: bool) -> None:
        self.written = written
        self.passed.set()
