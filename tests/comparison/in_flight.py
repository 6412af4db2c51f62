"""Calls that are under way until they are told how to end, each in a thread of its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from enum import Enum
from typing import Any, Self

__all__ = ["Call", "InFlight", "Where"]

_LOOK_SECONDS = 0.05
_LOOKS = 5
_PATIENCE_SECONDS = 30.0

Protect = Callable[[Callable[..., Any]], Callable[..., Any]]


class Where(Enum):
    """How far a call has come."""

    STARTING = "not yet in the function that is called"
    INSIDE = "in the function that is called"
    DONE = "returned or raised"


class Call:
    """One call of a protected function.

    Attributes:
        where: how far it has come.
        entered: whether it has been in the function.
        error: what it raised, rejections included.
    """

    def __init__(self, moved: threading.Condition, protect: Protect) -> None:
        self._moved = moved
        self._protected = protect(self._called)
        self._go_on = threading.Event()
        self._ending: Exception | None = None
        self.where = Where.STARTING
        self.entered = False
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def succeed(self) -> None:
        """Let the function return, and wait until the call is done."""
        self.release(None)
        self.thread.join(_PATIENCE_SECONDS)

    def release(self, ending: Exception | None) -> None:
        """Let the function return, or raise `ending`."""
        self._ending = ending
        self._go_on.set()

    def _run(self) -> None:
        try:
            self._protected()
        except BaseException as error:
            self.error = error
        self._move(Where.DONE)

    def _called(self) -> None:
        self.entered = True
        self._move(Where.INSIDE)
        self._go_on.wait(_PATIENCE_SECONDS)
        if self._ending is not None:
            raise self._ending

    def _move(self, where: Where) -> None:
        with self._moved:
            self.where = where
            self._moved.notify_all()


class InFlight:
    """Begins calls; as a context manager it ends those that are left."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._calls: list[Call] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Let every call succeed that is still under way, and wait for all."""
        for call in self._calls:
            call.release(None)
        for call in self._calls:
            call.thread.join(_PATIENCE_SECONDS)

    def begin(self, protect: Protect, count: int = 1, *, fail: bool = False) -> list[Call]:
        """Begin calls; return when each is inside, done, or stands still within the library.

        Args:
            protect: the library's decorator.
            count: how many.
            fail: whether their function raises ConnectionError at once.
        """
        calls = [Call(self._moved, protect) for _ in range(count)]
        self._calls += calls
        if fail:
            for call in calls:
                call.release(ConnectionError("down"))
        for call in calls:
            call.thread.start()
        aim = Where.DONE if fail else Where.INSIDE
        self._settle(calls, aim)
        return calls

    def _settle(self, calls: list[Call], aim: Where) -> None:
        places: dict[Call, object] = {}
        looks = 0
        with self._moved:
            while looks < _LOOKS:
                on_their_way = [call for call in calls if call.where not in (aim, Where.DONE)]
                if not on_their_way:
                    return
                if self._moved.wait(_LOOK_SECONDS):
                    looks = 0
                    continue
                now = {call: _place(call.thread) for call in on_their_way}
                unchanged = now == places and None not in now.values()
                looks, places = (looks + 1 if unchanged else 0), now


def _place(thread: threading.Thread) -> object:
    """Return where in a library's code a thread is, or None if it is in none."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None or frame.f_code.co_filename in (__file__, threading.__file__):
        return None
    return frame.f_code, frame.f_lasti
