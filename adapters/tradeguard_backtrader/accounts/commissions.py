# SPDX-License-Identifier: GPL-3.0-or-later
"""How Backtrader counts commission, value and margin of coins and of swaps, which are dealt in fractions of one."""

from __future__ import annotations

from typing import Any

import backtrader as bt

from tradeguard_backtrader.accounts.fills import exact

__all__ = ["coin_scheme", "swap_scheme"]


class _Divisible(bt.CommissionInfo):
    """A scheme by which cash buys a fraction, too: what is below the market's step is cut where it is ordered.

    Params:
        rate: how much of the market's quote currency one of the currency is worth in which cash is told.
    """

    params = (("rate", 1.0),)

    def getsize(self, price: float, cash: float) -> float:
        """Return the size that `cash` affords at `price`; Backtrader's own is a whole number."""
        one = exact(price if self._stocklike else self.get_margin(price))
        return float(exact(self.p.leverage) * exact(cash) * exact(self.p.rate) / one)


def coin_scheme(usual: Any, rate: float) -> Any:
    """Return `usual`, Backtrader's scheme for shares, for coins; one that is somebody's own stays as it is.

    Args:
        usual: the scheme.
        rate: how much of the market's quote currency one of the currency is worth in which cash is told.
    """
    if type(usual) is not bt.CommInfoBase:
        return usual
    # A commission in per cent is a fraction already.
    return _Divisible(**{**dict(usual.p._getkwargs()), "percabs": True, "rate": rate})


def swap_scheme(taker: float, leverage: float, rate: float) -> Any:
    """Return the scheme of a future whose margin is its price through the leverage; sizes are in base currency.

    Args:
        taker: the fee of a market order, as a fraction of its cost.
        leverage: > 0.
        rate: how much of the market's quote currency one of the currency is worth in which cash is told.
    """
    return _Divisible(
        commission=taker,
        commtype=bt.CommInfoBase.COMM_PERC,
        stocklike=False,
        automargin=1 / leverage,
        rate=rate,
    )
