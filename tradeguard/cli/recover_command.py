"""`tradeguard recover`: what became of the orders that a bot left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from tradeguard.cli.credentials import config_from_environment, config_from_file
from tradeguard.cli.options import DebugOption, console
from tradeguard.cli.state_argument import BotStateArgument, existing_state
from tradeguard.exceptions import ConfigurationException

if TYPE_CHECKING:
    from tradeguard.orders import OrderIntent

__all__ = ["recover"]

UNRESOLVED = 1


def recover(
    state: BotStateArgument,
    exchange: Annotated[str, typer.Option("--exchange", metavar="ID", help="The exchange, by its ccxt id.")],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE.json",
            help="ccxt's configuration, with the keys; else they are read from the environment.",
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Resolve every order that is open in the journal by asking the exchange. Nothing is ever sent again."""
    import ccxt  # noqa: PLC0415 - half a second

    from tradeguard.storage import StateStore  # noqa: PLC0415 - SQLAlchemy is heavy
    from tradeguard_ccxt import GuardConfig, GuardedExchange  # noqa: PLC0415

    if exchange not in ccxt.exchanges:
        raise ConfigurationException(f"--exchange: ccxt knows no exchange {exchange!r}", component="cli")
    with StateStore(existing_state(state)) as store:
        required = getattr(ccxt, exchange)().requiredCredentials
        settings = (
            config_from_environment(exchange, [name for name, needed in required.items() if needed])
            if config is None
            else config_from_file(config)
        )
        guarded: Any = GuardedExchange(exchange, settings, guard=GuardConfig(journal=store))
        before = {i.client_order_id: str(i.status) for i in guarded.order_journal.open_intents()}
        resolved: list[OrderIntent] = guarded.recover_orders()
        left = store.open_orders()
        guarded.close()
    out = console()
    if resolved:
        out.print(_table(resolved, before))
    else:
        out.print(f"No order of this account is open at {exchange}.")
    for (at, account), orders in left.items():
        if not resolved or (at, account) != (exchange, resolved[0].account):
            out.print(
                f"Still open: {orders} at {at}, account {account}; recover them with its keys.",
                soft_wrap=True,
            )
    if any(intent.status.is_open for intent in resolved):
        raise typer.Exit(UNRESOLVED)


def _table(intents: Sequence[OrderIntent], before: Mapping[str, str]) -> Table:
    table = Table(title="Orders recovered", title_justify="left", box=box.SIMPLE_HEAD, show_edge=False)
    for name in ("written down (UTC)", "symbol", "order", "was", "is", "order id", "client order id"):
        table.add_column(name, no_wrap=name != "client order id")
    for intent in intents:
        amount = "by cost" if intent.amount is None else f"{intent.amount:.12g}"
        price = intent.type if intent.price is None else f"{intent.price:.12g}"
        table.add_row(
            f"{intent.created_at:%Y-%m-%d %H:%M:%S}",
            intent.symbol,
            f"{intent.side} {amount} at {price}",
            before.get(intent.client_order_id, "?").lower(),
            str(intent.status).lower(),
            intent.order_id or "",
            intent.client_order_id,
        )
    return table
