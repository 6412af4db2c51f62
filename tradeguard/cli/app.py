"""The commands and their entry point. Each command is a module; what is heavy it imports when it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from tradeguard.cli import (
    control_commands,
    demo_command,
    exchanges_command,
    orders_command,
    recover_command,
    report_command,
    simulate_command,
)
from tradeguard.cli.boundary import OneLineErrors
from tradeguard.cli.options import DebugOption

__all__ = ["COMMANDS", "app", "main"]

COMMANDS: Mapping[str, Callable[..., None]] = {
    "demo": demo_command.demo,
    "simulate": simulate_command.simulate,
    "report": report_command.report,
    "orders": orders_command.orders,
    "exchanges": exchanges_command.exchanges,
    "halt": control_commands.halt,
    "resume": control_commands.resume,
    "recover": recover_command.recover,
}

app = typer.Typer(
    cls=OneLineErrors,
    name="tradeguard",
    add_completion=False,
    # Frames of a traceback hold keys.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for _name, _function in COMMANDS.items():
    app.command(_name)(_function)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - a fifth of the start-up time, for one option

        typer.echo(f"tradeguard {version('tradeguard')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Make a trading bot survive its exchange."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Run the command line; exits with one of the codes of `tradeguard.cli.boundary`."""
    app()
