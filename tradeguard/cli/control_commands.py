"""`tradeguard halt` and `tradeguard resume`: the operator's hand on bots that run elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tradeguard.cli.options import DebugOption, console
from tradeguard.cli.state_argument import BotStateArgument, existing_state

if TYPE_CHECKING:
    from tradeguard.storage import Control

__all__ = ["halt", "resume"]

ExchangeOption = Annotated[
    str | None,
    typer.Option("--exchange", metavar="ID", help="Only at this exchange (ccxt id); else at all of them."),
]


def halt(
    state: BotStateArgument,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Let orders through that can only reduce a position.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What refused orders are told.")
    ] = "halted by the operator",
    exchange: ExchangeOption = None,
    debug: DebugOption = False,
) -> None:
    """Stop new orders of every bot on a state, running ones too, until `resume`. Cancels always pass."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from tradeguard.orders import InterlockState  # noqa: PLC0415 - needed only where something is done
    from tradeguard.storage import Control, StateStore  # noqa: PLC0415 - SQLAlchemy is heavy

    with StateStore(existing_state(state)) as store:
        control = Control(
            exchange=exchange or "",
            state=InterlockState.REDUCE_ONLY if reduce_only else InterlockState.HALTED,
            reason=reason,
            since=datetime.now(UTC),
        )
        store.controls().put(control)
        out = console()
        out.print(_line(control), markup=False, soft_wrap=True)
        out.print(
            f"Bots see it at their next order; `tradeguard resume {state}` lifts it.",
            markup=False,
            soft_wrap=True,
        )


def resume(state: BotStateArgument, exchange: ExchangeOption = None, debug: DebugOption = False) -> None:
    """Lift what `halt`, or a bot's own `interlock.halt()`, restricts on a state."""
    from tradeguard.storage import StateStore  # noqa: PLC0415 - SQLAlchemy is heavy

    out = console()
    with StateStore(existing_state(state)) as store:
        controls = store.controls()
        standing = controls.standing()
        lifted = [c for c in standing if exchange in (None, c.exchange)]
        for control in lifted:
            controls.lift(control.exchange, control.account)
            out.print(f"lifted: {_line(control)}", markup=False, soft_wrap=True)
        for control in standing:
            if control not in lifted and control.exchange in ("", exchange):
                out.print(f"still stands: {_line(control)}", markup=False, soft_wrap=True)
        if not standing:
            out.print("Nothing was restricted by the operator.")


def _line(control: Control) -> str:
    where = control.exchange or "every exchange"
    account = f", account {control.account}" if control.account else ""
    return (
        f"{control.state} at {where}{account} since {control.since:%Y-%m-%d %H:%M:%S} UTC: {control.reason}"
    )
