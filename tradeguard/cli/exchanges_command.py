"""`tradeguard exchanges`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tradeguard.cli.options import DebugOption, console
from tradeguard.exceptions import ConfigurationException

__all__ = ["GuaranteeName", "exchanges"]


class GuaranteeName(StrEnum):
    """What the guard can promise; the guarantees of `tradeguard_ccxt.facts.Guarantee`."""

    EXACTLY_ONCE = "exactly-once"
    AT_MOST_ONCE = "at-most-once"
    NOT_GUARDABLE = "not-guardable"


def exchanges(
    exchange: Annotated[
        str | None,
        typer.Argument(metavar="[EXCHANGE]", help="Everything that is known of this one, with its sources."),
    ] = None,
    guarantee: Annotated[
        GuaranteeName | None,
        typer.Option(
            "--guarantee", case_sensitive=False, help="Only markets of which so much can be promised."
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Show what can be promised of an order on each exchange, and why."""
    from tradeguard.cli.exchange_tables import facts_of_one, guarantees_table  # noqa: PLC0415 - imports ccxt
    from tradeguard_ccxt.facts import survey  # noqa: PLC0415 - ccxt takes half a second to import

    findings = [each for each in survey() if exchange is None or each.exchange == exchange.lower()]
    if not findings:
        raise ConfigurationException(f"ccxt knows no exchange {exchange!r}", field="exchange", value=exchange)
    if guarantee is not None:
        wanted = guarantee.value.replace("-", " ")
        findings = [each for each in findings if each.guarantee.value == wanted]
    out = console()
    out.print(guarantees_table(findings))
    if exchange is not None:
        for each in findings:
            out.print(facts_of_one(each))
