"""The table of endpoints: group, parameters, weight and security of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tradeguard.simulator.binance import lookups, market_data, trading, user_streams, wallet
from tradeguard.simulator.binance.call import Endpoint, Handler
from tradeguard.simulator.binance.endpoints import by_symbol, depth_weight, public, signed, table_of
from tradeguard.simulator.binance.exchange_info import exchange_info
from tradeguard.simulator.binance.params import Params
from tradeguard.simulator.binance.socket_routes import socket_endpoints
from tradeguard.simulator.faults import EndpointGroup

__all__ = ["ROUTES"]

_API = "/api/v3"
_ORDER = (
    "symbol side type timeInForce quantity quoteOrderQty price newClientOrderId strategyId strategyType "
    "stopPrice trailingDelta icebergQty newOrderRespType selfTradePreventionMode"
)


def _day_weight(params: Params) -> int:
    names = params.names("symbols")
    if "symbol" in params or (names is not None and len(names) <= 20):
        return 2
    return 80 if names is None or len(names) > 100 else 40


def _trades_weight(params: Params) -> int:
    return 5 if "orderId" in params else 20


def _keyed(method: str, handler: Handler, params: str = "") -> Endpoint:
    return Endpoint(
        method=method,
        path=f"{_API}/userDataStream",
        group=EndpointGroup.ACCOUNT,
        handler=handler,
        params=frozenset(params.split()),
        weight=2,
        keyed=True,
    )


def _table(endpoints: Sequence[Endpoint]) -> Mapping[tuple[str, str], Endpoint]:
    everything = (*endpoints, *socket_endpoints(endpoints))
    return table_of(everything)


ROUTES = _table(
    (
        public(f"{_API}/ping", market_data.ping),
        public(f"{_API}/time", market_data.server_time),
        public(
            f"{_API}/exchangeInfo",
            exchange_info,
            "symbol symbols permissions showPermissionSets symbolStatus",
            20,
        ),
        public(f"{_API}/depth", market_data.depth, "symbol limit symbolStatus", depth_weight),
        public(f"{_API}/trades", market_data.trades, "symbol limit", 25),
        public(f"{_API}/historicalTrades", market_data.trades, "symbol limit fromId", 25),
        public(f"{_API}/aggTrades", market_data.agg_trades, "symbol fromId startTime endTime limit", 4),
        public(f"{_API}/klines", market_data.klines, "symbol interval startTime endTime timeZone limit", 2),
        public(
            f"{_API}/ticker/24hr", market_data.ticker_24hr, "symbol symbols type symbolStatus", _day_weight
        ),
        public(f"{_API}/ticker/price", market_data.price, "symbol symbols symbolStatus", by_symbol(2, 4)),
        public(
            f"{_API}/ticker/bookTicker",
            market_data.book_ticker,
            "symbol symbols symbolStatus",
            by_symbol(2, 4),
        ),
        public("/sapi/v1/system/status", lookups.system_status, group=EndpointGroup.MARKET),
        signed("POST", f"{_API}/order", EndpointGroup.CREATE, trading.create_order, _ORDER),
        signed(
            "POST",
            f"{_API}/order/test",
            EndpointGroup.CREATE,
            trading.test_order,
            f"{_ORDER} computeCommissionRates",
        ),
        signed(
            "POST",
            f"{_API}/order/cancelReplace",
            EndpointGroup.CREATE,
            trading.cancel_replace,
            f"{_ORDER} cancelReplaceMode cancelNewClientOrderId cancelOrigClientOrderId cancelOrderId "
            "cancelRestrictions orderRateLimitExceededMode",
        ),
        signed(
            "DELETE",
            f"{_API}/order",
            EndpointGroup.CANCEL,
            trading.cancel_order,
            "symbol orderId origClientOrderId newClientOrderId cancelRestrictions",
        ),
        signed("DELETE", f"{_API}/openOrders", EndpointGroup.CANCEL, trading.cancel_all, "symbol"),
        signed(
            "GET",
            f"{_API}/order",
            EndpointGroup.LOOKUP,
            lookups.query_order,
            "symbol orderId origClientOrderId",
            4,
        ),
        signed(
            "GET",
            f"{_API}/openOrders",
            EndpointGroup.LOOKUP,
            lookups.open_orders,
            "symbol",
            by_symbol(6, 80),
        ),
        signed(
            "GET",
            f"{_API}/allOrders",
            EndpointGroup.LOOKUP,
            lookups.all_orders,
            "symbol orderId startTime endTime limit",
            20,
        ),
        signed(
            "GET",
            f"{_API}/myTrades",
            EndpointGroup.LOOKUP,
            lookups.my_trades,
            "symbol orderId startTime endTime fromId limit",
            _trades_weight,
        ),
        signed("GET", f"{_API}/account", EndpointGroup.ACCOUNT, lookups.account, "omitZeroBalances", 20),
        signed("GET", "/sapi/v1/asset/tradeFee", EndpointGroup.ACCOUNT, lookups.trade_fee, "symbol"),
        _keyed("POST", user_streams.start),
        _keyed("PUT", user_streams.renew, "listenKey"),
        _keyed("DELETE", user_streams.stop, "listenKey"),
        signed(
            "POST",
            "/sapi/v1/capital/withdraw/apply",
            EndpointGroup.PAYOUT,
            wallet.withdraw,
            "coin withdrawOrderId network address addressTag amount transactionFeeFlag name walletType",
        ),
        signed(
            "POST",
            "/sapi/v1/asset/transfer",
            EndpointGroup.PAYOUT,
            wallet.transfer,
            "type asset amount fromSymbol toSymbol",
        ),
    )
)
"""Every endpoint, by method and path; those of the WebSocket API by `WS` and their name."""
