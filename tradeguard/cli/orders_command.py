"""`tradeguard orders`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tradeguard.cli.options import DebugOption, console
from tradeguard.cli.state_argument import StateArgument, state_to_read

__all__ = ["OrderStatus", "orders"]


class OrderStatus(StrEnum):
    """Where an order may stand; the statuses of `tradeguard.orders.IntentStatus`."""

    PENDING = "pending"
    SENT = "sent"
    PLACED = "placed"
    REJECTED = "rejected"
    ABSENT = "absent"
    UNKNOWN = "unknown"


def orders(
    state: StateArgument = None,
    status: Annotated[
        OrderStatus | None, typer.Option("--status", case_sensitive=False, help="Only orders that stand so.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """List the orders that a bot meant to place, and what became of them."""
    from tradeguard.analysis import load  # noqa: PLC0415 - pandas takes half a second to import
    from tradeguard.cli.report_tables import orders_table  # noqa: PLC0415

    frames = load(state_to_read(state))
    out = console()
    out.print(orders_table(frames, None if status is None else status.value, out.width))
