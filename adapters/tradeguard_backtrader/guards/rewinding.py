# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a feed reads, kept: a load that failed finds again what the attempt before it had taken.

A line that cannot be parsed then fails again and is told, where it would be passed over otherwise. What can be put
back is the place in a file (`f`), the row of a frame (`_idx`) and the items of an iterator (`_rows`, `biter`): all
that Backtrader's own feeds of files and frames have.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Protocol

__all__ = ["RewindableFile", "RewindableIterator", "Rewinder"]

Load = Callable[[Any], bool | None]


class _Place(Protocol):
    """A place in a source that can be returned to; doing so twice is doing so once."""

    def mark(self) -> None:
        """Have this be the place to return to."""

    def rewind(self) -> None:
        """Return to the mark."""

    def skip(self) -> None:
        """Go to where the last rewind came from, if there was one since the mark."""


class RewindableIterator:
    """Gives the items of `source`, and gives them again after a rewind."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._given: list[Any] = []
        self._again: deque[Any] = deque()
        self._rewound = 0
        self._failure: Exception | None = None

    def mark(self) -> None:
        """Have this be the place to return to."""
        self._given.clear()
        self._rewound = 0

    def rewind(self) -> None:
        """Have everything since the mark given again."""
        if not self._given:
            return  # an inner layer has been here already
        self._rewound = len(self._given)
        self._again.extendleft(reversed(self._given))
        self._given.clear()

    def skip(self) -> None:
        """Take what the last rewind has put back."""
        for _ in range(self._rewound):
            self._given.append(self._again.popleft())
        self._rewound = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = self._again.popleft() if self._again else self._fresh()
        self._given.append(item)
        return item

    def _fresh(self) -> Any:
        try:
            item = next(self._source)
        except StopIteration:
            # A generator that failed is over, and has not come to its end.
            if self._failure is not None:
                raise self._failure from None
            raise
        except Exception as error:
            self._failure = error
            raise
        self._failure = None
        return item

    def __reduce__(self) -> Any:
        return RewindableIterator, (self._source,)


class RewindableFile(RewindableIterator):
    """Reads a file that cannot be asked, or only slowly, where it stands: a text or a stream."""

    def __init__(self, source: Any) -> None:
        super().__init__(source)
        self._readline: Any = getattr(source, "readline", None)  # once a line

    def readline(self, *size: int) -> Any:
        """Return the next line, "" at the end; a line that comes again is the one that was read before."""
        line = self._again.popleft() if self._again else self._readline(*size)
        self._given.append(line)
        return line

    def read(self, *size: int) -> Any:
        """Return the next piece, likewise."""
        piece = self._again.popleft() if self._again else self._source.read(*size)
        self._given.append(piece)
        return piece

    def _fresh(self) -> Any:
        line = self._readline()
        if not line:
            raise StopIteration
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __reduce__(self) -> Any:
        return RewindableFile, (self._source,)


class _Position:
    """The place in a binary file that can be sought."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._mark = file.tell()
        self._left: int | None = None

    def mark(self) -> None:
        self._mark = self._file.tell()
        self._left = None

    def rewind(self) -> None:
        place = self._file.tell()
        if place != self._mark:
            self._left = place
            self._file.seek(self._mark)

    def skip(self) -> None:
        if self._left is not None:
            self._file.seek(self._left)


class _Row:
    """The number of the row at which a feed of a frame stands."""

    def __init__(self, state: dict[str, Any], name: str) -> None:
        self._state, self._name = state, name
        self._mark: int = state[name]
        self._left: int | None = None

    def mark(self) -> None:
        self._mark = self._state[self._name]
        self._left = None

    def rewind(self) -> None:
        row = self._state[self._name]
        if row != self._mark:
            self._left = row
            self._state[self._name] = self._mark

    def skip(self) -> None:
        if self._left is not None:
            self._state[self._name] = self._left


class _Nowhere:
    """Stands in for the place in something that has none."""

    def mark(self) -> None:
        pass

    rewind = skip = mark


class _Source:
    """What a feed holds under one name: a file or an iterator, and perhaps another one later."""

    def __init__(self, state: dict[str, Any], name: str) -> None:
        self._state, self._name = state, name
        self._held: Any = None
        self._place: _Place = _Nowhere()

    def mark(self) -> None:
        if self._state[self._name] is not self._held:
            self._hold(self._state[self._name])
        self._place.mark()

    def rewind(self) -> None:
        self._place.rewind()

    def skip(self) -> None:
        self._place.skip()

    def _hold(self, held: Any) -> None:
        if isinstance(held, (io.BufferedIOBase, io.RawIOBase)) and held.seekable():
            self._place = _Position(held)
        elif hasattr(held, "readline") or hasattr(held, "read"):
            self._place = held = RewindableFile(held)
        elif hasattr(held, "__next__"):
            self._place = held = RewindableIterator(held)
        else:
            self._place = _Nowhere()
        self._state[self._name] = self._held = held


class Rewinder:
    """Has a feed that has been started load from where it stood, after an attempt that failed."""

    def __init__(self, feed: Any) -> None:
        state = vars(feed)
        self._places: list[_Place] = [
            _Source(state, name) for name in ("f", "_rows", "biter") if state.get(name) is not None
        ]
        if type(state.get("_idx")) is int:
            self._places.append(_Row(state, "_idx"))

    def add(self, place: _Place) -> None:
        """Keep another place, too."""
        self._places.append(place)

    def around(self, load: Load) -> Load:
        """Return `load` with whatever it took put back if it raises."""
        marks = [place.mark for place in self._places]
        if not marks:
            return load

        @wraps(load)
        def loading(feed: Any) -> bool | None:
            for mark in marks:
                mark()
            try:
                return load(feed)
            except Exception:
                self.rewind()
                raise

        return loading

    def rewind(self) -> None:
        """Put back what was taken since the last load began."""
        for place in self._places:
            place.rewind()

    def skip(self) -> None:
        """Leave out what was put back: something else stands in for it."""
        for place in self._places:
            place.skip()
