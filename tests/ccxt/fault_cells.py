"""What the fault matrices of orders have in common, whatever the exchange."""

from __future__ import annotations

from typing import Any

from tradeguard.simulator import Fault, SimulatedExchange

LOST: dict[str, dict[str, Any]] = {  # with the request or with its answer: nobody can tell
    "dropped": {"kind": "dropped"},
    "hung": {"kind": "hung"},
    "truncated": {"kind": "truncated"},
    "empty": {"kind": "empty"},
    "html": {"kind": "html"},
}
LOOK_UPS = ("healthy", "failing", "lagging")


def trouble_look_ups(server: SimulatedExchange, look_ups: str, *, lag: float) -> None:
    """Have look-ups fail, or find new orders only after `lag` seconds."""
    if look_ups == "failing":
        server.faults.add(Fault("server_error", status=503, on="lookup", times=None))
    elif look_ups == "lagging":
        server.faults.add(Fault("lookup_lag", delay=lag, on="lookup", times=None))
