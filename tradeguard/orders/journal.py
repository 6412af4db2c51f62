"""The journal: where intents are durable. This is the seam; `tradeguard.storage` fills it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from tradeguard.orders.intent import IntentStatus, OrderIntent

__all__ = ["OrderJournal"]


@runtime_checkable
class OrderJournal(Protocol):
    """Order intents of one account at one exchange, durable when a call returns.

    How an order ended (any status but SENT) may be durable a little later, if it can be looked up again.

    Safe for several threads and several processes at once.
    """

    def add(self, intent: OrderIntent) -> None:
        """Write a new intent.

        Raises:
            DuplicateIntentError: the client order id is in the journal already.
            JournalError: it could not be made durable; nothing may be sent.
        """
        ...

    def update(self, intent: OrderIntent, *, expected: OrderIntent | None = None) -> None:
        """Write the intent's present state over its former one.

        Args:
            intent: what to write.
            expected: where given, write only if the stored status and attempts are still those of `expected`.

        Raises:
            JournalConflictError: another process has changed the intent meanwhile.
            JournalError: it could not be made durable.
        """
        ...

    def get(self, client_order_id: str) -> OrderIntent | None:
        """Return the intent with this client order id, or None."""
        ...

    def intents(self, status: IntentStatus | str | None = None) -> Sequence[OrderIntent]:
        """Return the intents, oldest first, all or those of one status."""
        ...

    def open_intents(self) -> Sequence[OrderIntent]:
        """Return the intents that are PENDING, SENT or UNKNOWN, oldest first."""
        ...
