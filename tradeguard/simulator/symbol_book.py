"""One symbol's place of trading: its feed, its resting orders, its waiting stops."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tradeguard.simulator.book import MarketBook, RestingOrders
from tradeguard.simulator.candles import Candle, Print
from tradeguard.simulator.feed import SymbolFeed
from tradeguard.simulator.orders import Order, OrderType, Side
from tradeguard.simulator.window import DayStatistics, TrailingDay

__all__ = ["SymbolBook"]

_HAIR = Decimal("0.00000001")
_FALLING = frozenset(
    {
        (OrderType.STOP_LOSS, Side.SELL),
        (OrderType.STOP_LOSS_LIMIT, Side.SELL),
        (OrderType.TAKE_PROFIT, Side.BUY),
        (OrderType.TAKE_PROFIT_LIMIT, Side.BUY),
    }
)


class SymbolBook:
    """Everything that trades on one symbol.

    Args:
        feed: the symbol's market.
        seed: what the market's book is drawn from.

    Attributes:
        changes: what happened to orders on it so far; streams count it up, and update ids with it.
    """

    def __init__(self, feed: SymbolFeed, seed: str) -> None:
        self.feed = feed
        self.rules = feed.rules
        self.bids = RestingOrders(Side.BUY)
        self.asks = RestingOrders(Side.SELL)
        self.stops: list[Order] = []
        self.cursor = -1
        self.changes = 0
        self._seed = seed
        self._market: MarketBook | None = None
        self._day = TrailingDay(feed)
        self._day_ms = 0

    @property
    def is_quiet(self) -> bool:
        """Whether no order waits for a print."""
        return not (self.stops or len(self.bids) or len(self.asks))

    def resting(self, side: Side) -> RestingOrders:
        """Return the resting orders of one side."""
        return self.bids if side is Side.BUY else self.asks

    def market(self, now_ms: int) -> MarketBook:
        """Return what everybody else bids and asks at `now_ms`."""
        last = self.feed.last_print(now_ms)
        if self._market is not None and self._market.print.number == last.number:
            return self._market
        before = self.feed.candle(max(0, last.number // self.feed.prints_each - 1))
        market = MarketBook(last, self.rules, 2 * before.volume / self.feed.prints_each, self._seed)
        if self._market is None or self._market.print.number < last.number:
            # A look into the past must not make what was taken since appear again.
            self._market = market
        return market

    def update_id(self, now_ms: int) -> int:
        """Return a number that grows whenever the book may have changed: by a print, or by an order."""
        return self.feed.last_print(now_ms).number + 1 + self.changes

    def day(self, now_ms: int) -> DayStatistics:
        """Return the trailing twenty-four hours at `now_ms`."""
        if now_ms < self._day_ms:
            return TrailingDay(self.feed).at(now_ms)
        self._day_ms = now_ms
        return self._day.at(now_ms)

    def depth(self, side: Side, limit: int, now_ms: int) -> list[tuple[Decimal, Decimal]]:
        """Return price and quantity of the best `limit` levels of one side, the accounts' orders included."""
        other = self.asks.best() if side is Side.BUY else self.bids.best()
        sign = 1 if side is Side.BUY else -1
        levels: dict[Decimal, Decimal] = {}
        for _, price, quantity in self.market(now_ms).levels(side):
            # Nobody else offers what an account's order would have taken.
            if other is None or price * sign < other[0] * sign:
                levels[price] = quantity
                if len(levels) == limit:
                    break
        for price, order in self.resting(side):
            levels[price] = levels.get(price, Decimal(0)) + order.remaining
        return sorted(levels.items(), key=lambda level: -level[0] * sign)[:limit]

    def is_triggered(self, order: Order, price: Decimal) -> bool:
        """Return whether a waiting stop order starts to work at `price`."""
        stop = order.request.stop_price
        if stop is None:
            return False
        return price <= stop if (order.request.type, order.request.side) in _FALLING else price >= stop

    def prints_until(self, now_ms: int) -> Iterator[Print]:
        """Yield the prints after the cursor that may touch an order, up to `now_ms`."""
        feed = self.feed
        first = (self.cursor + 1) // feed.prints_each
        for index in range(first, feed.index_at(now_ms) + 1):
            if self._is_touched(feed.candle(index)):
                for one in feed.prints(index):
                    if self.cursor < one.number and one.time_ms <= now_ms:
                        yield one

    def _is_touched(self, candle: Candle) -> bool:
        low, high = candle.low - _HAIR, candle.high + _HAIR
        if self.bids.reached_by(low) is not None or self.asks.reached_by(high) is not None:
            return True
        return any(self.is_triggered(order, low) or self.is_triggered(order, high) for order in self.stops)
