"""A module that has all that a module of ccxt has, with its exchange classes guarded.

What a type checker or an IDE shows of it stands in a stub beside the mirroring module; `make generated` writes it from
the installed ccxt.
"""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable
from typing import Any

from tradeguard_ccxt.classes import mirror_name
from tradeguard_ccxt.exchange import GuardedExchange

__all__ = ["mirror", "public_names"]

_FLAVOURS = frozenset({"async_support", "pro"})  # never ccxt's own: they would come unguarded
_TOLD = frozenset({"__version__"})  # of what else has such a name, a module has its own


def mirror(
    module_name: str, facade: type[GuardedExchange]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a `__getattr__` and a `__dir__` for a module that mirrors a module of ccxt.

    Args:
        module_name: `ccxt`, `ccxt.async_support` or `ccxt.pro`.
        facade: the GuardedExchange for whose ids its classes stand.
    """
    module = importlib.import_module(module_name)
    mirroring = mirror_name(module_name)

    def look_up(name: str) -> Any:
        if name in _FLAVOURS and module_name == "ccxt":
            return importlib.import_module(f"{mirroring}.{name}")
        if (name.startswith("__") and name not in _TOLD) or not hasattr(module, name):
            raise AttributeError(f"module {mirroring!r} has no attribute {name!r}", name=name)
        value = getattr(module, name)
        if isinstance(value, types.ModuleType) and hasattr(value, "exchanges"):
            raise AttributeError(
                f"the exchanges of {value.__name__} are not guarded; import it from ccxt", name=name
            )
        return facade.of(value) if name in module.exchanges else value

    def names() -> list[str]:
        theirs = {name for name in dir(module) if not name.startswith("__") or name in _TOLD}
        return sorted({*vars(importlib.import_module(mirroring)), *theirs})

    return look_up, names


def public_names(module_name: str) -> list[str]:
    """Return what `from <module_name> import *` brings of ccxt, submodules left out."""
    module = importlib.import_module(module_name)
    names = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    return sorted(name for name in names if not isinstance(getattr(module, name), types.ModuleType))
