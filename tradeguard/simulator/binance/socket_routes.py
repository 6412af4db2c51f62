"""The requests of Binance's WebSocket API: the endpoints of its REST API under other names.

Parameters that a request does not know are not refused here, since ccxt sends some of its own along.

Source: https://developers.binance.com/docs/binance-spot-api-docs/websocket-api
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from tradeguard.simulator.binance import user_streams
from tradeguard.simulator.binance.call import Endpoint
from tradeguard.simulator.faults import EndpointGroup
from tradeguard.simulator.wire import OVER_SOCKET

__all__ = ["SUBSCRIBE_USER", "UNSUBSCRIBE_USER", "socket_endpoints"]

SUBSCRIBE_USER = "userDataStream.subscribe.signature"
UNSUBSCRIBE_USER = "userDataStream.unsubscribe"

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "ping": "GET /api/v3/ping",
        "time": "GET /api/v3/time",
        "exchangeInfo": "GET /api/v3/exchangeInfo",
        "depth": "GET /api/v3/depth",
        "trades.recent": "GET /api/v3/trades",
        "trades.historical": "GET /api/v3/historicalTrades",
        "trades.aggregate": "GET /api/v3/aggTrades",
        "klines": "GET /api/v3/klines",
        "ticker.24hr": "GET /api/v3/ticker/24hr",
        "ticker.price": "GET /api/v3/ticker/price",
        "ticker.book": "GET /api/v3/ticker/bookTicker",
        "order.place": "POST /api/v3/order",
        "order.test": "POST /api/v3/order/test",
        "order.cancelReplace": "POST /api/v3/order/cancelReplace",
        "order.cancel": "DELETE /api/v3/order",
        "openOrders.cancelAll": "DELETE /api/v3/openOrders",
        "order.status": "GET /api/v3/order",
        "openOrders.status": "GET /api/v3/openOrders",
        "allOrders": "GET /api/v3/allOrders",
        "myTrades": "GET /api/v3/myTrades",
        "account.status": "GET /api/v3/account",
        "userDataStream.start": "POST /api/v3/userDataStream",
        "userDataStream.ping": "PUT /api/v3/userDataStream",
        "userDataStream.stop": "DELETE /api/v3/userDataStream",
    }
)


def socket_endpoints(endpoints: Iterable[Endpoint]) -> Iterator[Endpoint]:
    """Yield the endpoints of the WebSocket API, made of those of the REST API."""
    by_name = {endpoint.name: endpoint for endpoint in endpoints}
    for name, origin in _NAMES.items():
        yield replace(by_name[origin], method=OVER_SOCKET, path=name, params=None)
    for name, handler, is_signed in (
        (SUBSCRIBE_USER, user_streams.subscribe, True),
        (UNSUBSCRIBE_USER, user_streams.unsubscribe, False),
    ):
        yield Endpoint(
            method=OVER_SOCKET,
            path=name,
            group=EndpointGroup.ACCOUNT,
            handler=handler,
            params=None,
            weight=2,
            signed=is_signed,
        )
