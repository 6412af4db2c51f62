"""The streams of ccxt's unified interface: what each delivers, and how it is read by REST."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

__all__ = ["DEFAULT_SILENCE", "STREAM_KINDS", "Content", "StreamKind"]


class Content(StrEnum):
    """What a stream delivers."""

    TRADES = "trades"  # a line of trades, each once
    CANDLES = "candles"
    ORDERS = "orders"  # changes of an account's orders
    BOOK = "book"
    STATE = "state"  # the newest is all that counts


@dataclass(frozen=True, slots=True)
class StreamKind:
    """One `watch_*` method.

    Attributes:
        content: what it delivers.
        fetch: the unified method that reads the same by REST; None where there is none.
        is_private: it tells of the account alone: silence is normal.
        is_of_many: it takes several symbols.
    """

    content: Content
    fetch: str | None
    is_private: bool = False
    is_of_many: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether everything that happens is to be delivered, and not the newest state alone."""
        return self.content not in (Content.BOOK, Content.STATE)


STREAM_KINDS: Mapping[str, StreamKind] = MappingProxyType(
    {
        "watch_balance": StreamKind(Content.STATE, "fetch_balance", is_private=True),
        "watch_bids_asks": StreamKind(Content.STATE, "fetch_bids_asks", is_of_many=True),
        "watch_funding_rate": StreamKind(Content.STATE, "fetch_funding_rate"),
        "watch_funding_rates": StreamKind(Content.STATE, "fetch_funding_rates", is_of_many=True),
        "watch_liquidations": StreamKind(Content.STATE, None),
        "watch_liquidations_for_symbols": StreamKind(Content.STATE, None, is_of_many=True),
        "watch_mark_price": StreamKind(Content.STATE, "fetch_mark_price"),
        "watch_mark_prices": StreamKind(Content.STATE, "fetch_mark_prices", is_of_many=True),
        "watch_my_liquidations": StreamKind(Content.STATE, None, is_private=True),
        "watch_my_liquidations_for_symbols": StreamKind(
            Content.STATE, None, is_private=True, is_of_many=True
        ),
        "watch_my_trades": StreamKind(Content.TRADES, "fetch_my_trades", is_private=True),
        "watch_my_trades_for_symbols": StreamKind(
            Content.TRADES, "fetch_my_trades", is_private=True, is_of_many=True
        ),
        "watch_ohlcv": StreamKind(Content.CANDLES, "fetch_ohlcv"),
        "watch_ohlcv_for_symbols": StreamKind(Content.CANDLES, "fetch_ohlcv", is_of_many=True),
        "watch_order_book": StreamKind(Content.BOOK, "fetch_order_book"),
        "watch_order_book_for_symbols": StreamKind(Content.BOOK, "fetch_order_book", is_of_many=True),
        "watch_orders": StreamKind(Content.ORDERS, "fetch_orders", is_private=True),
        "watch_orders_for_symbols": StreamKind(
            Content.ORDERS, "fetch_orders", is_private=True, is_of_many=True
        ),
        "watch_position": StreamKind(Content.STATE, "fetch_position", is_private=True),
        "watch_positions": StreamKind(Content.STATE, "fetch_positions", is_private=True, is_of_many=True),
        "watch_ticker": StreamKind(Content.STATE, "fetch_ticker"),
        "watch_tickers": StreamKind(Content.STATE, "fetch_tickers", is_of_many=True),
        "watch_trades": StreamKind(Content.TRADES, "fetch_trades"),
        "watch_trades_for_symbols": StreamKind(Content.TRADES, "fetch_trades", is_of_many=True),
    }
)
"""The guarded streams by method; other methods of that name are helpers of ccxt's own."""

_PUBLIC_SILENCE = 60.0
_PRIVATE_SILENCE = 120.0
_LIVELY = (
    "watch_bids_asks",
    "watch_order_book",
    "watch_order_book_for_symbols",
    "watch_ticker",
    "watch_tickers",
)
_QUIET = ("watch_liquidations", "watch_liquidations_for_symbols")

DEFAULT_SILENCE: Mapping[str, float] = MappingProxyType(
    {name: _PRIVATE_SILENCE if kind.is_private else _PUBLIC_SILENCE for name, kind in STREAM_KINDS.items()}
    | dict.fromkeys(_LIVELY, 30.0)
    | dict.fromkeys(_QUIET, 0.0)
)
"""After how many seconds without a message a stream is looked after; 0 for never."""
