"""Forks: a child that inherits an open SQLite connection can lose data of both processes.

The child's copy of SQLite believes in file locks that belong to the parent alone, so that either may delete
a log that the other still writes (https://www.sqlite.org/howtocorrupt.html, section 2.6). Hence nothing is
open while a process forks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from weakref import WeakMethod

__all__ = ["follow_forks"]


def follow_forks(
    *,
    before: Callable[[], None] | None = None,
    in_parent: Callable[[], None] | None = None,
    in_child: Callable[[], None] | None = None,
) -> None:
    """Call these bound methods around every `os.fork`, for as long as their object lives."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
        os.register_at_fork(
            before=_weakly(before), after_in_parent=_weakly(in_parent), after_in_child=_weakly(in_child)
        )


def _weakly(method: Callable[[], None] | None) -> Callable[[], None]:
    reference = None if method is None else WeakMethod(method)

    def call() -> None:
        alive = None if reference is None else reference()
        if alive is not None:
            alive()

    return call
