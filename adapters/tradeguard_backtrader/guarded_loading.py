# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods of a guarded feed class: a bar that fails is retried, served by a fallback, or never passed over."""

from __future__ import annotations

from typing import Any

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import DataFeedException
from tradeguard_backtrader.guard_layers import Layers
from tradeguard_backtrader.lifecycle import guard_run

__all__ = ["load_methods"]


def load_methods(
    base: Any,
    layers: Layers,
) -> dict[str, Any]:
    """Return the methods to put over those of the feed class `base`; see `guard_feed`."""
    base_load = base._load  # called for every bar

    def setenvironment(self: Any, env: Any) -> None:
        base.setenvironment(self, env)
        guard_run(env)

    def start(self: Any) -> None:
        self._status_before_outage = None
        name = f"{base.__name__}.{self._name or self._dataname}"
        loading = layers.guard(
            f"{name}.load", retry=layers.retry, breaker=layers.breaker, fallback=layers.fallback
        )
        self._guarded_load = loading(base_load)
        try:
            layers.guard(f"{name}.start", retry=layers.retry).call(base.start, self)
        except Exception as error:
            raise _failed(base, "did not start", error) from error

    def _load(self: Any) -> bool | None:
        try:
            loaded: bool | None = self._guarded_load(self)
        except Exception as error:
            if not self.islive() or not any(data is self for data in self._env.datas):
                raise _failed(base, "failed", error) from error
            _outage(self)
            return None
        if self._status_before_outage is not None:
            _recovered(self)
        return loaded

    def portable_state(self: Any) -> Any:
        state = base.__getstate__(self)
        if isinstance(state, dict):
            # Backtrader sends loaded feeds to its worker processes; a circuit and its locks stay here.
            state = {name: value for name, value in state.items() if name != "_guarded_load"}
        return state

    return {"setenvironment": setenvironment, "start": start, "_load": _load, "__getstate__": portable_state}


def _failed(base: Any, what: str, error: Exception) -> DataFeedException:
    return DataFeedException(f"{base.__name__} {what}: {error}", component=base.__name__)


def _outage(feed: Any) -> None:
    """Tell an outage once, and keep the loop from spinning."""
    if feed._status_before_outage is None:
        feed._status_before_outage = feed._laststatus
        feed.put_notification(feed.CONNBROKEN)
    SYSTEM_CLOCK.sleep(feed._qcheck)


def _recovered(feed: Any) -> None:
    """Tell the status that stood before the outage, unless the feed itself has told where it stands."""
    if feed._laststatus == feed.CONNBROKEN:
        feed.put_notification(feed._status_before_outage)
    feed._status_before_outage = None
