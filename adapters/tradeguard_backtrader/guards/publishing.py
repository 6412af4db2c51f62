# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes guarded classes, publishes them, and keeps them from taking a store's place for its own.

A guarded class is made by the metaclass itself, since a mixin in front of a feed would double its lines, and is an
attribute of this module, so that Backtrader's worker processes can unpickle it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import backtrader as bt

__all__ = ["published"]

_REGISTRATIONS = ("DataCls", "BrokerCls")


def published(cls: Any, methods: dict[str, Any]) -> Any:
    """Return a subclass of `cls` with `methods`, that can be pickled and is no store's own class."""
    module = sys.modules[__name__]
    name = f"Guarded{cls.__name__}"
    number = 1
    while hasattr(module, name):
        number += 1
        name = f"Guarded{cls.__name__}{number}"
    origin = {"__module__": __name__, "__qualname__": name, "__doc__": cls.__doc__}
    with _registrations_kept():
        guarded = type(cls)(name, (cls,), {**origin, **methods})
    setattr(module, name, guarded)
    return guarded


@contextlib.contextmanager
def _registrations_kept() -> Iterator[None]:
    """Undo that a subclass of an autoregistering feed or broker becomes its store's own."""
    before = [(store, name, vars(store).get(name)) for store in _stores() for name in _REGISTRATIONS]
    try:
        yield
    finally:
        for store, name, cls in before:
            if vars(store).get(name) is not cls:
                _restore(store, name, cls)


def _restore(store: type, name: str, cls: Any) -> None:
    if cls is None and any(name in vars(base) for base in store.__mro__[1:]):
        delattr(store, name)
    else:
        setattr(store, name, cls)


def _stores() -> Iterator[type]:
    """Yield every class that a feed or a broker may register itself with; Backtrader's live ones are no `bt.Store`."""
    yield from _and_subclasses(bt.Store)
    for root in object.__subclasses__():
        if type(root) is not type and any(name in vars(root) for name in _REGISTRATIONS):
            yield from _and_subclasses(root)


def _and_subclasses(cls: Any) -> Iterator[type]:
    yield cls
    for subclass in type.__subclasses__(cls):
        yield from _and_subclasses(subclass)
