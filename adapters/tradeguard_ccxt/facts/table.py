"""The one table: what is known of each exchange and kind of market. What has no source is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from tradeguard_ccxt.facts.binance_rows import (
    BINANCE_COINM,
    BINANCE_SPOT,
    BINANCE_USDM,
    MEXC_SPOT,
    MEXC_SWAP,
)
from tradeguard_ccxt.facts.client_ids import ClientId, IdForm, IdStyle, Reuse
from tradeguard_ccxt.facts.expiries import Carrier, Expiry
from tradeguard_ccxt.facts.look_ups import By, LookUp, Sees
from tradeguard_ccxt.facts.records import CAUTIOUS, ExchangeFacts, MarketKind, Reach
from tradeguard_ccxt.facts.shapes import ON_ITS_WAY, PLAIN, by_client_id, by_list
from tradeguard_ccxt.facts.stamped_rows import (
    BITGET,
    COINBASE,
    GATE_SPOT,
    GATE_SWAP,
    HTX_INVERSE,
    HTX_SPOT,
    KUCOIN_SPOT,
    KUCOIN_SWAP,
    OKX,
)

__all__ = ["EXCHANGE_FACTS", "facts_of"]

_WORDS = re.compile(r"[A-Za-z0-9_-]{1,36}")


_BYBIT = ExchangeFacts(
    client_id=ClientId(
        params=("orderLinkId", "clientOrderId"),
        sent_as="orderLinkId",
        form=IdForm(),
        allowed=_WORDS,
        reuse=Reuse.REFUSED,
    ),
    # fetch_order_with_client_order_id is not among them: unfiltered, it has answered with another order
    look_ups=(
        LookUp(method="fetch_open_orders", by=By.PARAM, param="orderLinkId", sees=Sees.OPEN, page=20),
        LookUp(
            method="fetch_canceled_and_closed_orders",
            by=By.PARAM,
            param="orderLinkId",
            sees=Sees.DONE,
            page=20,
        ),
    ),
    expiry=Expiry(carrier=Carrier.OPTION, name="recvWindow", seconds=5.0, slack=ON_ITS_WAY, asks_clock=False),
    visibility_lag=10.0,  # orders are made asynchronously, and the history may lag
    duplicate=re.compile(r"\b(110072|170141|12141)\b"),
    reach=Reach(
        params=PLAIN | {"isLeverage", "marketUnit", "positionIdx", "smpType"},
        words="not for conditional orders",
    ),
    sources=(
        "bybit-exchange/docs, v5 guide: server_time - recv_window <= timestamp < server_time + 1000",
        "bybit-exchange/docs, v5 order/create: orderLinkId of at most 36 characters, always unique",
        "bybit-exchange/docs, v5 order/realtime and order/history: orderLinkId; errors 110072, 170141",
        "ccxt 4.5.90, bybit.sign: X-BAPI-RECV-WINDOW comes from the option recvWindow",
    ),
)

_KRAKEN = ExchangeFacts(
    client_id=ClientId(
        params=("cl_ord_id", "clientOrderId"),
        sent_as="cl_ord_id",
        form=IdForm(style=IdStyle.UUID),
        allowed=re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}|[ -~]{1,18}"),
        reuse=Reuse.OPEN_ONLY,
    ),
    # fetch_order_with_client_order_id is not among them: ccxt sends the id as userref there
    look_ups=(
        LookUp(method="fetch_open_orders", by=By.PARAM, param="clientOrderId", sees=Sees.OPEN),
        LookUp(method="fetch_closed_orders", by=By.PARAM, param="clientOrderId", sees=Sees.DONE, page=50),
    ),
    # Long enough for a clock that is some seconds off, by which the exchange would find the deadline over already.
    expiry=Expiry(carrier=Carrier.DEADLINE, name="deadline", seconds=15.0, slack=5.0),
    reach=Reach(
        params=PLAIN
        | {
            "expiretm",
            "leverage",
            "oflags",
            "starttm",
            "stopLossPrice",
            "stptype",
            "takeProfitPrice",
            "timeinforce",
            "trailingAmount",
            "trailingLimitAmount",
            "trailingLimitPercent",
            "trailingPercent",
            "trigger",
        },
        types=None,  # Kraken's stop orders share the endpoints of all others
        operations=frozenset({"create_order", "create_orders"}),
        words="not for orders with a userref, which excludes a client id",
    ),
    sources=(
        "docs.kraken.com, Add order: after its deadline (up to 60 s ahead) the matching engine rejects an order",
        "docs.kraken.com, Add order batch: the deadline is the request's; each order has its cl_ord_id",
        "docs.kraken.com, Spot client order identifiers: cl_ord_id is unique across open orders; its forms",
        "docs.kraken.com, Get closed orders (cl_ord_id, 50 a page); ccxt 4.5.90, kraken.order_request",
    ),
)

_BITFINEX = ExchangeFacts(
    client_id=ClientId(
        params=("cid", "clientOrderId"),
        sent_as="cid",
        form=IdForm(style=IdStyle.INTEGER, bits=45),
        allowed=re.compile(r"[0-9]{1,14}"),
        is_number=True,
        reuse=Reuse.NOT_CHECKED,
    ),
    look_ups=(
        by_list("fetch_open_orders", Sees.OPEN),
        by_list("fetch_closed_orders", Sees.DONE, "start", page=25),
    ),
    reach=Reach(params=PLAIN | {"stopPrice", "trailingAmount", "triggerPrice"}, types=None),
    sources=(
        "docs.bitfinex.com, Submit order: cid is an integer of up to 45 bits, unique for the day",
        "ccxt 4.5.90, bitfinex.create_order_request; its fetch_order knows no client id",
    ),
    doubt="sent once: nothing bounds how long a sent order may still be accepted",
)

_HYPERLIQUID = ExchangeFacts(
    client_id=ClientId(
        params=("clientOrderId", "client_id"),
        sent_as="c",
        form=IdForm(prefix="0x"),
        allowed=re.compile(r"0x[0-9a-f]{32}"),
    ),
    look_ups=(
        by_client_id(Sees.ALL, authoritative=True),
        by_list("fetch_open_orders", Sees.OPEN),
    ),
    reach=Reach(params=PLAIN | {"slippage"}),
    sources=(
        "hyperliquid.gitbook.io, Exchange endpoint: cloid is 16 bytes in hex; Info endpoint: order status by cloid",
        "ccxt 4.5.90, hyperliquid.create_orders_request: expiresAfter is not sent",
    ),
    doubt="sent once: ccxt cannot send expiresAfter with an order, and without it nothing bounds a sent one",
)

_SPOT, _LINEAR, _INVERSE = MarketKind.SPOT, MarketKind.LINEAR, MarketKind.INVERSE

EXCHANGE_FACTS: Mapping[tuple[str, MarketKind], ExchangeFacts] = MappingProxyType(
    {
        ("binance", _SPOT): BINANCE_SPOT,
        ("binance", _LINEAR): BINANCE_USDM,
        ("binance", _INVERSE): BINANCE_COINM,
        ("binancecoinm", _INVERSE): BINANCE_COINM,
        ("binanceus", _SPOT): BINANCE_SPOT,
        ("binanceusdm", _LINEAR): BINANCE_USDM,
        ("bitfinex", _SPOT): _BITFINEX,
        ("bitfinex", _LINEAR): _BITFINEX,
        ("bitget", _SPOT): BITGET,
        ("bitget", _LINEAR): BITGET,
        ("bitget", _INVERSE): BITGET,
        ("bybit", _SPOT): _BYBIT,
        ("bybit", _LINEAR): _BYBIT,
        ("bybit", _INVERSE): _BYBIT,
        ("coinbase", _SPOT): COINBASE,
        ("gate", _SPOT): GATE_SPOT,
        ("gate", _LINEAR): GATE_SWAP,
        ("gate", _INVERSE): GATE_SWAP,
        ("htx", _SPOT): HTX_SPOT,
        ("htx", _INVERSE): HTX_INVERSE,
        ("hyperliquid", _SPOT): _HYPERLIQUID,
        ("hyperliquid", _LINEAR): _HYPERLIQUID,
        ("kraken", _SPOT): _KRAKEN,
        ("kucoin", _SPOT): KUCOIN_SPOT,
        ("kucoin", _LINEAR): KUCOIN_SWAP,
        ("kucoin", _INVERSE): KUCOIN_SWAP,
        ("kucoinfutures", _LINEAR): KUCOIN_SWAP,
        ("kucoinfutures", _INVERSE): KUCOIN_SWAP,
        ("mexc", _SPOT): MEXC_SPOT,
        ("mexc", _LINEAR): MEXC_SWAP,
        ("mexc", _INVERSE): MEXC_SWAP,
        ("okx", _SPOT): OKX,
        ("okx", _LINEAR): OKX,
        ("okx", _INVERSE): OKX,
    }
)


def facts_of(exchange_id: str, kind: MarketKind | None) -> ExchangeFacts:
    """Return what is known of an exchange, by its ccxt id, and a kind of market."""
    return CAUTIOUS if kind is None else EXCHANGE_FACTS.get((exchange_id, kind), CAUTIOUS)
