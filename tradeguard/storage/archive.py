"""The archive: what keeps the journal small, a little at a time, at the price of no order."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import bindparam, delete, func, select, update

from tradeguard.orders.errors import JournalError
from tradeguard.orders.intent import IntentStatus
from tradeguard.storage.database import Database
from tradeguard.storage.encoding import encode_time
from tradeguard.storage.schema import intents as table

__all__ = ["Archive"]

logger = logging.getLogger(__name__)

_EVERY = 100
"""Orders that end between two rounds."""
_BATCH = 500
"""Orders that one round hides, and deletes, at most: five times what has come, and some 5 ms of the write lock."""

_OPEN = [status.value for status in IntentStatus if status.is_open]
_OF_ACCOUNT = (table.c.exchange == bindparam("of_exchange"), table.c.account == bindparam("of_account"))
_RESOLVED = (*_OF_ACCOUNT, table.c.archived.is_(False), table.c.status.not_in(_OPEN))
_OLD = table.c.updated_at < bindparam("of_before")

# The oldest resolved ones are chosen first, so that a round looks at no more than a batch however long the journal.
_OLDEST = (
    select(table.c.id, table.c.updated_at).where(*_RESOLVED).order_by(table.c.id).limit(_BATCH).subquery()
)
_HIDE_SOME = (
    update(table)
    .where(
        table.c.id.in_(select(_OLDEST.c.id).where(_OLDEST.c.updated_at < bindparam("of_before"))),
        *_RESOLVED,
    )
    .values(archived=True)
)
_HIDE_ALL = update(table).where(*_RESOLVED, _OLD).values(archived=True)
# Keys only grow, so the newest rows have the highest; gaps only make the table smaller.
_NEWEST = select(func.max(table.c.id)).scalar_subquery()
_OUTLIVED = (
    select(table.c.id)
    .where(*_OF_ACCOUNT, table.c.archived.is_(True), table.c.id <= _NEWEST - bindparam("keep"))
    .order_by(table.c.id)
    .limit(_BATCH)
    .scalar_subquery()
)
_DELETE_SOME = delete(table).where(
    table.c.id.in_(_OUTLIVED), table.c.archived.is_(True), table.c.status.not_in(_OPEN)
)


class Archive:
    """The resolved intents of one account that are old: hidden from the bot's lists, and deleted beyond a number.

    What is open or in doubt is never hidden and never deleted.

    Args:
        database: where the intents are.
        scope: binds `of_exchange` and `of_account`.
        after: seconds since its last change after which a resolved intent is hidden; None for never.
        keep: intents of the state beyond which hidden ones are deleted, the oldest first.
    """

    def __init__(
        self, database: Database, scope: dict[str, str], *, after: float | None, keep: int = 1_000_000
    ) -> None:
        self._database = database
        self._scope = scope
        self._after = None if after is None else timedelta(seconds=after)
        self._keep = keep
        self._ended = (
            count()
        )  # the first is due at once: a bot that restarts often must not grow its state either

    def ended(self, at: datetime) -> None:
        """Note that an intent has ended `at`, and now and then do a round; a failure is logged and harms no order."""
        if self._after is None or next(self._ended) % _EVERY:
            return
        try:
            self._round(at - self._after)
        except JournalError as error:
            logger.warning("%s", error.message)

    def hide(self, before: datetime) -> int:
        """Hide all that are resolved and last changed before this moment; returns how many.

        Raises:
            JournalError: the change could not be written.
        """
        with self._database.connect(JournalError, "archiving orders") as connection:
            return connection.execute(_HIDE_ALL, {**self._scope, "of_before": encode_time(before)}).rowcount

    def _round(self, before: datetime) -> None:
        # Without waiting for the disk: a power failure may take it back.
        with self._database.transaction(JournalError, "archiving orders") as connection:
            connection.execute(_HIDE_SOME, {**self._scope, "of_before": encode_time(before)})
            connection.execute(_DELETE_SOME, {**self._scope, "keep": self._keep})
