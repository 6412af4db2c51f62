# SPDX-License-Identifier: GPL-3.0-or-later
"""What a backtest sets on Backtrader's own broker, and a real account does not let itself be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["BacktestSettings"]


def _ignored(name: str, why: str) -> Callable[..., None]:
    def setter(self: Any, *arguments: Any, **options: Any) -> None:
        self.store.notify("ignored", f"broker.{name}() is ignored: {why}", setting=name)

    setter.__name__ = name
    setter.__doc__ = f"Tell `notify_store` that this is ignored: {why}."
    return setter


_CASH = "the cash is what the account at the exchange has"
_FILLS = "the exchange fills orders, at its own prices"
_MARGIN = "the exchange decides what an account may do"
_BARS = "orders go to the exchange when they are made, and are filled when it fills them"


class BacktestSettings:
    """The setters of `bt.brokers.BackBroker`: a backtest becomes a live run though they are called."""

    set_cash = setcash = _ignored("set_cash", _CASH)
    add_cash = _ignored("add_cash", _CASH)
    set_fundstartval = _ignored("set_fundstartval", _CASH)
    set_slippage_perc = _ignored("set_slippage_perc", _FILLS)
    set_slippage_fixed = _ignored("set_slippage_fixed", _FILLS)
    set_filler = _ignored("set_filler", _FILLS)
    set_checksubmit = _ignored("set_checksubmit", _MARGIN)
    set_shortcash = _ignored("set_shortcash", _MARGIN)
    set_int2pnl = _ignored("set_int2pnl", _MARGIN)
    set_coc = _ignored("set_coc", _BARS)
    set_coo = _ignored("set_coo", _BARS)
    set_eosbar = seteosbar = _ignored("set_eosbar", _BARS)
