"""The operator's word on an order that nobody else can resolve."""

from __future__ import annotations

from datetime import datetime

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders.intent import IntentStatus, OrderIntent
from tradeguard.orders.journal import OrderJournal

__all__ = ["declare"]


def declare(
    journal: OrderJournal, client_order_id: str, *, order_id: str | None, at: datetime, why: str = ""
) -> OrderIntent:
    """Resolve an UNKNOWN intent by what the operator has seen at the exchange.

    Args:
        journal: where it is.
        client_order_id: which intent.
        order_id: the exchange's id of the order, which is then PLACED; None where it does not exist, and is ABSENT.
        at: the present moment, aware.
        why: how the operator knows.

    Returns:
        The intent as it stands now.

    Raises:
        ConfigurationException: there is no such intent, or it is not UNKNOWN.
        JournalError: it could not be written, or was resolved meanwhile.
    """
    intent = journal.get(client_order_id)
    if intent is None:
        raise ConfigurationException(
            f"client_order_id: there is no order {client_order_id!r} in the journal",
            field="client_order_id",
            value=client_order_id,
        )
    if intent.status is not IntentStatus.UNKNOWN:
        raise ConfigurationException(
            f"client_order_id: order {client_order_id!r} is {intent.status}; only an UNKNOWN one can be declared",
            field="client_order_id",
            value=client_order_id,
        )
    status = IntentStatus.ABSENT if order_id is None else IntentStatus.PLACED
    note = f"declared {status} by the operator" + (f": {why}" if why else "")
    declared = intent.replace(status=status, order_id=order_id, updated_at=at, error=note)
    journal.update(declared, expected=intent)
    return declared
