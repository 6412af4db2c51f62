"""What a send and a look-up can tell us, in words that know no exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["LookUpOutcome", "SendOutcome", "Verdict"]


class Verdict(StrEnum):
    """How one send of an order ended. What is not known for certain is AMBIGUOUS."""

    PLACED = "PLACED"  # an answer with an id, and nothing in it contradicts the intent
    REJECTED = "REJECTED"  # the exchange refused it: it surely does not exist
    NOT_SENT = "NOT_SENT"  # it failed before a byte of the order could arrive
    NOT_NOW = "NOT_NOW"  # refused for the moment: limit, ban, maintenance, clock
    AMBIGUOUS = "AMBIGUOUS"  # everything else: it may exist


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOutcome:
    """One send's verdict with its evidence.

    Attributes:
        verdict: how the send ended.
        order: the exchange's answer, as a unified order, where there is one.
        error: what was raised, if anything.
        retry_after: seconds to wait before a further send, as far as the exchange named them.
        duplicate: the refusal says that this client order id exists already; look before believing it.
        doubtful: the refusal may be of a part of what was sent; look before believing it.
    """

    verdict: Verdict
    order: Mapping[str, Any] | None = None
    error: BaseException | None = None
    retry_after: float | None = None
    duplicate: bool = False
    doubtful: bool = False

    @property
    def order_id(self) -> str | None:
        """The exchange's id in the answer, or None."""
        return _order_id(self.order)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUpOutcome:
    """What one round of look-ups found.

    Attributes:
        order: the order that matches the intent, or None.
        absent: every look-up of the round answered, the authoritative one included, and none knows the order.
            Never true when anything failed: a failed look-up proves nothing.
        other: an order that has the intent's client id and is not what the intent wants.
        error: the failure, or the contradiction, that kept the round from an answer.
        hopeless: no further round can tell more: there is nothing by which the order could be found.
    """

    order: Mapping[str, Any] | None = None
    absent: bool = False
    other: Mapping[str, Any] | None = None
    error: BaseException | None = None
    hopeless: bool = False

    @property
    def order_id(self) -> str | None:
        """The exchange's id of the order that was found, or None."""
        return _order_id(self.order)


def _order_id(order: Mapping[str, Any] | None) -> str | None:
    identifier = None if order is None else order.get("id")
    return None if identifier is None or identifier == "" else str(identifier)
