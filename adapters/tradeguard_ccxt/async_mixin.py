"""What an asynchronous ccxt exchange does on its way to the wire, guarded."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tradeguard_ccxt.choke_point import guarded_request, rest
from tradeguard_ccxt.parts import parts_of
from tradeguard_ccxt.placing import recover_orders
from tradeguard_ccxt.request import REQUEST

if TYPE_CHECKING:
    from tradeguard.orders import OrderIntent

__all__ = ["AsyncMixin"]


class AsyncMixin:
    """Stands in front of an asynchronous ccxt class, one of `ccxt.pro` included."""

    # What the ccxt class behind it gives.
    if TYPE_CHECKING:
        asyncio_loop: Any
        session: Any
        throttler: Any

    async def fetch2(
        self, path: str, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
    ) -> Any:
        """Make one REST request: guarded, and retried where it is a read."""
        arguments = (path, api, method, {} if params is None else params, {} if config is None else config)
        send = functools.partial(super().fetch2, *arguments)  # type: ignore[misc]
        return await guarded_request(self, path, api, method, send)

    async def fetch(self, url: str, *args: Any, **kwargs: Any) -> Any:
        """Hand a signed request to the transport."""
        request = REQUEST.get()
        if request is not None:
            parts_of(self).guard.sending(request, url)
        return await super().fetch(url, *args, **kwargs)  # type: ignore[misc]

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Open the session, on the loop that runs now though the instance was closed on another one."""
        if self.asyncio_loop is not None and self.asyncio_loop.is_closed() and self.session is None:
            self.asyncio_loop = None
            self.throttler.queue.clear()  # those who waited went with their loop
            self.throttler.running = False
        super().open(*args, **kwargs)  # type: ignore[misc]
        _never_resend(self.session)

    def get_socks_proxy_session(self, *args: Any, **kwargs: Any) -> Any:
        """Return the session of a SOCKS proxy."""
        session = super().get_socks_proxy_session(*args, **kwargs)  # type: ignore[misc]
        _never_resend(session)
        return session

    async def throttle(self, cost: Any = None) -> None:
        """Wait for the rate limit."""
        await super().throttle(cost)  # type: ignore[misc]
        request = REQUEST.get()
        if request is not None:  # a ban may have come while it was waiting
            await rest(self, request)

    async def recover_orders(self) -> list[OrderIntent]:
        """Resolve every open intent of this account by looking it up; never sends anything.

        It also runs by itself before the first order of an instance.

        Returns:
            The intents as they stand now; one that is still UNKNOWN could neither be found nor proved absent.
        """
        return await recover_orders(self)

    async def close(self, *args: Any, **kwargs: Any) -> Any:
        """Close the connections, and the state file where this instance opened it."""
        if "_guard_parts" in self.__dict__:
            parts = parts_of(self)
            parts.flavour.stop()
            parts.desk.state.close()
        return await super().close(*args, **kwargs)  # type: ignore[misc]


def _never_resend(session: Any) -> None:
    """Keep aiohttp from sending a GET, PUT or DELETE again on a dropped connection; some are orders."""
    if session is not None:
        session._retry_connection = False  # there is no public switch
