"""The configuration with which ccxt's own kraken classes talk to the simulated exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradeguard.simulator.venue import Credentials

__all__ = ["ccxt_config"]

# Every section of ccxt's kraken: one that were left out would lead to the real exchange.
_SECTIONS = ("public", "private", "zendesk")
_SOCKETS = {
    "public": "ws",
    "private": "ws-auth",
    "publicV2": "ws/v2",
    "privateV2": "ws-auth/v2",
    "beta": "ws-beta",
    "beta-private": "ws-beta-auth",
}


def ccxt_config(
    url: str,
    credentials: Credentials,
    time_ms: Callable[[], int] | None,
    nonce: Callable[[], int] | None,
) -> dict[str, Any]:
    """Return a fresh configuration.

    Args:
        url: of the exchange, without a slash at its end.
        credentials: whose orders they will be.
        time_ms: ccxt's clock; None leaves it the machine's.
        nonce: where ccxt's nonces come from; None leaves it the clock.
    """
    sockets = url.replace("http", "ws", 1)
    config: dict[str, Any] = {
        "apiKey": credentials.api_key,
        "secret": credentials.secret,
        "enableRateLimit": False,
        "urls": {
            "api": {
                **dict.fromkeys(_SECTIONS, url),
                "ws": {section: f"{sockets}/{path}" for section, path in _SOCKETS.items()},
            }
        },
    }
    if time_ms is not None:
        config["milliseconds"] = time_ms
    if nonce is not None:
        config["nonce"] = nonce
    return config
