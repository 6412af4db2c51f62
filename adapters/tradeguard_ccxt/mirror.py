"""A module that has all that a ccxt module has, with its exchange classes guarded."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from tradeguard_ccxt.exchange import GuardedExchange

__all__ = ["mirror"]

_FLAVOURS = frozenset({"async_support", "pro"})  # never ccxt's own: they would come unguarded


def mirror(
    module_name: str, own_names: Iterable[str], facade: type[GuardedExchange] = GuardedExchange
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a `__getattr__` and a `__dir__` for a module that mirrors a module of ccxt.

    Args:
        module_name: `ccxt`, `ccxt.async_support` or `ccxt.pro`.
        own_names: what the mirroring module has of its own.
        facade: the GuardedExchange for whose ids its classes stand.
    """
    module = importlib.import_module(module_name)

    def look_up(name: str) -> Any:
        if name in _FLAVOURS and module_name == "ccxt":
            return importlib.import_module(f"tradeguard_ccxt.{name}")
        value = getattr(module, name)
        return facade.of(value) if name in module.exchanges else value

    def names() -> list[str]:
        return sorted({*own_names, *dir(module)})

    return look_up, names
