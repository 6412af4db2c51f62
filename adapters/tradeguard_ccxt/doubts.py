"""Resolving orders in doubt in the background, so that a restriction lifts without a further order."""

from __future__ import annotations

import weakref
from typing import Any

from tradeguard.error_monitor import ErrorSeverity
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.placing import OrderPlacer

__all__ = ["resolve_in_background"]


def resolve_in_background(exchange: Any) -> None:
    """Look orders in doubt up again and again, at growing intervals, until none is left or the instance is gone.

    An exchange with a clock of its own is left alone: nobody but its owner knows how that clock moves.
    """
    guard, _, flavour = parts_of(exchange)
    interval = guard.config.resolve_interval
    if interval <= 0 or guard.config.clock is not None:
        return
    alive = weakref.ref(exchange)

    async def look_again() -> bool:
        instance = alive()
        return instance is None or await _resolve(instance)

    flavour.repeat(interval, look_again)


async def _resolve(exchange: Any) -> bool:
    """Look up what is in doubt; returns whether nothing is left."""
    guard, desk, flavour = parts_of(exchange)
    try:
        await OrderPlacer(exchange, guard, desk, flavour).recover(desk.in_doubt())
        desk.release_all()
        return not desk.in_doubt()
    except Exception as error:  # noqa: BLE001 - the next round is the remedy; the monitor has it
        guard.monitor.record_error(error, ErrorSeverity.WARNING, guard.component("orders"))
        return False
