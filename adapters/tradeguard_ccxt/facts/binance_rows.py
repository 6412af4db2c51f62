"""The rows of Binance, and of MEXC, whose spot protocol is Binance's.

Confirmed in Binance's and MEXC's documentation (github.com/binance/binance-spot-api-docs, developers.binance.com,
github.com/mexcdevelop/apidocs) and in ccxt 4.5.90's `create_order_request`, `fetch_order`, `fetch_orders` and `sign`.
"""

from __future__ import annotations

import re

from tradeguard_ccxt.facts.client_ids import ClientId, IdForm, Reuse
from tradeguard_ccxt.facts.expiries import Carrier, Expiry
from tradeguard_ccxt.facts.look_ups import By, LookUp, Sees
from tradeguard_ccxt.facts.records import ExchangeFacts, Reach

__all__ = ["BINANCE_COINM", "BINANCE_SPOT", "BINANCE_USDM", "MEXC_SPOT", "MEXC_SWAP"]

_BY_CLIENT_ID = LookUp(method="fetch_order_with_client_order_id", by=By.CLIENT_ID, sees=Sees.ALL)
_OPEN = LookUp(method="fetch_open_orders", by=By.LIST, sees=Sees.OPEN)
_ORDERS = LookUp(method="fetch_orders", by=By.LIST, sees=Sees.ALL, since="startTime", page=500)

# recvWindow is checked on receipt, and again before the request reaches the matching engine; the answer may then
# take 10 s (-1007, "execution status unknown"). A timestamp up to 1 s ahead of the server's clock is accepted.
_RECV_WINDOW = Expiry(carrier=Carrier.PARAM, name="recvWindow", seconds=10.0, slack=11.0, asks_clock=False)
_BINANCE_ID = ClientId(
    # of two that are given, ccxt sends the first of these
    params=("newClientOrderId", "clientOrderId"),
    sent_as="newClientOrderId",
    form=IdForm(),
    allowed=re.compile(r"[.A-Z:/a-z0-9_-]{1,36}"),
    reuse=Reuse.OPEN_ONLY,
)
_COMMON = frozenset({"cost", "postOnly", "reduceOnly", "selfTradePreventionMode", "timeInForce"})
# Accounts and books of their own: margin and portfolio margin.
_OTHER_ACCOUNTS = ("marginMode", "papi", "portfolioMargin")

BINANCE_SPOT = ExchangeFacts(
    client_id=_BINANCE_ID,
    look_ups=(_BY_CLIENT_ID, _OPEN, _ORDERS),
    expiry=_RECV_WINDOW,
    visibility_lag=3.0,
    takes_tests=True,  # POST /api/v3/order/test; ccxt places what is said to be a test of a contract
    edit_replaces=True,  # POST /api/v3/order/cancelReplace
    edit_refusal=re.compile(r"\"code\":\s*-202[12]\b"),
    duplicate=re.compile(r"Duplicate order sent"),
    reach=Reach(
        params=_COMMON
        | {
            "cancelNewClientOrderId",
            "cancelOrigClientOrderId",
            "cancelReplaceMode",
            "cancelRestrictions",
            "icebergAmount",
            "icebergQty",
            "newOrderRespType",
            "pegOffsetType",
            "pegOffsetValue",
            "pegPriceType",
            "quoteOrderQty",
            "stopLossOrTakeProfit",
            "stopLossPrice",
            "stopPrice",
            "strategyId",
            "strategyType",
            "takeProfitPrice",
            "trailingDelta",
            "trailingPercent",
            "trailingTriggerPrice",
            "triggerPrice",
        },
        types=None,  # stop orders share the endpoints of all others
        operations=frozenset({"create_order", "edit_order"}),
        barred_options=_OTHER_ACCOUNTS,
    ),
    sources=(
        "binance-spot-api-docs, rest-api.md: Timing security (recvWindow), General API information (10 s, -1007)",
        "binance-spot-api-docs, rest-api.md: New order (newClientOrderId is unique among open orders)",
        "binance-spot-api-docs, errors.md: -2010 Duplicate order sent; -2021, -2022 of a cancelReplace",
    ),
)

_FUTURES_REACH = Reach(
    params=_COMMON | {"goodTillDate", "hedged", "newOrderRespType", "positionSide", "priceMatch"},
    operations=frozenset(
        {"create_order", "create_orders"}
    ),  # POST batchOrders: each newClientOrderId, one recvWindow
    barred_options=_OTHER_ACCOUNTS,
    words="not for conditional orders, which have endpoints of their own",
)
_FUTURES_SOURCES = (
    "query order and all orders find cancelled orders without fills for 3 days, others for 90",
    "ccxt 4.5.90, binance.create_order: conditional orders go to algoOrder, which these look-ups do not see",
)
_FUTURES_DUPLICATE = re.compile(r"-4116\b|[Cc]lientOrderId is duplicated")

BINANCE_USDM = ExchangeFacts(
    client_id=_BINANCE_ID,
    look_ups=(_BY_CLIENT_ID, _OPEN, _ORDERS),
    expiry=_RECV_WINDOW,
    visibility_lag=3.0,
    duplicate=_FUTURES_DUPLICATE,
    reach=_FUTURES_REACH,
    sources=(
        "developers.binance.com, USDS-margined futures: General info (recvWindow), New order",
        "developers.binance.com, USDS-margined futures: error codes (-1007, -4116)",
        *_FUTURES_SOURCES,
    ),
)
BINANCE_COINM = ExchangeFacts(
    client_id=_BINANCE_ID,
    look_ups=(_BY_CLIENT_ID, _OPEN, _ORDERS),
    expiry=_RECV_WINDOW,
    visibility_lag=3.0,
    duplicate=_FUTURES_DUPLICATE,
    reach=_FUTURES_REACH,
    sources=(
        "developers.binance.com, COIN-margined futures: General info (recvWindow), New order",
        "developers.binance.com, COIN-margined futures: error codes (-1007, -4116)",
        *_FUTURES_SOURCES,
    ),
)

MEXC_SPOT = ExchangeFacts(
    client_id=ClientId(
        params=("clientOrderId", "newClientOrderId"),
        sent_as="newClientOrderId",
        form=IdForm(),
        allowed=re.compile(r"[A-Za-z0-9_-]{1,32}"),
    ),
    look_ups=(
        # what does not exist is a bare ExchangeError there (-2013), so only the lists can say so
        LookUp(
            method="fetch_order_with_client_order_id", by=By.CLIENT_ID, sees=Sees.ALL, authoritative=False
        ),
        _OPEN,
        _ORDERS,
    ),
    # ccxt overwrites the param recvWindow by the option of that name
    expiry=Expiry(carrier=Carrier.OPTION, name="recvWindow", seconds=5.0, slack=30.0, asks_clock=False),
    takes_tests=True,
    reach=Reach(params=frozenset({"cost", "postOnly", "timeInForce"}), barred_options=("marginMode",)),
    sources=(
        "mexcdevelop/apidocs, spot v3: SIGNED endpoint security (recvWindow, timestamp < serverTime + 1000)",
        "mexcdevelop/apidocs, spot v3: New order, Query order, Current open orders, All orders (7 days, 500 a page)",
        "ccxt 4.5.90, mexc.sign: recvWindow comes from the option",
    ),
)
MEXC_SWAP = ExchangeFacts(
    client_id=ClientId(
        params=("clientOrderId", "externalOid"),
        sent_as="externalOid",
        form=IdForm(),
        allowed=re.compile(r"[A-Za-z0-9_-]{1,32}"),
        echo="externalOid",
    ),
    look_ups=(
        LookUp(method="fetch_open_orders", by=By.LIST, sees=Sees.OPEN, page=100, authoritative=False),
        LookUp(
            method="fetch_orders",
            by=By.LIST,
            sees=Sees.DONE,
            since="start_time",
            page=100,
            limit=100,
            authoritative=False,
        ),
    ),
    reach=Reach(
        params=frozenset({"hedged", "leverage", "openType", "positionMode", "postOnly", "reduceOnly"})
    ),
    sources=(
        "mexcdevelop/apidocs, contract v1: order submit (externalOid), open orders and history orders",
        "ccxt 4.5.90, mexc.fetch_open_orders asks one page of all symbols; parse_order leaves externalOid out",
    ),
    doubt="sent once: ccxt asks one page of the open orders of all symbols, so none can be proved absent",
)
