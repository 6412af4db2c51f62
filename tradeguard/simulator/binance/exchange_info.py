"""GET /api/v3/exchangeInfo: symbols, their filters, and the limits."""

from __future__ import annotations

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.orders import OrderType, SelfTrade
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.symbols import PRECISION, SymbolRules

__all__ = ["exchange_info"]


def exchange_info(call: Call) -> object:
    """GET /api/v3/exchangeInfo."""
    name, names = call.params.text("symbol"), call.params.names("symbols")
    if name is not None and names is not None:
        raise BinanceError(-1128, "Combination of optional parameters invalid.")
    wanted = [name] if name is not None else names
    books = list(call.venue.engine.books.values()) if wanted is None else [call.book(one) for one in wanted]
    return {
        "timezone": "UTC",
        "serverTime": call.view.server_ms,
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200_000},
        ],
        "exchangeFilters": [],
        "symbols": [_symbol_json(book, call.view.market_ms) for book in books],
    }


def _symbol_json(book: SymbolBook, now_ms: int) -> dict[str, object]:
    rules = book.rules
    return {
        "symbol": symbol_id(rules.symbol),
        "status": "BREAK" if book.feed.is_closed(now_ms) else "TRADING",
        "baseAsset": rules.base,
        "baseAssetPrecision": PRECISION,
        "quoteAsset": rules.quote,
        "quotePrecision": PRECISION,
        "quoteAssetPrecision": PRECISION,
        "baseCommissionPrecision": PRECISION,
        "quoteCommissionPrecision": PRECISION,
        "orderTypes": [kind.upper() for kind in OrderType],
        "icebergAllowed": True,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters_json(rules),
        "permissions": ["SPOT"],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": str(SelfTrade.NONE),
        "allowedSelfTradePreventionModes": [str(mode) for mode in SelfTrade],
    }


def _filters_json(rules: SymbolRules) -> list[dict[str, object]]:
    lot = {
        "minQty": amount(rules.min_quantity),
        "maxQty": amount(rules.max_quantity),
        "stepSize": amount(rules.step_size),
    }
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": amount(rules.min_price),
            "maxPrice": amount(rules.max_price),
            "tickSize": amount(rules.tick_size),
        },
        {"filterType": "LOT_SIZE", **lot},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": amount(rules.max_quantity / 10),
            "stepSize": "0.00000000",
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": amount(rules.min_notional),
            "applyMinToMarket": True,
            "maxNotional": amount(rules.max_notional),
            "applyMaxToMarket": True,
            "avgPriceMins": 0,
        },
        {"filterType": "ICEBERG_PARTS", "limit": 10},
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": rules.max_stop_orders},
    ]
