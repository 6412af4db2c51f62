"""The table of endpoints: group, weight and security of each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tradeguard.simulator.faults import EndpointGroup
from tradeguard.simulator.kraken import funding, lookups, market_data, trading
from tradeguard.simulator.kraken.call import Endpoint, Handler

__all__ = ["PRIVATE", "PUBLIC", "ROUTES"]

PUBLIC = "/0/public/"
PRIVATE = "/0/private/"


def _public(name: str, handler: Handler) -> Endpoint:
    return Endpoint(path=PUBLIC + name, group=EndpointGroup.MARKET, handler=handler)


def _private(name: str, group: EndpointGroup, handler: Handler, weight: int = 1) -> Endpoint:
    return Endpoint(path=PRIVATE + name, group=group, handler=handler, weight=weight, is_private=True)


_ENDPOINTS = (
    _public("Time", market_data.server_time),
    _public("SystemStatus", market_data.system_status),
    _public("Assets", market_data.assets),
    _public("AssetPairs", market_data.asset_pairs),
    _public("Ticker", market_data.ticker),
    _public("OHLC", market_data.ohlc),
    _public("Depth", market_data.depth),
    _public("Trades", market_data.trades),
    _private("AddOrder", EndpointGroup.CREATE, trading.add_order),
    _private("AddOrderBatch", EndpointGroup.CREATE, trading.add_order_batch),
    _private("AmendOrder", EndpointGroup.CREATE, trading.amend_order),
    _private("CancelOrder", EndpointGroup.CANCEL, trading.cancel_order),
    _private("CancelOrderBatch", EndpointGroup.CANCEL, trading.cancel_order_batch),
    _private("CancelAll", EndpointGroup.CANCEL, trading.cancel_all),
    _private("OpenOrders", EndpointGroup.LOOKUP, lookups.open_orders),
    _private("ClosedOrders", EndpointGroup.LOOKUP, lookups.closed_orders, 2),
    _private("QueryOrders", EndpointGroup.LOOKUP, lookups.query_orders),
    _private("TradesHistory", EndpointGroup.LOOKUP, lookups.trades_history, 2),
    _private("QueryTrades", EndpointGroup.LOOKUP, lookups.query_trades),
    _private("Balance", EndpointGroup.ACCOUNT, lookups.balance),
    _private("BalanceEx", EndpointGroup.ACCOUNT, lookups.balance_ex),
    _private("TradeVolume", EndpointGroup.ACCOUNT, lookups.trade_volume),
    _private("Withdraw", EndpointGroup.PAYOUT, funding.withdraw),
    _private("WalletTransfer", EndpointGroup.PAYOUT, funding.wallet_transfer),
)
ROUTES: Mapping[str, Endpoint] = MappingProxyType({endpoint.path: endpoint for endpoint in _ENDPOINTS})
"""Every endpoint, by path."""
