"""Exchange facts as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tradeguard_ccxt.facts import ClientId, Expiry, Finding, Guarantee, LookUp

__all__ = ["facts_of_one", "guarantees_table"]

_STYLES = MappingProxyType(
    {Guarantee.EXACTLY_ONCE: "green", Guarantee.AT_MOST_ONCE: "yellow", Guarantee.NOT_GUARDABLE: "red"}
)


def guarantees_table(findings: Iterable[Finding]) -> Table:
    """Return one row for each exchange and kind of market."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in ("exchange", "market", "guarantee"):
        table.add_column(name, no_wrap=True)
    table.add_column("why")
    for each in findings:
        market = "all" if each.kind is None else each.kind.value
        guarantee = Text(each.guarantee.value, style=_STYLES[each.guarantee])
        table.add_row(each.exchange, market, guarantee, each.reason)
    return table


def facts_of_one(finding: Finding) -> RenderableType:
    """Return what is known of one exchange and kind of market, line by line."""
    market = "all markets" if finding.kind is None else finding.kind.value
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for name, value in _lines(finding):
        table.add_row(name, value)
    return Group(Text(), Text(f"{finding.exchange}, {market}", style="bold"), table)


def _lines(finding: Finding) -> Iterator[tuple[str, str]]:
    facts = finding.facts
    yield "client order id", "none that is known" if facts.client_id is None else _client_id(facts.client_id)
    for n, look_up in enumerate(facts.look_ups):
        yield "" if n else "look-ups", _look_up(look_up)
    yield "accepted until", "nobody knows" if facts.expiry is None else _expiry(facts.expiry)
    yield "may stay unseen", f"{facts.visibility_lag:g} s"
    for n, source in enumerate(facts.sources):
        yield "" if n else "sources", source


def _client_id(taken: ClientId) -> str:
    example = taken.form.render("3f2a9c1e5b7d4e8fa0c6d1e2b3a49587")
    return f"{taken.sent_as}, such as {example}; one that was used before is {taken.reuse.value}"


def _look_up(look_up: LookUp) -> str:
    seen = {"OPEN": "open orders", "DONE": "orders that are done", "ALL": "all orders"}[
        str(look_up.sees.name)
    ]
    page = "" if look_up.page is None else f", up to {look_up.page} at once"
    return f"{look_up.method}: {seen}{page}{'' if look_up.authoritative else '; a hint alone'}"


def _expiry(expiry: Expiry) -> str:
    told = f"{expiry.seconds:g} s after signing, by {expiry.carrier.value} ({expiry.name})"
    return f"{told}, and {expiry.slack:g} s on its way to the book"
