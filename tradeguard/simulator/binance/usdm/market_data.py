"""The futures' public endpoints, as far as they are not those of the spot market."""

from __future__ import annotations

from tradeguard.simulator.binance import market_data
from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.symbol_book import SymbolBook
from tradeguard.simulator.symbols import PRECISION, SymbolRules

__all__ = ["exchange_info", "funding_rates", "klines", "premium_index"]

_PERPETUAL_MS = 4_133_404_800_000
_FUNDING_MS = 8 * 3_600_000
_TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET")


def klines(call: Call) -> object:
    """GET /fapi/v1/klines."""
    return market_data.klines(call, most=1500)


def premium_index(call: Call) -> object:
    """GET /fapi/v1/premiumIndex: mark and index price are the last price, the funding rate is zero."""
    if "symbol" in call.params:
        return _premium_json(call, call.book())
    return [_premium_json(call, book) for book in call.venue.engine.books.values()]


def funding_rates(call: Call) -> object:
    """GET /fapi/v1/fundingRate: nothing was ever paid."""
    return []


def exchange_info(call: Call) -> object:
    """GET /fapi/v1/exchangeInfo."""
    books = call.venue.engine.books.values()
    return {
        "timezone": "UTC",
        "serverTime": call.view.server_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        ],
        "exchangeFilters": [],
        "assets": [
            {"asset": asset, "marginAvailable": True, "autoAssetExchange": "0"}
            for asset in dict.fromkeys(book.rules.quote for book in books)
        ],
        "symbols": [_symbol_json(book, call.view.market_ms) for book in books],
    }


def _premium_json(call: Call, book: SymbolBook) -> dict[str, object]:
    now_ms = call.view.market_ms
    last = amount(book.feed.last_print(now_ms).price)
    return {
        "symbol": symbol_id(book.feed.symbol),
        "markPrice": last,
        "indexPrice": last,
        "estimatedSettlePrice": last,
        "lastFundingRate": "0.00000000",
        "interestRate": "0.00000000",
        "nextFundingTime": now_ms - now_ms % _FUNDING_MS + _FUNDING_MS,
        "time": now_ms,
    }


def _symbol_json(book: SymbolBook, now_ms: int) -> dict[str, object]:
    rules = book.rules
    return {
        "symbol": symbol_id(rules.symbol),
        "pair": symbol_id(rules.symbol),
        "contractType": "PERPETUAL",
        "deliveryDate": _PERPETUAL_MS,
        "onboardDate": book.feed.origin_ms,
        "status": "SETTLING" if book.feed.is_closed(now_ms) else "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": rules.base,
        "quoteAsset": rules.quote,
        "marginAsset": rules.quote,
        "pricePrecision": _decimals(amount(rules.tick_size)),
        "quantityPrecision": _decimals(amount(rules.step_size)),
        "baseAssetPrecision": PRECISION,
        "quotePrecision": PRECISION,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.000000",
        "marketTakeBound": "0.05",
        "filters": _filters_json(rules),
        "orderTypes": list(_TYPES),
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def _filters_json(rules: SymbolRules) -> list[dict[str, object]]:
    lot = {"minQty": amount(rules.min_quantity), "stepSize": amount(rules.step_size)}
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": amount(rules.min_price),
            "maxPrice": amount(rules.max_price),
            "tickSize": amount(rules.tick_size),
        },
        {"filterType": "LOT_SIZE", **lot, "maxQty": amount(rules.max_quantity)},
        {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": amount(rules.max_quantity / 10)},
        {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": rules.max_stop_orders},
        {"filterType": "MIN_NOTIONAL", "notional": amount(rules.min_notional)},
    ]


def _decimals(number: str) -> int:
    return len(number.rstrip("0").partition(".")[2])
