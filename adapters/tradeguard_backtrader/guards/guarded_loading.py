# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods of a guarded feed class: a bar that fails is retried, served by a fallback, or never passed over."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tradeguard.callables import adapt
from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import DataFeedException
from tradeguard_backtrader.guards.asking_again import ask_again, is_top_level
from tradeguard_backtrader.guards.fresh_start import start_afresh
from tradeguard_backtrader.guards.guard_layers import Layers, is_outermost, next_layer
from tradeguard_backtrader.guards.guarded_chain import guard_inside, release_inside
from tradeguard_backtrader.guards.liveness import is_live
from tradeguard_backtrader.guards.rewinding import Rewinder
from tradeguard_backtrader.lifecycle import guard_run

__all__ = ["load_methods"]


def load_methods(base: Any, layers: Layers) -> dict[str, Any]:
    """Return what to put over the methods of the feed class `base`; see `guard_feed`."""
    number = next_layer(base)
    attribute = f"_loading_{number}"  # each layer over a class has its own

    def setenvironment(self: Any, env: Any) -> None:
        base.setenvironment(self, env)
        guard_run(env)

    def start(self: Any) -> None:
        name = f"{base.__name__}.{_label(self)}"
        try:
            layers.guard(f"{name}.start", retry=layers.retry).call(start_afresh, self, base.start)
        except Exception as error:
            raise _failed(base, "did not start", error) from error
        vars(self)[attribute] = _Loading(self, base, layers, number, f"{name}.load")

    def preload(self: Any) -> None:
        loading = self.__dict__[attribute]
        loading.is_preloading = True
        try:
            base.preload(self)
        finally:
            loading.is_preloading = False

    def _load(self: Any) -> bool | None:
        loading = self.__dict__[attribute]
        try:
            loaded: bool | None = loading.guarded(self)
        except Exception as error:  # noqa: BLE001 - recorded by the guard; raised again, or told as an outage
            loaded = loading.failed(error)
        else:
            if loading.status_before_outage is not None:
                loading.recovered()
        return loading.nothing_now() if loaded is None else loaded

    def stop(self: Any) -> None:
        release_inside(self)
        base.stop(self)

    def portable_state(self: Any) -> Any:
        state = base.__getstate__(self)
        if isinstance(state, dict):
            # Backtrader sends loaded feeds to its worker processes; a circuit and its locks stay here.
            state = {name: value for name, value in state.items() if name not in (attribute, "_rewinder")}
        return state

    return {
        "_guard_layers": number,
        "setenvironment": setenvironment,
        "start": start,
        "preload": preload,
        "_load": _load,
        "stop": stop,
        "__getstate__": portable_state,
    }


class _NothingServedError(Exception):
    """A fallback has no bar, in a feed that has no "now"; raised from the failure that it was asked to mend."""


class _Loading:
    """One layer of guards over the loading of one feed that has been started.

    Attributes:
        guarded: the base's `_load`, guarded.
        is_preloading: whether Cerebro has all bars loaded before the run.
        status_before_outage: what was told before an outage that lasts; None if none does.
    """

    def __init__(self, feed: Any, base: Any, layers: Layers, layer: int, name: str) -> None:
        self._feed, self._base = feed, base
        self._is_outermost = is_outermost(feed, layer)
        self.is_preloading = False
        self.status_before_outage: int | None = None
        if layer == 1:
            vars(feed)["_rewinder"] = Rewinder(feed)
            guard_inside(feed, feed._rewinder)
        self._rewinder: Rewinder = feed._rewinder  # one for all layers, since each one changes what it reads
        fallback = None if layers.fallback is None else partial(self._serve, layers.fallback)
        guard = layers.guard(name, retry=layers.retry, breaker=layers.breaker, fallback=fallback)
        self.guarded = guard(self._rewinder.around(base._load))

    def failed(self, error: Exception) -> None:
        """Take a final failure: an outage of a live feed.

        Raises:
            DataFeedException: anywhere else.
        """
        cause = error.__cause__ if isinstance(error, _NothingServedError) else error
        if not (self._is_outermost and is_live(self._feed) and is_top_level(self._feed)):
            raise _failed(self._base, "failed", cause) from cause
        self._outage()

    def recovered(self) -> None:
        """Tell the status that stood before the outage, unless the feed itself has told where it stands."""
        feed = self._feed
        if feed._laststatus == feed.CONNBROKEN:
            feed.put_notification(self.status_before_outage)
        self.status_before_outage = None

    def nothing_now(self) -> bool | None:
        """Return None where that is what it says, else what the feed has when it is asked again."""
        if self._is_outermost and (self.is_preloading or not is_top_level(self._feed)):
            return ask_again(self._feed, self._load_again)
        return None

    def _load_again(self, feed: Any) -> bool | None:
        try:
            loaded: bool | None = self.guarded(feed)
        except Exception as error:  # noqa: BLE001 - raised again
            self.failed(error)
            return None
        return loaded

    def _serve(self, fallback: Callable[..., Any], feed: Any) -> bool | None:
        """Ask the fallback; what it stands in for is left out, as far as the failed attempt had taken it."""
        self._rewinder.skip()
        try:
            served: bool | None = adapt(fallback, (feed,), {})()
        except Exception:
            self._rewinder.rewind()
            raise
        if served is None:
            self._rewinder.rewind()
            if not is_live(feed):
                raise _NothingServedError("the fallback has no bar")
        return served

    def _outage(self) -> None:
        """Tell an outage once, and keep the loop from spinning."""
        feed = self._feed
        if self.status_before_outage is None:
            self.status_before_outage = feed._laststatus
            feed.put_notification(feed.CONNBROKEN)
        SYSTEM_CLOCK.sleep(feed._qcheck)


def _failed(base: Any, what: str, error: BaseException | None) -> DataFeedException:
    return DataFeedException(f"{base.__name__} {what}: {error}", component=base.__name__)


def _label(feed: Any) -> str:
    """Return what to call the feed: a frame as a whole is no name."""
    source = feed._dataname
    if feed._name or isinstance(source, str):
        return str(feed._name or source)
    shape = getattr(source, "shape", None)
    return type(source).__name__ if shape is None else f"{type(source).__name__}{list(shape)}"
