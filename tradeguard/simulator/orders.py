"""Orders and trades: what the engine keeps, and the frozen records that it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tradeguard.simulator.candles import ZERO

__all__ = [
    "Order",
    "OrderRecord",
    "OrderRequest",
    "OrderStatus",
    "OrderType",
    "SelfTrade",
    "Side",
    "TimeInForce",
    "Trade",
]


class Side(StrEnum):
    """Which way an order trades the base asset."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order is to be executed."""

    LIMIT = "limit"
    MARKET = "market"
    LIMIT_MAKER = "limit_maker"
    STOP_LOSS = "stop_loss"
    STOP_LOSS_LIMIT = "stop_loss_limit"
    TAKE_PROFIT = "take_profit"
    TAKE_PROFIT_LIMIT = "take_profit_limit"

    @property
    def is_stop(self) -> bool:
        """Whether it waits for a price before it works."""
        return self not in _IMMEDIATE

    @property
    def is_priced(self) -> bool:
        """Whether it has a limit price."""
        return self not in _UNPRICED


_IMMEDIATE = frozenset({OrderType.LIMIT, OrderType.MARKET, OrderType.LIMIT_MAKER})
_UNPRICED = frozenset({OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT})


class TimeInForce(StrEnum):
    """How long an order works."""

    GTC = "GTC"  # until it is canceled
    IOC = "IOC"  # what fills at once; the rest expires
    FOK = "FOK"  # all at once, or nothing


class SelfTrade(StrEnum):
    """What happens when an order would trade with another one of its own account."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class OrderStatus(StrEnum):
    """Where an order stands."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"

    @property
    def is_open(self) -> bool:
        """Whether the order may still trade."""
        return self in _OPEN


_OPEN = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order as it was asked for; quantities in base, prices in quote currency per base.

    Attributes:
        symbol: unified symbol.
        side: which way.
        type: how.
        client_order_id: the caller's id; None has the exchange choose one.
        quantity: in base currency; None where `quote_quantity` sizes a market order.
        quote_quantity: in quote currency.
        price: limit price.
        stop_price: price at which a stop order starts to work.
        time_in_force: how long it works.
        self_trade: what to do against orders of the same account.
        iceberg_quantity: the part that would be shown; the engine shows no more than that.
        reference: a number of the caller's own, which the exchange keeps and does not look at.
        reduce_only: whether it may only make a position smaller.
        closes_position: whether it is sized by the position, when it begins to work.
    """

    symbol: str
    side: Side
    type: OrderType
    client_order_id: str | None = None
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    self_trade: SelfTrade = SelfTrade.NONE
    iceberg_quantity: Decimal | None = None
    reference: int | None = None
    reduce_only: bool = False
    closes_position: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One fill of one order.

    Attributes:
        trade_id: unique at the exchange; both sides of a trade between accounts share it.
        order_id: the order that was filled.
        client_order_id: its client order id.
        symbol: unified symbol.
        side: the order's side.
        price: quote currency per base.
        quantity: base currency.
        quote_quantity: quote currency.
        fee: in `fee_asset`.
        fee_asset: the asset that was received, or the quote currency.
        time_ms: epoch milliseconds.
        is_maker: whether the order was resting.
        realized_pnl: quote currency that the part of a position which it closed has earned, before the fee.
    """

    trade_id: int
    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote_quantity: Decimal
    fee: Decimal
    fee_asset: str
    time_ms: int
    is_maker: bool
    realized_pnl: Decimal = ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One order on the exchange's own book, as it is now.

    Attributes:
        client_order_id: the caller's id.
        order_id: the exchange's id, as ccxt gives it.
        symbol: unified symbol.
        side: `buy` or `sell`.
        type: `limit`, `market`, `stop_loss_limit` and so on.
        amount: base currency; for a market order sized in quote currency, what that came to.
        price: limit price, or None.
        stop_price: stop price, or None.
        filled: base currency.
        cost: quote currency traded.
        status: where it stands.
        created_ms: epoch milliseconds at which it was accepted.
        updated_ms: epoch milliseconds of its last change.
        account: name of the account.
        reduce_only: whether it may only make a position smaller.
    """

    client_order_id: str
    order_id: str
    symbol: str
    side: Side
    type: OrderType
    amount: Decimal
    price: Decimal | None
    stop_price: Decimal | None
    filled: Decimal
    cost: Decimal
    status: OrderStatus
    created_ms: int
    updated_ms: int
    account: str
    reduce_only: bool = False


@dataclass(slots=True, eq=False)
class Order:
    """The engine's own, changing view of an order.

    Attributes:
        order_id: its number, ascending with age.
        name: what the exchange calls it to its customers.
    """

    order_id: int
    client_order_id: str
    account: str
    request: OrderRequest
    quantity: Decimal
    created_ms: int
    updated_ms: int
    name: str = ""
    working_ms: int = -1
    status: OrderStatus = OrderStatus.NEW
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    locked: Decimal = ZERO
    fills: list[Trade] = field(default_factory=list)

    @property
    def remaining(self) -> Decimal:
        """Base currency not filled yet."""
        return self.quantity - self.filled

    @property
    def is_working(self) -> bool:
        """Whether it is on the book, its stop price reached if it has one."""
        return self.working_ms >= 0

    def record(self) -> OrderRecord:
        """Return the order as it is now."""
        request = self.request
        return OrderRecord(
            client_order_id=self.client_order_id,
            order_id=self.name,
            symbol=request.symbol,
            side=request.side,
            type=request.type,
            amount=self.quantity,
            price=request.price,
            stop_price=request.stop_price,
            filled=self.filled,
            cost=self.cost,
            status=self.status,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            account=self.account,
            reduce_only=request.reduce_only,
        )
