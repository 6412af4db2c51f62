"""What a synchronous ccxt exchange does on its way to the wire, guarded."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tradeguard_ccxt.choke_point import guarded_request, rest
from tradeguard_ccxt.flavours import run_now
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.placing import recover_orders
from tradeguard_ccxt.request import REQUEST

if TYPE_CHECKING:
    from tradeguard.orders import OrderIntent

__all__ = ["SyncMixin"]


class SyncMixin:
    """Stands in front of a synchronous ccxt class."""

    _guard_throttle: threading.Lock

    # What the ccxt class behind it gives.
    if TYPE_CHECKING:
        lastRestRequestTimestamp: int  # noqa: N815 - ccxt's name
        milliseconds: Callable[[], int]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._guard_throttle = threading.Lock()
        super().__init__(*args, **kwargs)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._guard_throttle = threading.Lock()
        super().__setstate__(state)  # type: ignore[misc]

    def fetch2(
        self, path: str, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
    ) -> Any:
        """Make one REST request: guarded, and retried where it is a read."""
        arguments = (path, api, method, {} if params is None else params, {} if config is None else config)
        send = functools.partial(super().fetch2, *arguments)  # type: ignore[misc]
        return run_now(guarded_request(self, path, api, method, send))

    def fetch(self, url: str, *args: Any, **kwargs: Any) -> Any:
        """Hand a signed request to the transport."""
        request = REQUEST.get()
        if request is not None:
            parts_of(self).guard.sending(request, url)
        return super().fetch(url, *args, **kwargs)  # type: ignore[misc]

    def throttle(self, cost: Any = None) -> None:
        """Wait for the rate limit; ccxt's own reckoning is not safe for threads."""
        with self._guard_throttle:
            # Where the clock was set back, the last request would lie in the future and be waited for.
            self.lastRestRequestTimestamp = min(self.lastRestRequestTimestamp, self.milliseconds())
            super().throttle(cost)  # type: ignore[misc]
            self.lastRestRequestTimestamp = self.milliseconds()
        request = REQUEST.get()
        if request is not None:  # a ban may have come while it was waiting
            run_now(rest(self, request))

    def recover_orders(self) -> list[OrderIntent]:
        """Resolve every open intent of this account by looking it up; never sends anything.

        It also runs by itself before the first order of an instance.

        Returns:
            The intents as they stand now; one that is still UNKNOWN could neither be found nor proved absent.
        """
        return run_now(recover_orders(self))

    def close(self, *args: Any, **kwargs: Any) -> Any:
        """Close the connections, and the state file where this instance opened it."""
        if "_guard_parts" in self.__dict__:
            parts = parts_of(self)
            parts.flavour.stop()
            parts.desk.state.close()
        return super().close(*args, **kwargs)  # type: ignore[misc]
