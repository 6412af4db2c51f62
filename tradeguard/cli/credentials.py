"""Keys for a command: from a file or the environment, and never from the command line, which everybody can read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tradeguard.exceptions import ConfigurationException

__all__ = ["config_from_environment", "config_from_file"]


def config_from_file(path: Path) -> dict[str, Any]:
    """Read a configuration as ccxt's classes take it: `{"apiKey": …, "secret": …}`.

    Raises:
        ConfigurationException: it is no JSON object; what is in it is not shown.
        OSError: it cannot be read.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ConfigurationException(f"{path}: it is not JSON", component="cli") from None
    if not isinstance(config, dict):
        raise ConfigurationException(f"{path}: it is not a JSON object", component="cli")
    return config


def config_from_environment(exchange_id: str, credentials: Iterable[str]) -> dict[str, Any]:
    """Read what an exchange asks for from variables named as ccxt's own command line names them.

    `apiKey` of binance is `BINANCE_APIKEY`; see https://github.com/ccxt/ccxt/wiki/CLI.

    Raises:
        ConfigurationException: one is missing; the message names all that are needed.
    """
    names = {name: f"{exchange_id}_{name}".upper() for name in credentials}
    missing = [variable for variable in names.values() if not os.environ.get(variable)]
    if missing:
        needed = ", ".join(names.values())
        message = f"no keys: set {needed} in the environment, or name a file by --config"
        raise ConfigurationException(message, component="cli", missing=missing)
    return {name: os.environ[variable] for name, variable in names.items()}
