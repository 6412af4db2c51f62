"""What tables of endpoints are made with: public and signed ones, and their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from tradeguard.simulator.binance.call import Endpoint, Handler
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.faults import EndpointGroup

__all__ = ["by_symbol", "depth_weight", "public", "signed", "table_of"]

_SIGNED = ("recvWindow", "timestamp", "signature")


def public(
    path: str,
    handler: Handler,
    params: str = "",
    weight: int | Callable[[Params], int] = 1,
    group: EndpointGroup = EndpointGroup.MARKET,
) -> Endpoint:
    """Return an endpoint that anybody may read."""
    return Endpoint(
        method="GET", path=path, group=group, handler=handler, params=frozenset(params.split()), weight=weight
    )


def signed(
    method: str,
    path: str,
    group: EndpointGroup,
    handler: Handler,
    params: str = "",
    weight: int | Callable[[Params], int] = 1,
) -> Endpoint:
    """Return an endpoint that needs an account's signature."""
    return Endpoint(
        method=method,
        path=path,
        group=group,
        handler=handler,
        params=frozenset((*params.split(), *_SIGNED)),
        weight=weight,
        signed=True,
    )


def by_symbol(one: int, several: int) -> Callable[[Params], int]:
    """Return a weight that depends on whether a symbol is named."""
    return lambda params: one if "symbol" in params else several


def depth_weight(params: Params) -> int:
    """Return the weight of an order book of so many levels."""
    limit = params.limit(100, 5000)
    return next(weight for most, weight in ((100, 5), (500, 25), (1000, 50), (5000, 250)) if limit <= most)


def table_of(endpoints: Iterable[Endpoint]) -> Mapping[tuple[str, str], Endpoint]:
    """Return the endpoints by method and path."""
    return MappingProxyType({(endpoint.method, endpoint.path): endpoint for endpoint in endpoints})
