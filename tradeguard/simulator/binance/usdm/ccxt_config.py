"""The configuration with which ccxt's own binanceusdm classes talk to the simulated exchange."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tradeguard.simulator.binance import ccxt_config as spot
from tradeguard.simulator.venue import Credentials

__all__ = ["EXCEPTIONS", "ccxt_config"]

EXCEPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "-1008": "OperationFailed",
        "-2018": "InsufficientFunds",
        "-2019": "InsufficientFunds",
        "-2020": "OperationFailed",
        "-2021": "OrderImmediatelyFillable",
        "-2022": "InvalidOrder",
        "-2025": "OperationRejected",
        "-2027": "OperationRejected",
        "-2028": "OperationRejected",
        "-4116": "InvalidOrder",
        "-4120": "InvalidOrder",
        "-4136": "InvalidOrder",
        "-4140": "BadRequest",
        "-4164": "InvalidOrder",
        "-4168": "BadRequest",
        "-5021": "OrderNotFillable",
        "-5022": "OrderNotFillable",
        "-5027": "OperationRejected",
    }
)
"""What ccxt makes of codes that it knows as the futures' by their host name alone, which loopback does not have."""


@dataclass(frozen=True, slots=True)
class _Exception:
    """Makes an exception of ccxt's by its name: it is ccxt that asks for it, so there it is."""

    name: str

    def __call__(self, message: str) -> BaseException:
        error: BaseException = getattr(sys.modules["ccxt.base.errors"], self.name)(message)
        return error


def ccxt_config(url: str, credentials: Credentials, time_ms: Callable[[], int] | None) -> dict[str, Any]:
    """Return a fresh configuration, for ccxt's `binanceusdm` and for its `binance`.

    Args:
        url: of the exchange, without a slash at its end.
        credentials: whose orders they will be.
        time_ms: ccxt's clock; None leaves it the machine's.
    """
    config = spot.ccxt_config(url, credentials, time_ms)
    config["options"] = {
        **config["options"],
        "fetchMarkets": {"types": ["linear"]},
        "defaultType": "swap",
        "defaultSubType": "linear",
    }
    config["exceptions"] = {"exact": {code: _Exception(name) for code, name in EXCEPTIONS.items()}}
    return config
