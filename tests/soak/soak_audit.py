"""The verdict of a soak: journal and beliefs, held against the exchange's own book."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from soak_bot import BotPlan, read_beliefs

from tradeguard.orders import OrderIntent
from tradeguard.simulator import Audit
from tradeguard.simulator.orders import OrderRecord

_STATUSES = {"canceled": "CANCELED", "closed": "FILLED"}


@dataclass(slots=True, kw_only=True)
class Findings:
    """What is wrong, by kind, each in a sentence. All empty is what is wanted."""

    duplicated: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def judge(
    audit: Audit, intents: Iterable[OrderIntent], orders: Iterable[OrderRecord], plans: Iterable[BotPlan]
) -> Findings:
    """Compare.

    Args:
        audit: the journal against the book.
        intents: the journal.
        orders: the book.
        plans: of the bots; what they believe is in their files.
    """
    found = Findings(
        duplicated=[f"{name} is on the book once too often" for name in audit.duplicated],
        lost=[f"{name} is on the book, and the journal does not believe it" for name in audit.lost]
        + [f"{name} is PLACED in the journal, and not on the book" for name in audit.phantom],
        unresolved=[f"{name} is not resolved" for name in audit.unknown],
        wrong=[f"{name} is another order in the journal than on the book" for name in audit.mismatched],
    )
    on_book: defaultdict[float, list[OrderRecord]] = defaultdict(list)
    for order in orders:
        on_book[float(order.amount)].append(order)
    journaled = {intent.client_order_id for intent in intents}
    for plan in plans:
        for n, beliefs in _by_order(plan).items():
            _compare(
                f"bot {plan.number}, order {n}", beliefs, on_book.pop(plan.amount(n), []), journaled, found
            )
    for orphans in on_book.values():
        found.lost += [f"{order.client_order_id} is on the book, and no bot meant it" for order in orphans]
    return found


def _by_order(plan: BotPlan) -> Mapping[float, list[dict[str, Any]]]:
    by_order: defaultdict[float, list[dict[str, Any]]] = defaultdict(list)
    for belief in read_beliefs(plan.beliefs):
        by_order[belief["n"]].append(belief)
    return by_order


def _compare(
    name: str,
    beliefs: list[dict[str, Any]],
    on_book: list[OrderRecord],
    journaled: set[str],
    found: Findings,
) -> None:
    """Enter what is wrong with one order that a bot meant, whatever its tries."""
    # Those of one client id are counted already.
    names = list(dict.fromkeys(order.client_order_id for order in on_book))
    found.duplicated += [f"{name}: {more} is on the book beside {names[0]}" for more in names[1:]]
    for belief in beliefs:
        match belief["what"]:
            case "placed":
                at_hand = [order.order_id for order in on_book if order.client_order_id == belief["id"]]
                if belief["order_id"] not in at_hand or belief["id"] not in journaled:
                    found.lost.append(f"{name}: told as placed ({belief}), the book has {on_book}")
            case "refused":
                if on_book:
                    found.lost.append(f"{name}: told as refused ({belief['error']}), the book has {on_book}")
            case "canceled":
                wanted = _STATUSES.get(belief["status"])
                if on_book and on_book[0].status != wanted:
                    found.wrong.append(f"{name}: told as {belief['status']}, the book has {on_book}")
    # What is absent may be placed by the next try, so the last word counts.
    if beliefs[-1]["what"] == "absent" and on_book:
        found.lost.append(f"{name}: told as absent, the book has {on_book}")
