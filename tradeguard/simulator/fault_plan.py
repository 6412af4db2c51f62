"""The fault plan: which fault strikes which request."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TypeVar

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.fault_profiles import chances_of
from tradeguard.simulator.faults import Fault, bounded
from tradeguard.simulator.path import unit
from tradeguard.simulator.stream_faults import StreamFault, stream_chances

__all__ = ["AnyFault", "FaultPlan"]

AnyFault = Fault | StreamFault
"""What a plan holds: faults of requests, and faults of sockets and their messages."""

_Kind = TypeVar("_Kind", Fault, StreamFault)


class FaultPlan:
    """Which faults strike: scripted ones first, in their order, then those of a random profile.

    Faults may be added and removed while the exchange runs. Random faults are drawn from the seed, the endpoint
    and the number of the request at that endpoint, so a run can be repeated whatever else happens meanwhile. A
    stream counts its messages as an endpoint its requests, over all sockets.

    Args:
        faults: the script.
        seed: of the random draws; None takes the exchange's.
        chances: random faults, each with its probability a request or message, 0 to 1; of those that fit it at
            most one strikes.
    """

    def __init__(
        self,
        faults: Iterable[AnyFault] = (),
        seed: int | None = None,
        chances: Sequence[tuple[float, AnyFault]] = (),
    ) -> None:
        self._lock = threading.Lock()
        self._script = [_Scripted(_checked(fault)) for fault in faults]
        self._chances = tuple(
            (bounded("chance", chance, 0.0, 1.0), _checked(fault)) for chance, fault in chances
        )
        self._seed = seed
        self._seen: defaultdict[str, int] = defaultdict(int)

    @classmethod
    def script(cls, faults: Iterable[AnyFault], seed: int | None = None) -> FaultPlan:
        """Return a plan of scripted faults only."""
        return cls(faults, seed)

    @classmethod
    def profile(cls, name: str, seed: int | None = None) -> FaultPlan:
        """Return a plan of random faults: `calm`, `stormy` or `hostile`; see `tradeguard.simulator.fault_profiles`.

        Raises:
            ConfigurationException: there is no such profile.
        """
        return cls((), seed, [*chances_of(name), *stream_chances(name)])

    @property
    def faults(self) -> tuple[AnyFault, ...]:
        """The scripted faults that may still strike."""
        with self._lock:
            return tuple(scripted.fault for scripted in self._script)

    def add(self, *faults: AnyFault) -> None:
        """Append faults to the script."""
        added = [_Scripted(_checked(fault)) for fault in faults]
        with self._lock:
            self._script.extend(added)

    def remove(self, fault: AnyFault) -> None:
        """Take every fault equal to `fault` out of the script; none is no error."""
        with self._lock:
            self._script = [scripted for scripted in self._script if scripted.fault != fault]

    def clear(self) -> None:
        """Remove all faults, the random ones too."""
        with self._lock:
            self._script.clear()
            self._chances = ()

    def draw(self, group: str, endpoint: str, seed: int = 0) -> Fault | None:
        """Return the fault that strikes the next request of `endpoint`, or None.

        Args:
            group: the endpoint's group.
            endpoint: method and path.
            seed: used where the plan has none of its own.
        """
        return self._drawn(Fault, group, endpoint, seed)

    def draw_stream(self, group: str, name: str, seed: int = 0) -> StreamFault | None:
        """Return the fault that strikes the next message of a stream, or the next handshake, or None.

        Args:
            group: a `StreamGroup`.
            name: of the stream; the path of a handshake.
            seed: used where the plan has none of its own.
        """
        return self._drawn(StreamFault, group, name, seed)

    def _drawn(self, kind: type[_Kind], group: str, endpoint: str, seed: int) -> _Kind | None:
        with self._lock:
            number = self._seen[endpoint]
            self._seen[endpoint] = number + 1
            seed = seed if self._seed is None else self._seed
            for scripted in list(self._script):
                fault = scripted.fault
                if not isinstance(fault, kind) or not fault.is_for(group, endpoint):
                    continue
                if scripted.strikes(f"{seed}/{endpoint}/{number}"):
                    if scripted.left == 0:
                        self._script.remove(scripted)
                    return fault
            draw = unit(f"{seed}/{endpoint}/{number}/random") if self._chances else 1.0
            for chance, fault in self._chances:
                if isinstance(fault, kind) and fault.is_for(group, endpoint):
                    if draw < chance:
                        return fault
                    draw -= chance
            return None


class _Scripted:
    """A fault and how often it may still strike."""

    def __init__(self, fault: AnyFault) -> None:
        self.fault = fault
        self.left = fault.times
        self._to_skip = fault.skip

    def strikes(self, key: str) -> bool:
        if self._to_skip > 0:
            self._to_skip -= 1
            return False
        if self.fault.rate < 1.0 and unit(f"{key}/{self.fault.kind}") >= self.fault.rate:
            return False
        if self.left is not None:
            self.left -= 1
        return True


def _checked(fault: object) -> AnyFault:
    if not isinstance(fault, AnyFault):
        names = ", ".join(field.name for field in fields(Fault))
        message = f"faults: {fault!r} is no Fault({names})"
        raise ConfigurationException(message, component="simulator")
    return fault
