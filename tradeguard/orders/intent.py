"""The intent: what the bot wants of the exchange, written down before the first byte leaves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

__all__ = ["IntentStatus", "OrderIntent"]


class IntentStatus(StrEnum):
    """Where an intent stands.

    PENDING and SENT are in flight, UNKNOWN is in doubt; the other three are final.
    """

    PENDING = "PENDING"  # on disk, and surely not at the exchange
    SENT = "SENT"  # it may be at the exchange
    PLACED = "PLACED"  # the exchange has it, under `order_id`
    REJECTED = "REJECTED"  # the exchange refused it for certain
    ABSENT = "ABSENT"  # proved not to exist, and not sent again
    UNKNOWN = "UNKNOWN"  # it could not be resolved in time: it may exist

    @property
    def is_open(self) -> bool:
        """Whether the intent still has to be resolved."""
        return self in _OPEN


_OPEN = frozenset({IntentStatus.PENDING, IntentStatus.SENT, IntentStatus.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntent:
    """One order that the bot means to place exactly once.

    Attributes:
        client_order_id: the one id under which every send of this intent goes out.
        symbol: unified symbol, such as `ETH/BTC`.
        type: unified order type, such as `limit`.
        side: `buy` or `sell`.
        amount: in base currency; None where the order is sized by cost.
        price: in quote currency per base; None for a market order.
        status: where the intent stands.
        order_id: the exchange's own id, once PLACED.
        created_at: aware UTC, when the intent was written down.
        updated_at: aware UTC, when its status last changed.
        attempts: sends so far.
        error: the last error's text, with secrets masked.
        exchange: ccxt id of the exchange.
        account: fingerprint of the account, never a key.
        operation: the unified method, such as `create_order`.
        params: further parameters of the call, without secrets.
        accept_until: epoch seconds by this machine's clock after which the exchange can no longer accept
            what was sent so far; None where no bound is known.
        owner: the process that is submitting it (`host:pid:start`).
    """

    client_order_id: str
    symbol: str
    type: str
    side: str
    amount: float | None
    price: float | None
    status: IntentStatus
    order_id: str | None = None
    created_at: datetime
    updated_at: datetime
    attempts: int = 0
    error: str | None = None
    exchange: str = ""
    account: str = ""
    operation: str = "create_order"
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    accept_until: float | None = None
    owner: str = ""

    def replace(self, **changes: Any) -> OrderIntent:
        """Return a copy with `changes`; the intent itself never changes."""
        return dataclasses.replace(self, **changes)
