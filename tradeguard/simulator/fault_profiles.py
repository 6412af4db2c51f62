"""Random profiles: how often which fault strikes.

Shares of requests, by group of endpoints (the rest goes well):

=======  =======  =================  ======  ======  ======  =======  ======
profile  create   of which accepted  cancel  lookup  market  account  payout
=======  =======  =================  ======  ======  ======  =======  ======
calm       2.1 %              1.2 %   1.4 %   1.2 %   0.9 %    0.9 %   1.4 %
stormy    13.5 %              7.9 %   9.0 %   7.7 %   5.9 %    5.9 %   9.0 %
hostile   30.0 %             17.5 %  20.0 %  17.0 %  13.0 %   13.0 %  20.0 %
=======  =======  =================  ======  ======  ======  =======  ======

"Of which accepted" are orders that are on the book although the client saw a failure, or soon will be. No
profile hangs a request: that would cost the client's timeout in real time; script `HUNG` where you want it.
A profile's rows are multiples of the hostile one's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.faults import EndpointGroup, Fault, FaultKind, Phase

__all__ = ["PROFILES", "chances_of"]

_Rows = Sequence[tuple[float, FaultKind, Phase, Mapping[str, object]]]

_B, _A = Phase.BEFORE, Phase.AFTER
_K = FaultKind

# Shares under `hostile`. What an order meets after it was accepted is what costs money: more than half of it.
_HOSTILE: Mapping[EndpointGroup, _Rows] = MappingProxyType(
    {
        EndpointGroup.CREATE: (
            (0.040, _K.DROPPED, _B, {}),
            (0.035, _K.DROPPED, _A, {}),
            (0.015, _K.DROPPED, _A, {"fills": True}),
            (0.020, _K.SERVER_ERROR, _B, {"status": 503}),
            (0.015, _K.SERVER_ERROR, _B, {"status": 500, "code": -1000}),
            (0.015, _K.SERVER_ERROR, _B, {"status": 502}),
            (0.020, _K.SERVER_ERROR, _A, {"status": 504}),
            (0.020, _K.SERVER_ERROR, _A, {"status": 500, "code": -1007}),
            (0.015, _K.SERVER_ERROR, _A, {"status": 500, "code": -1006}),
            (0.015, _K.TRUNCATED, _A, {}),
            (0.015, _K.EMPTY, _A, {}),
            (0.010, _K.HTML, _B, {}),
            (0.015, _K.HTML, _A, {}),
            (0.005, _K.LATE_ACCEPTANCE, _A, {"delay": 0.5}),
            (0.005, _K.LATE_ACCEPTANCE, _A, {"delay": 0.5, "unchecked": 0.5, "status": 504, "code": -1007}),
            (0.005, _K.LATE_ACCEPTANCE, _A, {"delay": 0.2, "fills": True}),
            (0.010, _K.LATE, _A, {"delay": 0.3}),
            (0.010, _K.CLOCK_SKEW, _B, {"skew": -3.0}),
            (0.015, _K.LIMITED, _B, {"retry_after": 1.0}),
        ),
        EndpointGroup.CANCEL: (
            (0.040, _K.DROPPED, _B, {}),
            (0.050, _K.DROPPED, _A, {}),
            (0.030, _K.SERVER_ERROR, _B, {"status": 503}),
            (0.030, _K.SERVER_ERROR, _A, {"status": 500, "code": -1007}),
            (0.020, _K.EMPTY, _A, {}),
            (0.020, _K.HTML, _B, {}),
            (0.010, _K.LIMITED, _B, {"retry_after": 1.0}),
        ),
        EndpointGroup.LOOKUP: (
            (0.050, _K.DROPPED, _B, {}),
            (0.030, _K.SERVER_ERROR, _B, {"status": 503}),
            (0.020, _K.SERVER_ERROR, _B, {"status": 500, "code": -1001}),
            (0.015, _K.EMPTY, _A, {}),
            (0.015, _K.TRUNCATED, _A, {}),
            (0.010, _K.LATE, _A, {"delay": 0.3}),
            (0.010, _K.LIMITED, _B, {"retry_after": 1.0}),
            (0.010, _K.LOOKUP_LAG, _A, {"delay": 1.0}),
            (0.010, _K.LOOKUP_GAP, _A, {"delay": 1.0}),
        ),
        EndpointGroup.MARKET: (
            (0.040, _K.DROPPED, _B, {}),
            (0.030, _K.SERVER_ERROR, _B, {"status": 502}),
            (0.015, _K.SERVER_ERROR, _B, {"status": 500, "code": -1000}),
            (0.010, _K.HTML, _B, {}),
            (0.010, _K.TRUNCATED, _A, {}),
            (0.010, _K.LATE, _A, {"delay": 0.3}),
            (0.008, _K.MISSING_VALUES, _A, {}),
            (0.007, _K.LIMITED, _B, {"retry_after": 1.0}),
        ),
        EndpointGroup.ACCOUNT: (
            (0.050, _K.DROPPED, _B, {}),
            (0.040, _K.SERVER_ERROR, _B, {"status": 503}),
            (0.020, _K.SERVER_ERROR, _B, {"status": 500, "code": -1000}),
            (0.010, _K.EMPTY, _A, {}),
            (0.010, _K.LIMITED, _B, {"retry_after": 1.0}),
        ),
        EndpointGroup.PAYOUT: (
            (0.040, _K.DROPPED, _B, {}),
            (0.060, _K.DROPPED, _A, {}),
            (0.030, _K.SERVER_ERROR, _B, {"status": 503}),
            (0.050, _K.SERVER_ERROR, _A, {"status": 504}),
            (0.020, _K.EMPTY, _A, {}),
        ),
    }
)

PROFILES: Mapping[str, float] = MappingProxyType({"calm": 0.07, "stormy": 0.45, "hostile": 1.0})
"""Share of the hostile profile's chances, by name."""


def chances_of(name: str) -> list[tuple[float, Fault]]:
    """Return the random faults of a profile, each with its probability a request.

    Raises:
        ConfigurationException: there is no such profile.
    """
    if name not in PROFILES:
        message = f"profile: {name!r} is not one of {', '.join(PROFILES)}"
        raise ConfigurationException(message, component="simulator")
    return [
        (chance * PROFILES[name], Fault(kind, group, phase, times=None, **settings))  # type: ignore[arg-type]
        for group, rows in _HOSTILE.items()
        for chance, kind, phase, settings in rows
    ]
