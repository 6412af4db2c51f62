"""The futures' table of endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tradeguard.simulator.binance import lookups as spot_lookups
from tradeguard.simulator.binance import market_data as shared
from tradeguard.simulator.binance.call import Endpoint
from tradeguard.simulator.binance.endpoints import by_symbol, depth_weight, public, signed, table_of
from tradeguard.simulator.binance.usdm import (
    account,
    algo_orders,
    configuration,
    lookups,
    market_data,
    trading,
)
from tradeguard.simulator.faults import EndpointGroup

__all__ = ["ROUTES"]

_V1, _V2, _V3 = "/fapi/v1", "/fapi/v2", "/fapi/v3"
_NAMED = "symbol orderId origClientOrderId"
_ALGO = "symbol algoId clientAlgoId"
_PERIOD = "symbol startTime endTime limit"


def _market() -> Iterator[Endpoint]:
    yield public(f"{_V1}/ping", shared.ping)
    yield public(f"{_V1}/time", shared.server_time)
    yield public(f"{_V1}/exchangeInfo", market_data.exchange_info)
    yield public(f"{_V1}/depth", shared.depth, "symbol limit", depth_weight)
    yield public(f"{_V1}/trades", shared.trades, "symbol limit", 5)
    yield public(f"{_V1}/historicalTrades", shared.trades, "symbol limit fromId", 20)
    yield public(f"{_V1}/aggTrades", shared.agg_trades, "symbol fromId startTime endTime limit", 20)
    for name in ("klines", "markPriceKlines"):
        yield public(f"{_V1}/{name}", market_data.klines, "symbol interval startTime endTime limit", 5)
    yield public(f"{_V1}/ticker/24hr", shared.ticker_24hr, "symbol", by_symbol(1, 40))
    for version in (_V1, _V2):
        yield public(f"{version}/ticker/price", shared.price, "symbol", by_symbol(1, 2))
    yield public(f"{_V1}/ticker/bookTicker", shared.book_ticker, "symbol", by_symbol(2, 5))
    yield public(f"{_V1}/premiumIndex", market_data.premium_index, "symbol", by_symbol(1, 10))
    yield public(f"{_V1}/fundingRate", market_data.funding_rates, _PERIOD)
    yield public("/sapi/v1/system/status", spot_lookups.system_status)


def _orders() -> Iterator[Endpoint]:
    create, cancel, group = EndpointGroup.CREATE, EndpointGroup.CANCEL, EndpointGroup.LOOKUP
    yield signed("POST", f"{_V1}/order", create, trading.create_order, trading.ORDER)
    yield signed("POST", f"{_V1}/order/test", create, trading.test_order, trading.ORDER)
    yield signed("POST", f"{_V1}/batchOrders", create, trading.create_several, "batchOrders", 5)
    yield signed("PUT", f"{_V1}/order", create, trading.amend_order, f"{_NAMED} side quantity price")
    yield signed("DELETE", f"{_V1}/order", cancel, trading.cancel_order, _NAMED)
    yield signed("DELETE", f"{_V1}/allOpenOrders", cancel, trading.cancel_all, "symbol")
    yield signed(
        "DELETE",
        f"{_V1}/batchOrders",
        cancel,
        trading.cancel_several,
        "symbol orderIdList orderidlist origClientOrderIdList origclientorderidlist",
    )
    yield signed("GET", f"{_V1}/order", group, lookups.query_order, _NAMED)
    yield signed("GET", f"{_V1}/openOrder", group, lookups.open_order, _NAMED)
    yield signed("GET", f"{_V1}/openOrders", group, lookups.open_orders, "symbol", by_symbol(1, 40))
    yield signed("GET", f"{_V1}/allOrders", group, lookups.all_orders, f"{_PERIOD} orderId", 5)
    yield signed("GET", f"{_V1}/userTrades", group, lookups.my_trades, f"{_PERIOD} orderId fromId", 5)


def _conditional_orders() -> Iterator[Endpoint]:
    cancel, group = EndpointGroup.CANCEL, EndpointGroup.LOOKUP
    yield signed(
        "POST",
        f"{_V1}/algoOrder",
        EndpointGroup.CREATE,
        algo_orders.create_algo,
        algo_orders.ALGO_ORDER,
    )
    yield signed("DELETE", f"{_V1}/algoOrder", cancel, algo_orders.cancel_algo, _ALGO)
    yield signed("DELETE", f"{_V1}/algoOpenOrders", cancel, algo_orders.cancel_all_algos, "symbol")
    yield signed("GET", f"{_V1}/algoOrder", group, algo_orders.query_algo, _ALGO)
    yield signed(
        "GET",
        f"{_V1}/openAlgoOrders",
        group,
        algo_orders.open_algos,
        "symbol algoType algoId",
        by_symbol(1, 40),
    )
    yield signed("GET", f"{_V1}/allAlgoOrders", group, algo_orders.all_algos, f"{_PERIOD} algoId page", 5)


def _account() -> Iterator[Endpoint]:
    group = EndpointGroup.ACCOUNT
    for version in (_V2, _V3):
        yield signed("GET", f"{version}/balance", group, account.balance, weight=5)
    # ccxt sends along by what param it was chosen
    yield signed("GET", f"{_V2}/account", group, account.account_v2, "useV2", 5)
    yield signed("GET", f"{_V3}/account", group, account.account_v3, weight=5)
    yield signed("GET", f"{_V2}/positionRisk", group, account.position_risk_v2, "symbol", 5)
    yield signed("GET", f"{_V3}/positionRisk", group, account.position_risk_v3, "symbol", 5)
    yield signed("POST", f"{_V1}/leverage", group, configuration.set_leverage, "symbol leverage")
    yield signed("POST", f"{_V1}/marginType", group, configuration.set_margin_type, "symbol marginType")
    yield signed("GET", f"{_V1}/positionSide/dual", group, configuration.position_mode, weight=30)
    yield signed(
        "POST", f"{_V1}/positionSide/dual", group, configuration.set_position_mode, "dualSidePosition"
    )
    yield signed("GET", f"{_V1}/symbolConfig", group, configuration.symbol_config, "symbol", 5)
    yield signed("GET", f"{_V1}/accountConfig", group, configuration.account_config, weight=5)
    yield signed("GET", f"{_V1}/commissionRate", group, configuration.commission_rate, "symbol", 20)
    yield signed("GET", f"{_V1}/leverageBracket", group, configuration.leverage_brackets, "symbol")


ROUTES: Mapping[tuple[str, str], Endpoint] = table_of(
    (*_market(), *_orders(), *_conditional_orders(), *_account())
)
"""Every endpoint, by method and path."""
