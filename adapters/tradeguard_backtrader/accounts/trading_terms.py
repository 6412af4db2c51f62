# SPDX-License-Identifier: GPL-3.0-or-later
"""On what terms swaps are traded: leverage and margin mode, for all of them or by symbol."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tradeguard.exceptions import ConfigurationException

__all__ = ["TradingTerms", "unfit"]

Number = float | Decimal
"""What a number may be; those of numpy, too."""

_MODES = ("cross", "isolated")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingTerms:
    """What the exchange is told before the first order.

    Attributes:
        leverage: a number >= 1, or numbers by symbol; None leaves it as it is at the exchange.
        margin_mode: `cross` or `isolated`, or these by symbol; None leaves it as it is.

    Raises:
        ConfigurationException: a value is out of its bounds.
    """

    leverage: Number | Mapping[str, Number] | None = None
    margin_mode: str | Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        for name, value in _each("leverage", self.leverage):
            # Decimal is no Real, and a number of numpy no int.
            number = isinstance(value, (numbers.Real, Decimal)) and not isinstance(value, bool)
            if not number or not math.isfinite(value) or value < 1:
                raise unfit(f"{name} must be a finite number of at least 1, not {value!r}", "leverage")
        for name, value in _each("margin_mode", self.margin_mode):
            if value not in _MODES:
                raise unfit(f"{name} must be 'cross' or 'isolated', not {value!r}", "margin_mode")

    def leverage_of(self, symbol: str) -> float | None:
        """Return the leverage with which `symbol` is to be traded; None leaves it as it is."""
        told = self.leverage.get(symbol) if isinstance(self.leverage, Mapping) else self.leverage
        return None if told is None else float(told)

    def margin_mode_of(self, symbol: str) -> str | None:
        """Return the margin mode in which `symbol` is to be traded; None leaves it as it is."""
        return self.margin_mode.get(symbol) if isinstance(self.margin_mode, Mapping) else self.margin_mode

    def set_for_all(self) -> list[str]:
        """Return the fields that were set for all swaps together."""
        fields = (("leverage", self.leverage), ("margin_mode", self.margin_mode))
        return [field for field, value in fields if value is not None and not isinstance(value, Mapping)]

    def named(self) -> dict[str, str]:
        """Return the symbols that were named, and in which field."""
        fields = (("leverage", self.leverage), ("margin_mode", self.margin_mode))
        return {symbol: field for field, value in fields if isinstance(value, Mapping) for symbol in value}


def _each(name: str, value: Any) -> list[tuple[str, Any]]:
    """Return the values of a field, each with the name by which an error tells of it."""
    if isinstance(value, Mapping):
        return [(f"GuardedBroker.{name}[{symbol!r}]", each) for symbol, each in value.items()]
    return [] if value is None else [(f"GuardedBroker.{name}", value)]


def unfit(text: str, field: str | None = None) -> ConfigurationException:
    """Return the error that says why the account cannot be traded as it was asked for."""
    return ConfigurationException(text, component="tradeguard_backtrader", field=field)
