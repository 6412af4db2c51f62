"""What a demo does: one plan for the guarded run and for the plain one beside it."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradeguard.cli.demo.outcome import Account
from tradeguard.cli.market import market_for
from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator import FaultPlan, SimulatedExchange
from tradeguard.simulator.symbols import split_symbol

__all__ = ["CANDLE_SECONDS", "FAST", "HISTORY", "SLOW", "TIMEFRAME", "VISIBILITY_LAG", "DemoPlan"]

TIMEFRAME = "1s"
CANDLE_SECONDS = 1.0
HISTORY = 60
VISIBILITY_LAG = 0.2
"""Seconds for which an accepted order stays invisible to look-ups, as happens on every large exchange."""

# Averages this short cross every third bar: a minute then sees some twenty orders, where a sensible strategy
# would place one.
FAST, SLOW = 2, 3

# The last bars need an open market for their orders, and the first seconds pass before the first live bar.
_SPARE_CANDLES = 30
_LONGEST_BARS = 3600
_LONGEST_OUTAGE = 600.0
_STAKE_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoPlan:
    """One demo.

    Attributes:
        data: CSV file of recorded candles, each of which lasts a second; None for a synthetic market.
        symbol: what is traded.
        faults: the fault profile.
        seed: fixes the market and the faults.
        bars: live bars to trade, 1 to 3600.
        outage: seconds (0 to 600) of a full outage in mid-run; None or 0 for none.

    Raises:
        ConfigurationException: a value is out of its bounds.
    """

    data: Path | None = None
    symbol: str = "ETH/BTC"
    faults: str = "hostile"
    seed: int = 1
    bars: int = 75
    outage: float | None = None

    def __post_init__(self) -> None:
        split_symbol(self.symbol)
        if not 1 <= self.bars <= _LONGEST_BARS:
            raise _refused("bars", self.bars, f"between 1 and {_LONGEST_BARS}")
        if self.seed < 0:
            raise _refused("seed", self.seed, "0 or more")
        if self.outage is not None and not (
            math.isfinite(self.outage) and 0 <= self.outage <= _LONGEST_OUTAGE
        ):
            raise _refused("outage", self.outage, f"between 0 and {_LONGEST_OUTAGE:g} seconds")

    @property
    def base(self) -> str:
        """The asset that is traded."""
        return split_symbol(self.symbol)[0]

    @property
    def quote(self) -> str:
        """The asset that prices are in."""
        return split_symbol(self.symbol)[1]

    @property
    def outage_after(self) -> float:
        """Seconds from the first live bar to the outage, which lies in mid-run."""
        return max(1.0, (self.bars - (self.outage or 0.0)) / 2) * CANDLE_SECONDS

    def exchange(self) -> SimulatedExchange:
        """Return the exchange of one run, not yet started; equal plans make equal exchanges.

        Raises:
            ConfigurationException: the recording cannot be used.
        """
        market = market_for(
            self.data,
            self.symbol,
            timeframe=TIMEFRAME,
            history=HISTORY,
            least_history=SLOW + 2,
            live=self.bars + _SPARE_CANDLES + math.ceil(self.outage or 0.0),
        )
        return SimulatedExchange(
            market,
            FaultPlan.profile(self.faults, self.seed),
            self.seed,
            visibility_lag=VISIBILITY_LAG,
        )

    def stake(self, exchange: SimulatedExchange) -> float:
        """Return the size of each order: a round amount of about a hundredth of the cash."""
        cash = exchange.balances()[self.quote].free
        amount = _STAKE_SHARE * float(cash / exchange.last_price(self.symbol))
        return float(f"{amount:.0e}")

    def account(self, exchange: SimulatedExchange) -> Account:
        """Return the account of a run that is about to begin."""
        return Account(base=self.base, quote=self.quote, held=exchange.balances()[self.base].total)

    def to_json(self) -> str:
        """Return the plan as text for another process."""
        fields: dict[str, Any] = dataclasses.asdict(self)
        return json.dumps(fields | {"data": None if self.data is None else str(self.data)})

    @classmethod
    def from_json(cls, text: str) -> DemoPlan:
        """Return the plan that `to_json` wrote."""
        fields = json.loads(text)
        data = fields.pop("data")
        return cls(data=None if data is None else Path(data), **fields)


def _refused(name: str, value: object, bound: str) -> ConfigurationException:
    return ConfigurationException(f"--{name} must be {bound}, not {value!r}", component="cli", field=name)
