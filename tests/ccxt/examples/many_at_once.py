"""Ask several exchanges for several things at once, in the manner of ccxt's examples."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt.async_support as ccxt

symbol = "ETH/BTC"


async def ask(exchange: ccxt.Exchange) -> list[float]:
    ticker, orderbook, candles, trades = await asyncio.gather(
        exchange.fetch_ticker(symbol),
        exchange.fetch_order_book(symbol),
        exchange.fetch_ohlcv(symbol, "1m"),
        exchange.fetch_trades(symbol),
    )
    return [ticker["last"], orderbook["asks"][0][0], candles[-1][4], trades[-1]["price"]]


async def trade(exchange: ccxt.Exchange, price: float, ids: list[str]) -> None:
    order = await exchange.create_order(symbol, "limit", "buy", 0.5, price)
    ids.append(order["id"])
    await exchange.cancel_order(order["id"], symbol)


async def run(exchange_id: str, config: dict[str, Any]) -> dict[str, Any]:
    prices: list[float] = []
    ids: list[str] = []
    errors: list[str] = []
    async with getattr(ccxt, exchange_id)(config) as exchange:
        await exchange.load_markets()
        for _ in range(4):
            try:
                prices += await ask(exchange)
                await asyncio.gather(trade(exchange, 0.03, ids), trade(exchange, 0.031, ids))
            except ccxt.OrderNotFound as e:
                errors.append(f"{exchange_id} filled or gone: {e}")
            except ccxt.NetworkError as e:
                errors.append(f"{exchange_id} network error: {e}")
        given_up = asyncio.create_task(exchange.fetch_ticker(symbol))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
    return {"prices": prices, "ids": ids, "errors": errors}


async def everything(configs: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return await asyncio.gather(*(run(exchange_id, config) for exchange_id, config in configs.items()))


def main(configs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    results = asyncio.run(everything(configs)) + asyncio.run(everything(configs))
    return {name: [entry for result in results for entry in result[name]] for name in results[0]}
