"""The audit: what a bot believes of its orders, held against the exchange's own book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tradeguard.simulator.orders import OrderRecord

__all__ = ["Audit", "audit_intents"]

_PLACED = "PLACED"
_OPEN = frozenset({"PENDING", "SENT", "UNKNOWN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How a bot's belief and the book compare.

    Attributes:
        intents: how many orders the bot meant to place.
        placed: how many of them it believes to be placed, and are.
        duplicated: client order id of every order beyond the first of one intent.
        lost: client order id of every order on the book that the bot does not believe in: it holds the
            intent for REJECTED or ABSENT, or has none.
        phantom: client order id of every intent that the bot believes to be placed and that is not on the book.
        unknown: client order id of every intent that the bot has not resolved.
        mismatched: client order id of every placed intent whose symbol, side, amount or order id differs from
            the book's.
        balances: by asset where they differ, what the bot believes to have in total and what it has.
        positions: by symbol where they differ, what the bot believes to hold and what it holds.
    """

    intents: int
    placed: int
    duplicated: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    phantom: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    mismatched: tuple[str, ...] = ()
    balances: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    positions: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether belief and book agree in everything."""
        found = (self.duplicated, self.lost, self.phantom, self.unknown, self.mismatched)
        return not any((*found, self.balances, self.positions))


def audit_intents(
    intents: Iterable[Any],
    orders: Iterable[OrderRecord],
    believed: Mapping[str, Any] | None,
    actual: Mapping[str, Decimal],
    believed_held: Mapping[str, Any] | None = None,
    held: Mapping[str, Decimal] | None = None,
) -> Audit:
    """Compare a bot's intents with the book.

    Args:
        intents: objects with `client_order_id`, `status` and `order_id`; `client_order_ids`, all ids that were
            used for one intent, and `symbol`, `side` and `amount` are looked at where they are there. Where
            none of its client order ids is on the book, as when none was sent, its order id finds the order.
        orders: every order that the exchange ever accepted of the account.
        believed: totals by asset as the bot believes them; None leaves them out.
        actual: totals by asset.
        believed_held: positions by symbol as the bot believes them; None leaves them out.
        held: positions by symbol.
    """
    on_book: defaultdict[str, list[OrderRecord]] = defaultdict(list)
    for order in orders:
        on_book[order.client_order_id].append(order)
    findings: defaultdict[str, list[str]] = defaultdict(list)
    intents = list(intents)
    matched = [[order for name in _names(intent) for order in on_book.pop(name, ())] for intent in intents]
    nameless = {order.order_id: order for orders in on_book.values() for order in orders}
    placed = 0
    for intent, found in zip(intents, matched, strict=True):
        number = str(getattr(intent, "order_id", None))
        if not found and number in nameless:
            found.append(nameless.pop(number))
            on_book[found[0].client_order_id].remove(found[0])
        placed += _judge(intent, found, findings)
    for orphans in on_book.values():
        findings["lost"].extend(order.client_order_id for order in orphans)
    return Audit(
        intents=len(intents),
        placed=placed,
        balances=_differences(believed, actual),
        positions=_differences(believed_held, held or {}),
        **{name: tuple(ids) for name, ids in findings.items()},
    )


def _judge(intent: Any, found: list[OrderRecord], findings: defaultdict[str, list[str]]) -> bool:
    """Enter what is wrong with one intent; return whether it is placed, as believed."""
    status, name = str(intent.status).rpartition(".")[2].upper(), str(intent.client_order_id)
    findings["duplicated"].extend(order.client_order_id for order in found[1:])
    if status in _OPEN:
        findings["unknown"].append(name)
    elif status != _PLACED:
        findings["lost"].extend(order.client_order_id for order in found[:1])
    elif not found:
        findings["phantom"].append(name)
    else:
        if _differs(intent, found):
            findings["mismatched"].append(name)
        return True
    return False


def _names(intent: Any) -> list[str]:
    names = [str(intent.client_order_id), *map(str, getattr(intent, "client_order_ids", None) or ())]
    return list(dict.fromkeys(names))


def _differs(intent: Any, found: list[OrderRecord]) -> bool:
    order_id = getattr(intent, "order_id", None)
    order = next((one for one in found if one.order_id == str(order_id)), found[0])
    if order_id is not None and str(order_id) != order.order_id:
        return True
    symbol, side = getattr(intent, "symbol", None), getattr(intent, "side", None)
    if symbol is not None and symbol != order.symbol:
        return True
    if side is not None and str(side).lower() != order.side:
        return True
    amount = getattr(intent, "amount", None)
    is_sized = amount is not None and order.type != "market"
    # A bot's amount may be finer than the step to which ccxt cuts it.
    return is_sized and not Decimal(0) <= Decimal(str(amount)) - order.amount < Decimal("0.0001")


def _differences(
    believed: Mapping[str, Any] | None, actual: Mapping[str, Decimal]
) -> dict[str, tuple[Decimal, Decimal]]:
    pairs = {
        asset: (Decimal(str(amount)), actual.get(asset, Decimal(0)))
        for asset, amount in (believed or {}).items()
    }
    return {asset: pair for asset, pair in pairs.items() if abs(pair[0] - pair[1]) > Decimal("0.00000001")}
