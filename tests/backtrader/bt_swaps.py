"""A scripted exchange of swaps whose account moves with the fills, as Binance's does."""

from __future__ import annotations

from typing import Any

from bt_exchange import ScriptedExchange

SWAP = "ETH/USDT:USDT"


def swap_market(**values: Any) -> dict[str, Any]:
    """What ccxt tells of a linear swap."""
    return {
        "symbol": SWAP, "base": "ETH", "quote": "USDT", "settle": "USDT", "spot": False, "swap": True,
        "linear": True, "inverse": False, "contractSize": 1.0, "taker": 0.0005,
        "precision": {"amount": 0.001, "price": 0.01},
        "limits": {"amount": {"min": 0.001, "max": 1000.0}, "cost": {"min": 20.0}, "leverage": {"min": 1, "max": 50}},
        **values,
    }  # fmt: skip


class SwapExchange(ScriptedExchange):
    """Market orders are filled at `price`, and 1000 USDT are in the wallet.

    Attributes:
        position: its size in contracts, negative is short, and its entry price.
        wallet: USDT, profit that is not realised apart.
        price: mark and last price.
        leverage: of the account.
        hedged: whether the account has positions side by side.
    """

    def __init__(self, *arguments: Any, **market: Any) -> None:
        super().__init__(*arguments)
        self.markets = {SWAP: swap_market(**market)}
        self.has |= dict.fromkeys(
            ("fetchPositions", "fetchPositionMode", "setLeverage", "setMarginMode", "fetchLeverage"), True
        )
        self.fills_markets = True
        self.position = (0.0, 0.0)
        self.wallet, self.price, self.leverage, self.hedged = 1000.0, 100.0, 20.0, False

    @property
    def size(self) -> float:
        """Base currency in a contract."""
        return float(self.markets[SWAP]["contractSize"])

    def fill(self, order_id: str, amount: float, **options: Any) -> None:
        order = self.orders[order_id]
        price = options.setdefault("price", self.price)
        fee = {"cost": 0.0, "currency": "USDT", **options}
        super().fill(order_id, amount, **fee)
        self.wallet -= fee["cost"]
        (size, entry), delta = self.position, amount if order["side"] == "buy" else -amount
        after = size + delta
        if size * delta >= 0:
            self.position = (after, (size * entry + delta * price) / after)
            return
        closed = min(abs(size), abs(delta)) * (1 if size > 0 else -1)
        self.wallet += closed * (price - entry) * self.size
        self.position = (after, (entry if size * after > 0 else price) if after else 0.0)

    def fetch_positions(self, symbols: Any = None) -> Any:
        size, entry = self.position
        told = {
            "symbol": SWAP, "contracts": abs(size), "contractSize": self.size, "entryPrice": entry,
            "side": "short" if size < 0 else "long", "hedged": self.hedged, "leverage": self.leverage,
            "notional": abs(size) * self.size * self.price,
            "initialMargin": abs(size) * self.size * self.price / self.leverage,
            "unrealizedPnl": size * self.size * (self.price - entry),
        }  # fmt: skip
        return self._answer("fetch_positions", (symbols,), lambda: [told] if size else [])

    def fetch_balance(self, *params: Any) -> Any:
        size, entry = self.position
        total = self.wallet + size * self.size * (self.price - entry)
        used = abs(size) * self.size * self.price / self.leverage
        held, resting = size * self.size * self.price, {"buy": 0.0, "sell": 0.0}
        for order in self.orders.values():
            if order["status"] == "open" and not order.get("reduceOnly"):
                resting[order["side"]] += (order["amount"] - order["filled"]) * self.size * order["price"]
        most = max(abs(held), abs(held + resting["buy"]), abs(held - resting["sell"]))
        used += (most - abs(held)) / self.leverage
        self.balance = {"USDT": (total, used)}
        return super().fetch_balance()

    def fetch_ticker(self, symbol: str) -> Any:
        return self._answer("fetch_ticker", (symbol,), lambda: {"last": self.price})

    def fetch_position_mode(self, symbol: str) -> Any:
        return self._answer("fetch_position_mode", (symbol,), lambda: {"hedged": self.hedged})

    def fetch_leverage(self, symbol: str) -> Any:
        told = {"longLeverage": self.leverage, "shortLeverage": self.leverage}
        return self._answer("fetch_leverage", (symbol,), lambda: told)

    def set_leverage(self, leverage: float, symbol: str) -> Any:
        def take() -> Any:
            self.leverage = float(leverage)
            return {"leverage": leverage}

        return self._answer("set_leverage", (leverage, symbol), take)

    def set_margin_mode(self, mode: str, symbol: str) -> Any:
        return self._answer("set_margin_mode", (mode, symbol), dict)

    def row(self, open_ms: int) -> list[Any]:
        return [open_ms, *[self.price] * 4, 2.0]
