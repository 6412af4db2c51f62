"""Trade on several exchanges in turn, in the manner of ccxt's examples."""

from __future__ import annotations

from typing import Any

import ccxt

symbol = "ETH/BTC"


def main(configs: dict[str, dict[str, Any]], turns: int = 8) -> dict[str, Any]:
    prices: list[float] = []
    ids: list[str] = []
    errors: list[str] = []
    fills = 0
    for exchange_id, config in configs.items():
        exchange = getattr(ccxt, exchange_id)(config)
        exchange.load_markets()
        for _ in range(turns):
            try:
                ticker = exchange.fetch_ticker(symbol)
                candles = exchange.fetch_ohlcv(symbol, "1m", limit=5)
                orderbook = exchange.fetch_order_book(symbol, 5)
                prices += [ticker["last"], candles[-1][4], orderbook["bids"][0][0]]
                price = float(exchange.price_to_precision(symbol, orderbook["bids"][0][0] * 0.9))
                order = exchange.create_limit_buy_order(symbol, 0.5, price)
                ids.append(order["id"])
                if order["id"] in [o["id"] for o in exchange.fetch_open_orders(symbol)]:
                    exchange.cancel_order(order["id"], symbol)
                order = exchange.create_market_sell_order(symbol, 0.1)
                ids.append(order["id"])
            except ccxt.NetworkError as e:
                errors.append(f"{exchange_id} network error: {e}")
            except ccxt.ExchangeError as e:
                errors.append(f"{exchange_id} exchange error: {e}")
        fills += len(exchange.fetch_my_trades(symbol))
        exchange.close()
    return {"prices": prices, "ids": ids, "errors": errors, "fills": fills}
