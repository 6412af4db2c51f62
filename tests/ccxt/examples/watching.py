"""Watch an exchange and trade over its sockets, in the manner of ccxt.pro's examples."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt.pro as ccxt

symbol = "ETH/BTC"


async def watch(exchange: ccxt.Exchange, method: str, *args: Any, times: int, errors: list[str]) -> list[Any]:
    seen: list[Any] = []
    while len(seen) < times:
        try:
            result = await getattr(exchange, method)(*args)
            seen.append(list(result) if isinstance(result, list) else dict(result))
        except ccxt.NetworkError as e:
            errors.append(f"{method} network error: {e}")
            await asyncio.sleep(0.05)
    return seen


async def trade(exchange: ccxt.Exchange) -> list[str]:
    ids = []
    for _ in range(2):
        order = await exchange.create_order_ws(symbol, "limit", "buy", 0.5, 0.03)
        await exchange.cancel_order_ws(order["id"], symbol)
        ids.append(order["id"])
    return ids


async def run(config: dict[str, Any]) -> dict[str, Any]:
    exchange = ccxt.binance(config)
    errors: list[str] = []
    await exchange.load_markets()
    orders = asyncio.create_task(watch(exchange, "watch_orders", symbol, times=2, errors=errors))
    trades, books, candles, tickers, ids = await asyncio.gather(
        watch(exchange, "watch_trades", symbol, times=12, errors=errors),
        watch(exchange, "watch_order_book", symbol, times=6, errors=errors),
        watch(exchange, "watch_ohlcv", symbol, "1s", times=2, errors=errors),
        watch(exchange, "watch_ticker", symbol, times=2, errors=errors),
        trade(exchange),
    )
    told = [order["id"] for news in await orders for order in news]
    await exchange.un_watch_trades(symbol)
    await exchange.close()
    return {
        "trades": [int(trade["id"]) for news in trades for trade in news],
        "crossed": [book for book in books if book["bids"][0][0] >= book["asks"][0][0]],
        "candles": sorted({candle[0] for news in candles for candle in news}),
        "tickers": [type(ticker["last"]).__name__ for ticker in tickers],
        "ids": ids,
        "told": told,
        "errors": errors,
    }


def main(configs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return asyncio.run(run(configs["binance"]))
