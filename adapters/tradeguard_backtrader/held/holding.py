# SPDX-License-Identifier: GPL-3.0-or-later
"""From an order of the run to what is held here of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import backtrader as bt

from tradeguard_backtrader.brokers.live_orders import LiveOrder
from tradeguard_backtrader.brokers.order_routing import CONDITIONS, STOPS
from tradeguard_backtrader.held.held_orders import UNSENT, HeldOrder
from tradeguard_backtrader.stamps import epoch_ms

__all__ = ["SIMPLE", "held_of", "sent_params"]

SIMPLE = frozenset({bt.Order.Market, bt.Order.Limit})
"""Types that wait for no price and no time before they are sent."""

_LIMITED = frozenset({bt.Order.StopLimit, bt.Order.StopTrailLimit})
_PRICED = STOPS | {bt.Order.Limit, bt.Order.StopTrail, bt.Order.StopTrailLimit}


def held_of(live: LiveOrder, params: Mapping[str, Any], now_ms: int) -> HeldOrder:
    """Return what is to be held of an order.

    Args:
        live: the order.
        params: the parameters for `create_order` with which it is to be sent, less the price of a stop.
        now_ms: the exchange's time, epoch milliseconds.
    """
    order, request = live.order, live.ticket.request
    return HeldOrder(
        client_order_id=str(params.get("clientOrderId") or f"{UNSENT}{uuid.uuid4().hex}"),
        symbol=request.symbol,
        home=request.symbol,
        kind=order.getordername(),
        side=request.side,
        amount=request.exact_amount,
        price=order.created.price if order.exectype in _PRICED else None,
        limit=order.created.pricelimit if order.exectype in _LIMITED else None,
        limit_offset=order._limitoffset if order.exectype == bt.Order.StopTrailLimit else 0.0,
        trail_amount=order.trailamount or None,
        trail_percent=order.trailpercent or None,
        waits_for_price=order.exectype not in SIMPLE and order.exectype != bt.Order.Close,
        due_ms=epoch_ms(order.dteos) if order.exectype == bt.Order.Close else None,
        expires_ms=live.expires_ms,
        since_ms=now_ms,
        trade_id=order.tradeid,
        params=dict(params),
    )


def sent_params(live: LiveOrder) -> dict[str, Any]:
    """Return the parameters with which an order was sent, less the price of a stop."""
    sent = live.ticket.request.params
    if live.order.exectype not in STOPS:
        return dict(sent)
    return {name: value for name, value in sent.items() if name not in CONDITIONS}
