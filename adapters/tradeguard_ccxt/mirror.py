"""A module that has all that a ccxt module has, with its exchange classes guarded."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard_ccxt.exchange import GuardedExchange

__all__ = ["mirror"]


def mirror(module_name: str) -> Callable[[str], Any]:
    """Return a module-level `__getattr__` that answers as `module_name` does, with guarded exchange classes."""
    module = importlib.import_module(module_name)

    def look_up(name: str) -> Any:
        value = getattr(module, name)
        if name in ccxt.exchanges:
            return GuardedExchange.of(value)
        return value

    return look_up
