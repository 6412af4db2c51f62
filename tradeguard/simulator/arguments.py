"""Arguments of an exchange: checking them, with messages that name what is wrong."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.market import Market
from tradeguard.simulator.replay import ReplayMarket
from tradeguard.simulator.symbols import assets_of
from tradeguard.simulator.synthetic import SyntheticMarket

__all__ = [
    "amounts_of",
    "balances_of",
    "check_address",
    "dialect_of",
    "limit_of",
    "markets_of",
    "merged",
    "number_of",
    "plan_of",
    "rate_of",
    "refuse",
    "seed_of",
]

_T = TypeVar("_T")
_USUAL_BALANCES: Mapping[str, Decimal] = MappingProxyType(
    {"BTC": Decimal(10), "ETH": Decimal(100), "USDT": Decimal(100_000)}
)


def markets_of(market: object, timeframe: str, symbol: str) -> list[Market]:
    """Return the markets that were asked for; a path is a recording of `symbol`, None a synthetic one."""
    if market is None:
        return [SyntheticMarket(symbol, timeframe=timeframe)]
    if isinstance(market, str | Path):
        return [ReplayMarket(market, symbol, timeframe=timeframe)]
    markets: list[Any] = list(market) if isinstance(market, Sequence) else [market]
    if not markets or not all(hasattr(one, "listings") for one in markets):
        refuse("market", market, "a market, several, or the path of a CSV file")
    return markets


def plan_of(faults: object) -> FaultPlan:
    """Return the plan that was given, or an empty one."""
    if faults is not None and not isinstance(faults, FaultPlan):
        refuse("faults", faults, "a FaultPlan, such as FaultPlan.profile('hostile')")
    return FaultPlan() if faults is None else faults


def balances_of(given: Mapping[str, Any] | None, markets: Iterable[Market]) -> dict[str, Decimal]:
    """Return the balances of the default account: those given, or usual ones, of every asset that is traded."""
    traded = [asset for market in markets for symbol in market.symbols for asset in assets_of(symbol)]
    if given is None:
        return {asset: _USUAL_BALANCES.get(asset, Decimal(1000)) for asset in traded}
    return {**dict.fromkeys(traded, Decimal(0)), **amounts_of(given)}


def amounts_of(balances: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return balances as exact numbers; none is negative."""
    amounts = {}
    for asset, amount in balances.items():
        try:
            number = Decimal(str(amount))
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or number < 0:
            refuse(f"balances[{asset!r}]", amount, "0 or more")
        amounts[asset] = number
    return amounts


def check_address(host: object, port: object) -> None:
    """Refuse a port that is none, and a host that others could reach."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65_535:
        refuse("port", port, "between 0 and 65535")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        refuse("host", host, "a loopback address such as 127.0.0.1; the exchange is not meant for a network")


def seed_of(value: object) -> int:
    """Return a seed."""
    if isinstance(value, bool) or not isinstance(value, int):
        refuse("seed", value, "a whole number")
    return value


def limit_of(value: object) -> int | None:
    """Return a request limit, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        refuse("request_limit", value, "a whole number of at least 1, or None")
    return value


def rate_of(name: str, value: float) -> Decimal:
    """Return a share between 0 and 1."""
    number_of(name, value, 0.0, 1.0)
    return Decimal(str(value))


def dialect_of(name: object, known: Mapping[str, _T]) -> _T:
    """Return what is known under the name of a dialect."""
    if not isinstance(name, str) or name not in known:
        refuse("dialect", name, "one of " + ", ".join(known))
    return known[name]


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `over` put over `under`; what is a dictionary in both is merged."""
    result = dict(under)
    for key, value in over.items():
        former = result.get(key)
        if isinstance(value, Mapping) and isinstance(former, Mapping):
            result[key] = merged(former, value)
        else:
            result[key] = value
    return result


def number_of(name: str, value: object, low: float, high: float) -> float:
    """Return a number between `low` and `high`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not low <= value <= high
    ):
        refuse(name, value, f"between {low:g} and {high:g}")
    return float(value)


def refuse(name: str, value: object, wanted: str) -> NoReturn:
    """Raise for a bad argument.

    Raises:
        ConfigurationException: always.
    """
    raise ConfigurationException(f"{name}: {value!r} is not {wanted}", component="simulator")
