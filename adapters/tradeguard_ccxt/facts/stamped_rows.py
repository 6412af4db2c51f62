"""The rows of the exchanges that refuse an order whose signed timestamp lies too far from their own time.

Confirmed in the documentation that each row names, and in ccxt 4.5.90's `sign`, `create_order` and look-ups.
"""

from __future__ import annotations

import re

from tradeguard_ccxt.facts.client_ids import ClientId, IdForm, IdStyle, Reuse
from tradeguard_ccxt.facts.look_ups import Sees, SinceUnit
from tradeguard_ccxt.facts.records import ExchangeFacts, Reach
from tradeguard_ccxt.facts.shapes import PLAIN, by_client_id, by_list, stamp

__all__ = [
    "BITGET",
    "COINBASE",
    "GATE_SPOT",
    "GATE_SWAP",
    "HTX_INVERSE",
    "HTX_SPOT",
    "KUCOIN_SPOT",
    "KUCOIN_SWAP",
    "OKX",
]

OKX = ExchangeFacts(
    client_id=ClientId(
        params=("clOrdId", "clientOrderId"),
        sent_as="clOrdId",
        form=IdForm(),
        allowed=re.compile(r"[A-Za-z0-9]{1,32}"),
        reuse=Reuse.OPEN_ONLY,
    ),
    look_ups=(
        by_client_id(Sees.ALL, authoritative=True),
        by_list("fetch_open_orders", Sees.OPEN, page=100),
    ),
    expiry=stamp(30.0, "OK-ACCESS-TIMESTAMP"),
    duplicate=re.compile(r"\b51016\b"),
    reach=Reach(
        params=PLAIN | {"ccy", "marginMode", "posSide", "positionSide", "tag", "tdMode", "tgtCcy"},
        words="not for algo orders",
    ),
    sources=(
        "okx.com/docs-v5, REST authentication: a timestamp that is off by more than 30 s is rejected (50102)",
        "okx.com/docs-v5, Place order: clOrdId is unique among pending orders; GET order returns the latest match",
        "okx.com/docs-v5, Order list (100 a page), error 51016",
        "ccxt 4.5.90, okx: 51603 is OrderNotFound; the header expTime cannot be sent",
    ),
)

COINBASE = ExchangeFacts(
    client_id=ClientId(
        params=("client_order_id",),
        sent_as="client_order_id",
        form=IdForm(style=IdStyle.UUID),
        allowed=re.compile(r"[A-Za-z0-9_-]{1,128}"),
        reuse=Reuse.RETURNS_ORIGINAL,
        translates=True,
    ),
    look_ups=(
        by_list("fetch_open_orders", Sees.OPEN, page=100, limit=100),
        by_list(
            "fetch_orders",
            Sees.ALL,
            "start_date",
            since_unit=SinceUnit.ISO8601,
            page=100,
            limit=100,
        ),
    ),
    expiry=stamp(120.0, "the token of the Authorization header"),
    takes_tests=True,
    reach=Reach(
        params=frozenset({"cost", "postOnly", "timeInForce"}),
        needs_own_tokens=True,
        words="not for orders with a trigger",
    ),
    sources=(
        "docs.cdp.coinbase.com, Create order: with a client_order_id that is not unique the other order is returned",
        "docs.cdp.coinbase.com, JWT authentication: a token expires after 2 minutes; List orders",
        "ccxt 4.5.90, coinbase.create_auth_token: nbf now, exp now + 120 s, one a request",
    ),
)

_KUCOIN_PLAIN = PLAIN | {"cancelAfter", "hidden", "iceberg", "remark", "stp", "tags", "visibleSize"}
_KUCOIN_ID = ClientId(
    params=("clientOid", "clientOrderId"),
    sent_as="clientOid",
    form=IdForm(),
    allowed=re.compile(r"[A-Za-z0-9_-]{1,40}"),
)
_KUCOIN_DUPLICATE = re.compile(r"\b126044\b|[Cc]lientOid.{0,20}[Dd]uplicat|[Dd]uplicat.{0,20}clientOid")
_KUCOIN_LISTS = (
    by_list("fetch_open_orders", Sees.OPEN, page=20),
    by_list("fetch_closed_orders", Sees.DONE, "startAt", page=20),
)
_KUCOIN_STAMP = (
    "docs.kucoin.com, authentication: KC-API-TIMESTAMP less than 5 s from the server's time, else rejected"
)

KUCOIN_SPOT = ExchangeFacts(
    client_id=_KUCOIN_ID,
    look_ups=(by_client_id(Sees.OPEN), *_KUCOIN_LISTS),
    expiry=stamp(5.0, "KC-API-TIMESTAMP"),
    duplicate=_KUCOIN_DUPLICATE,
    takes_tests=True,
    reach=Reach(
        params=_KUCOIN_PLAIN | {"funds"},
        barred_options=("marginMode", "sync", "uta"),
        words="on a classic account; not for trigger and margin orders",
    ),
    sources=(
        _KUCOIN_STAMP,
        "docs.kucoin.com, Place a new order (clientOid), List orders by status (active, done)",
        "ccxt 4.5.90, kucoin.fetch_spot_orders_by_status; 126044 is a duplicate clientOid",
    ),
)
KUCOIN_SWAP = ExchangeFacts(
    client_id=_KUCOIN_ID,
    look_ups=(by_client_id(Sees.ALL), *_KUCOIN_LISTS),
    expiry=stamp(5.0, "KC-API-TIMESTAMP"),
    duplicate=_KUCOIN_DUPLICATE,
    takes_tests=True,
    reach=Reach(
        params=_KUCOIN_PLAIN | {"leverage", "marginMode", "positionSide"},
        barred_options=("uta",),
        words="on a classic account; not for stop orders",
    ),
    sources=(
        _KUCOIN_STAMP,
        "docs.kucoin.com/futures, Place an order (clientOid), Get order list (active, done)",
        "ccxt 4.5.90, kucoin.fetch_contract_orders_by_status",
    ),
)

_GATE_ID = ClientId(
    params=("text", "clientOrderId"),
    sent_as="text",
    form=IdForm(bits=104, prefix="t-"),  # ccxt refuses more than 28 characters, the prefix included
    allowed=re.compile(r"t-[0-9A-Za-z_.-]{1,28}"),
    caller_prefix="t-",
)
_GATE_STAMP = "gate.com/docs/developers/apiv4: the gap of Timestamp to the current time cannot exceed 60 s"

GATE_SPOT = ExchangeFacts(
    client_id=_GATE_ID,
    look_ups=(
        by_client_id(Sees.OPEN),
        by_list("fetch_open_orders", Sees.OPEN, page=100, limit=100, authoritative=False),
        by_list(
            "fetch_closed_orders",
            Sees.DONE,
            "from",
            since_unit=SinceUnit.SECONDS,
            page=100,
            limit=100,
            authoritative=False,
        ),
    ),
    expiry=stamp(60.0, "Timestamp"),
    reach=Reach(
        params=PLAIN | {"iceberg", "stp_act", "tif", "time_in_force"}, barred_options=("marginMode",)
    ),
    sources=(
        _GATE_STAMP,
        "gate.com/docs/developers/apiv4, spot: a custom id finds pending orders only; List orders",
        "ccxt 4.5.90, gate.load_unified_status takes an account for a classic one when it fails to ask",
    ),
    doubt="sent once: ccxt may take a unified account for a classic one, and would then look in the wrong account",
)
GATE_SWAP = ExchangeFacts(
    client_id=_GATE_ID,
    look_ups=(
        by_client_id(Sees.ALL),
        by_list("fetch_open_orders", Sees.OPEN, page=100, limit=100),
        by_list(
            "fetch_closed_orders",
            Sees.DONE,
            "from",
            since_unit=SinceUnit.SECONDS,
            page=100,
            limit=100,
            params={"historical": True},
        ),
    ),
    expiry=stamp(60.0, "Timestamp"),
    visibility_lag=10.0,
    reach=Reach(params=PLAIN | {"iceberg", "stp_act", "tif"}, words="not for trigger orders"),
    sources=(
        _GATE_STAMP,
        "gate.com/docs/developers/apiv4, futures: a custom id finds an order until an hour after it is done",
        "gate.com/docs/developers/apiv4, futures: an order cancelled without a fill is kept for 10 minutes",
        "ccxt 4.5.90, gate.fetch_closed_orders asks orders_timerange where historical is set",
    ),
)

BITGET = ExchangeFacts(
    client_id=ClientId(
        params=("clientOid", "clientOrderId"),
        sent_as="clientOid",
        form=IdForm(),
        allowed=re.compile(r"[A-Za-z0-9_-]{1,32}"),
    ),
    look_ups=(
        by_client_id(Sees.ALL),
        by_list("fetch_open_orders", Sees.OPEN, page=100, limit=100),
        by_list("fetch_canceled_and_closed_orders", Sees.DONE, "startTime", page=100, limit=100),
    ),
    expiry=stamp(30.0, "ACCESS-TIMESTAMP"),
    duplicate=re.compile(r"\b40786\b"),
    reach=Reach(
        params=PLAIN | {"marginCoin", "tradeSide"},
        barred_options=("marginMode", "uta"),
        words="on a classic account; not for plan, trailing and TP/SL orders",
    ),
    sources=(
        "bitgetlimited.github.io/apidoc: the timestamp must be within 30 s of the API service time, else rejected",
        "bitget.com/api-doc: Place order, Unfilled orders, Get history orders (startTime, 100 a page)",
        "ccxt 4.5.90, bitget: a unified account is refused by these endpoints (40085)",
    ),
)

HTX_SPOT = ExchangeFacts(
    client_id=ClientId(
        params=("clientOrderId", "client-order-id"),
        sent_as="client-order-id",
        form=IdForm(),
        allowed=re.compile(r"[A-Za-z0-9_-]{1,64}"),
        reuse=Reuse.NOT_CHECKED,
    ),
    look_ups=(
        by_client_id(Sees.ALL),
        by_list("fetch_open_orders", Sees.OPEN, page=100, limit=100),
        by_list("fetch_orders", Sees.ALL, "start-time", page=100, limit=100),
    ),
    expiry=stamp(300.0, "Timestamp"),
    reach=Reach(
        params=frozenset({"cost", "postOnly", "timeInForce"}),
        barred_options=("marginMode",),
        words="not for stop orders",
    ),
    sources=(
        "huobiapi/docs, spot v1: the timestamp is valid within 5 minutes",
        "huobiapi/docs, spot v1, 2021-05-26: a clientOrderId finds a completed order for 2 hours, another for 8",
        "huobiapi/docs, spot v1, 2021-05-26: its uniqueness is no longer verified",
        "huobiapi/docs, spot v1: open orders and order search; ccxt 4.5.90, htx.fetch_spot_orders",
    ),
)
HTX_INVERSE = ExchangeFacts(
    client_id=ClientId(
        params=("client_order_id", "clientOrderId"),
        sent_as="client_order_id",
        form=IdForm(style=IdStyle.INTEGER, bits=53),  # ccxt passes a number through a float
        allowed=re.compile(r"[0-9]{1,19}"),
        is_number=True,
    ),
    look_ups=(
        by_client_id(Sees.ALL),
        by_list("fetch_open_orders", Sees.OPEN, page=20, authoritative=False),
    ),
    reach=Reach(params=PLAIN | {"lever_rate", "leverRate", "offset"}),
    sources=(
        "huobiapi/docs, coin-margined swap: client_order_id is a long below 2**63, valid for 8 hours",
        "ccxt 4.5.90, htx.create_contract_order_request, htx.fetch_order",
    ),
    doubt="sent once: how long a sent order may still be accepted is not documented",
)
