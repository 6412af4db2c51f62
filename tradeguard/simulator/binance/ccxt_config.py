"""The configuration with which ccxt's own binance classes talk to the simulated exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from tradeguard.simulator.venue import Credentials

__all__ = ["SECTIONS", "ccxt_config"]

SECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "public": "api/v3",
        "private": "api/v3",
        "v1": "api/v1",
        "sapi": "sapi/v1",
        "sapiV2": "sapi/v2",
        "sapiV3": "sapi/v3",
        "sapiV4": "sapi/v4",
        "dapiPublic": "dapi/v1",
        "dapiPrivate": "dapi/v1",
        "dapiPrivateV2": "dapi/v2",
        "dapiData": "futures/data",
        "eapiPublic": "eapi/v1",
        "eapiPrivate": "eapi/v1",
        "fapiPublic": "fapi/v1",
        "fapiPublicV2": "fapi/v2",
        "fapiPublicV3": "fapi/v3",
        "fapiPrivate": "fapi/v1",
        "fapiPrivateV2": "fapi/v2",
        "fapiPrivateV3": "fapi/v3",
        "fapiData": "futures/data",
        "papi": "papi/v1",
        "papiV2": "papi/v2",
    }
)
"""Every section of ccxt's binance, and its path: one that were left out would lead to the real exchange."""

# Sockets that there are none of: they are refused here, and not opened at the real exchange.
_NO_SOCKETS = ("margin", "linear", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi")


def ccxt_config(url: str, credentials: Credentials, time_ms: Callable[[], int] | None) -> dict[str, Any]:
    """Return a fresh configuration.

    Args:
        url: of the exchange, without a slash at its end.
        credentials: whose orders they will be.
        time_ms: ccxt's clock; None leaves it the machine's.
    """
    sockets = url.replace("http", "ws", 1)
    config: dict[str, Any] = {
        "apiKey": credentials.api_key,
        "secret": credentials.secret,
        "enableRateLimit": False,
        "urls": {
            "api": {
                **{section: f"{url}/{path}" for section, path in SECTIONS.items()},
                "ws": {
                    **{market: f"{sockets}/not-simulated/{market}" for market in _NO_SOCKETS},
                    "spot": f"{sockets}/ws",
                    "ws-api": {
                        "spot": f"{sockets}/ws-api/v3",
                        "linear": f"{sockets}/not-simulated/linear",
                        "inverse": f"{sockets}/not-simulated/inverse",
                    },
                },
            }
        },
        "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False},
    }
    if time_ms is not None:
        config["milliseconds"] = time_ms
    return config
