"""Look-ups: the calls by which an order can be found again, and what each of them sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Flag, StrEnum, auto
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["By", "LookUp", "Sees", "SinceUnit", "covers_everything"]


class By(StrEnum):
    """How a look-up is told which order is meant."""

    CLIENT_ID = "fetch_order_with_client_order_id"
    PARAM = "a param with the client id"
    LIST = "the list is searched"


class Sees(Flag):
    """Which orders a look-up can find; a filled or cancelled one is in no list of open ones."""

    OPEN = auto()
    DONE = auto()
    ALL = OPEN | DONE


class SinceUnit(StrEnum):
    """How a moment is written."""

    MILLISECONDS = "ms"
    SECONDS = "s"
    ISO8601 = "iso8601"


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """One call that can find an order.

    Attributes:
        method: the unified method, in snake_case.
        by: how it is told which order is meant.
        sees: which orders it can find.
        param: the param that carries the client id, for `By.PARAM`.
        since: the exchange's own param from when on orders are wanted, or empty. Given as a param and not as ccxt's
            argument, since ccxt would also drop what is older from the answer, and a full page would no longer show.
        since_unit: how that moment is written.
        page: how many orders one answer holds at most; one that is full proves nothing. None where it holds all.
        limit: how many to ask for, or None for the exchange's default, which `page` then is.
        params: what else is asked.
        authoritative: whether an order that it does not show does not exist among those that it sees. One that is
            not is good for finding an order alone, and may fail without harm.
    """

    method: str
    by: By
    sees: Sees
    param: str = ""
    since: str = ""
    since_unit: SinceUnit = SinceUnit.MILLISECONDS
    page: int | None = None
    limit: int | None = None
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    authoritative: bool = True


def covers_everything(look_ups: tuple[LookUp, ...]) -> bool:
    """Whether an order that none of them shows cannot exist: open and done ones are both seen with authority."""
    seen = Sees(0)
    for look_up in look_ups:
        if look_up.authoritative:
            seen |= look_up.sees
    return seen is Sees.ALL
