"""A small exchange with ccxt's unified methods whose every answer a test decides."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

import ccxt

from tradeguard.clock import Clock

MARKET = {
    "symbol": "ETH/BTC",
    "spot": True,
    "precision": {"amount": 0.0001, "price": 1e-07},
    "limits": {"amount": {"min": 0.0001, "max": 1000.0}, "cost": {"min": 0.0001}, "price": {"min": 1e-07}},
}


class ScriptedExchange:
    """Answers from what it holds; `fail(method, error, …)` makes the next calls of a method fail.

    Attributes:
        candles: opens in ms to prices.
        orders: by id, as ccxt gives them.
        trades: by order id.
        calls: every call: its name and its arguments.
        moves: times of bars in ms and the price from then on; without any, prices climb from 1.0.
        fills_markets: whether market orders are filled at once.
    """

    id = "scripted"

    def __init__(self, clock: Clock, *, step_ms: int = 1_000, server_ahead_ms: int = 0) -> None:
        self.options: dict[str, Any] = {}
        self.precisionMode = ccxt.TICK_SIZE
        self.clock = clock
        self.step_ms = step_ms
        self.server_ahead_ms = server_ahead_ms
        self.has = dict.fromkeys(("fetchTime", "fetchOpenOrders", "fetchOrder", "fetchOrderTrades"), True)
        self.timeframes = {"1s": "1s", "1m": "1m"}
        self.markets = {"ETH/BTC": MARKET}
        self.balance: dict[str, tuple[float, float]] = {"ETH": (5.0, 0.0), "BTC": (1.0, 0.0)}
        self.orders: dict[str, dict[str, Any]] = {}
        self.trades: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.skipped: set[int] = set()
        self.page = 1000
        self.market_trades: list[dict[str, Any]] = []
        self.ignores_since = False
        self.window_ms = 3_600_000
        self.moves: list[tuple[int, float]] = []
        self.fills_markets = False
        self.ticker = 0.05
        self._faults: dict[str, deque[Any]] = defaultdict(deque)
        self.on: dict[str, Callable[..., Any]] = {}

    # -- for the test -----------------------------------------------------------------------------------------

    def fail(self, method: str, *outcomes: Any) -> None:
        """Queue outcomes: an exception is raised, None lets the call through, anything else is the answer."""
        self._faults[method].extend(outcomes)

    def called(self, method: str) -> list[tuple[Any, ...]]:
        return [arguments for name, arguments in self.calls if name == method]

    def place(self, order_id: str, *, amount: float, filled: float = 0.0, **values: Any) -> dict[str, Any]:
        """Put an order on the book."""
        order = {
            "id": order_id, "clientOrderId": f"c{order_id}", "symbol": "ETH/BTC", "side": "buy", "type": "limit",
            "amount": amount, "filled": filled, "price": 0.05, "status": "open", "trades": [],
            "timestamp": self.server_ms(), "triggerPrice": None, **values,
        }  # fmt: skip
        self.orders[order_id] = order
        return order

    def fill(
        self, order_id: str, amount: float, *, price: float = 0.05, trade_id: str | None = None, **fee: Any
    ) -> None:
        """Fill a part of an order, as one trade."""
        order, trades = self.orders[order_id], self.trades[order_id]
        trade_id = f"{order_id}/{len(trades)}" if trade_id is None else trade_id
        trades.append(
            {"id": trade_id, "order": order_id, "amount": amount, "price": price,
             "timestamp": self.server_ms(), "fee": fee or None}
        )  # fmt: skip
        order["filled"] = round(order["filled"] + amount, 12)
        order["average"] = price
        if order["filled"] >= order["amount"]:
            order["status"] = "closed"

    def move(self, seconds: float, price: float) -> None:
        """Have all bars that open `seconds` from now, or later, stand at `price`."""
        self.moves.append((self.server_ms() + int(seconds * 1000), price))

    def server_ms(self) -> int:
        return int(self.clock.time() * 1000) + self.server_ahead_ms

    # -- ccxt ---------------------------------------------------------------------------------------------------

    def load_markets(self) -> Any:
        return self._answer("load_markets", (), lambda: self.markets)

    def market(self, symbol: str) -> Any:
        return self.markets[symbol]

    def milliseconds(self) -> int:
        return self.server_ms()

    def fetch_time(self) -> Any:
        return self._answer("fetch_time", (), self.server_ms)

    def fetch_ohlcv(
        self, symbol: str, timeframe: str, since: int | None = None, limit: int | None = None
    ) -> Any:
        return self._answer(
            "fetch_ohlcv", (symbol, timeframe, since, limit), lambda: self._rows(since, limit)
        )

    def _rows(self, since: int | None, limit: int | None) -> list[list[Any]]:
        step = self.step_ms
        first = -(-(since or 0) // step) * step
        count = min(self.page, limit or self.page)
        times = range(first, self.server_ms() + 1, step)
        rows = [self.row(time) for time in times[: count + len(self.skipped)] if time not in self.skipped]
        return rows[:count]

    def fetch_trades(self, symbol: str, since: int | None = None, limit: int | None = None) -> Any:
        def page() -> list[dict[str, Any]]:
            now_ms, count = self.server_ms(), min(self.page, limit or self.page)
            known = [trade for trade in self.market_trades if trade["timestamp"] <= now_ms]
            if since is None or self.ignores_since:
                return [dict(trade) for trade in known[-count:]]
            until = since + self.window_ms
            return [dict(trade) for trade in known if since <= trade["timestamp"] <= until][:count]

        return self._answer("fetch_trades", (symbol, since, limit), page)

    def trade(self, stamp_ms: int, price: float = 1.0, amount: float = 0.5, **fields: Any) -> None:
        """Have somebody trade."""
        number = len(self.market_trades) + 1
        self.market_trades.append(
            {
                "id": str(number),
                "timestamp": stamp_ms,
                "price": price,
                "amount": amount,
                "side": "buy",
                **fields,
            }
        )

    def row(self, open_ms: int) -> list[Any]:
        prices = [price for since_ms, price in self.moves if since_ms <= open_ms]
        if prices:
            return [open_ms, prices[-1], prices[-1], prices[-1], prices[-1], 2.0]
        price = 1.0 + open_ms // self.step_ms % 1000 / 1000
        return [open_ms, price, price + 0.1, price - 0.1, price, 2.0]

    def create_order(self, *arguments: Any) -> Any:
        def accept() -> Any:
            symbol, kind, side, amount, price, _ = arguments
            order_id = str(len(self.orders) + 1)
            order = self.place(order_id, amount=amount, side=side, type=kind, price=price, symbol=symbol)
            if self.fills_markets and kind == "market":
                self.fill(order_id, amount)
            return dict(order)

        return self._answer("create_order", arguments, accept)

    def cancel_order(self, order_id: str, symbol: str) -> Any:
        def cancel() -> Any:
            if self.orders[order_id]["status"] != "open":
                raise ccxt.OrderNotFound(order_id)
            self.orders[order_id]["status"] = "canceled"
            return dict(self.orders[order_id])

        return self._answer("cancel_order", (order_id, symbol), cancel)

    def fetch_order(self, order_id: str, symbol: str) -> Any:
        return self._answer("fetch_order", (order_id, symbol), lambda: dict(self.orders[order_id]))

    def fetch_open_orders(self, symbol: str) -> Any:
        return self._answer(
            "fetch_open_orders",
            (symbol,),
            lambda: [dict(order) for order in self.orders.values() if order["status"] == "open"],
        )

    def fetch_order_trades(self, order_id: str, symbol: str) -> Any:
        return self._answer("fetch_order_trades", (order_id, symbol), lambda: list(self.trades[order_id]))

    def fetch_my_trades(self, symbol: str, since: int | None = None) -> Any:
        return self._answer(
            "fetch_my_trades",
            (symbol, since),
            lambda: [trade for all_ in self.trades.values() for trade in all_],
        )

    def fetch_balance(self) -> Any:
        def balance() -> Any:
            return {
                "total": {name: total for name, (total, _) in self.balance.items()},
                **{
                    name: {"free": total - used, "used": used, "total": total}
                    for name, (total, used) in self.balance.items()
                },
            }

        return self._answer("fetch_balance", (), balance)

    def fetch_ticker(self, symbol: str) -> Any:
        return self._answer("fetch_ticker", (symbol,), lambda: {"last": self.ticker})

    def amount_to_precision(self, symbol: str, amount: float) -> str:
        return str(ccxt.binance().decimal_to_precision(amount, ccxt.TRUNCATE, 0.0001, ccxt.TICK_SIZE))

    def price_to_precision(self, symbol: str, price: float) -> str:
        return str(ccxt.binance().decimal_to_precision(price, ccxt.ROUND, 1e-07, ccxt.TICK_SIZE))

    def feature_value(self, symbol: str, method: str, name: str) -> Any:
        return True if name == "triggerPrice" else None

    def _answer(self, name: str, arguments: tuple[Any, ...], usual: Callable[[], Any]) -> Any:
        self.calls.append((name, arguments))
        if name in self.on:
            self.on[name]()
        faults = self._faults[name]
        outcome = faults.popleft() if faults else None
        if isinstance(outcome, BaseException):
            raise outcome
        return usual() if outcome is None else outcome
