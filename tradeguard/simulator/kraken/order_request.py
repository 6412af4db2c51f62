"""Reading an order out of its parameters, as AddOrder and AddOrderBatch have them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from tradeguard.simulator.kraken.errors import KrakenError, invalid
from tradeguard.simulator.kraken.params import Params
from tradeguard.simulator.orders import OrderRequest, OrderType, SelfTrade, Side, TimeInForce

__all__ = ["check_deadline_form", "check_not_late", "order_request"]

_TYPES: Mapping[str, OrderType] = MappingProxyType(
    {kind.replace("_", "-"): kind for kind in OrderType if kind is not OrderType.LIMIT_MAKER}
)
_SELF_TRADES: Mapping[str, SelfTrade] = MappingProxyType(
    {
        "cancel-newest": SelfTrade.EXPIRE_TAKER,
        "cancel-oldest": SelfTrade.EXPIRE_MAKER,
        "cancel-both": SelfTrade.EXPIRE_BOTH,
    }
)
_FLAGS = frozenset({"fcib", "fciq", "nompp", "post", "viqc"})
# What is not simulated is refused rather than silently left out.
_NOT_SIMULATED = ("leverage", "reduce_only", "close", "close[ordertype]", "starttm", "expiretm", "displayvol")
_NEAREST_DEADLINE_MS = 2_000
_FARTHEST_DEADLINE_MS = 60_000


def order_request(params: Params, symbol: str) -> OrderRequest:
    """Return the order.

    Raises:
        KrakenError: a parameter is missing, malformed, or asks for what is not simulated.
    """
    kind, flags = _TYPES.get(params.required("ordertype")), params.names("oflags")
    if kind is None:
        raise invalid("ordertype")
    if not _FLAGS.issuperset(flags):
        raise invalid("oflags")
    for name in _NOT_SIMULATED:
        if params.text(name) not in (None, "0", "none", "false"):
            raise invalid(name)
    side = params.required("type")
    if side not in list(Side):
        raise invalid("type")
    volume = params.decimal("volume")
    if volume is None or volume <= 0:
        raise invalid("volume")
    by_cost = "viqc" in flags
    if by_cost and kind is not OrderType.MARKET:
        raise invalid("viqc")
    price, stop_price = _prices(params, kind)
    client_order_id, reference = params.client_order_id(), params.integer("userref")
    if client_order_id is not None and reference is not None:
        raise invalid("cl_ord_id")
    return OrderRequest(
        symbol=symbol,
        side=Side(side),
        type=_post_only(kind) if "post" in flags else kind,
        client_order_id=client_order_id,
        quantity=None if by_cost else volume,
        quote_quantity=volume if by_cost else None,
        price=price,
        stop_price=stop_price,
        time_in_force=_time_in_force(params),
        self_trade=_self_trade(params),
        reference=reference,
    )


def check_deadline_form(params: Params, server_ms: int) -> None:
    """Refuse a deadline that is malformed, too near or too far, when the request is received.

    Raises:
        KrakenError: it is.
    """
    deadline_ms = params.moment_ms("deadline")
    if deadline_ms is not None:
        left_ms = deadline_ms - server_ms
        if not _NEAREST_DEADLINE_MS <= left_ms <= _FARTHEST_DEADLINE_MS:
            raise invalid("deadline")


def check_not_late(params: Params, server_ms: int) -> None:
    """Refuse a request whose deadline has passed by the time the engine sees it.

    Raises:
        KrakenError: it has.
    """
    deadline_ms = params.moment_ms("deadline")
    if deadline_ms is not None and deadline_ms < server_ms:
        raise KrakenError("EService:Deadline elapsed")


def _prices(params: Params, kind: OrderType) -> tuple[Decimal | None, Decimal | None]:
    """Return limit price and stop price: Kraken's `price` is the stop's where there is one."""
    first, second = params.decimal("price"), params.decimal("price2")
    needs_first, needs_second = kind is not OrderType.MARKET, kind.is_stop and kind.is_priced
    if needs_first and not first:
        raise invalid("price")
    if needs_second and not second:
        raise invalid("price2")
    if not kind.is_stop:
        return (first if needs_first else None), None
    return (second if needs_second else None), first


def _post_only(kind: OrderType) -> OrderType:
    if kind is not OrderType.LIMIT:
        raise invalid("oflags")
    return OrderType.LIMIT_MAKER


def _time_in_force(params: Params) -> TimeInForce:
    value = params.text("timeinforce")
    if value is None:
        return TimeInForce.GTC
    if value not in list(TimeInForce):
        raise invalid("timeinforce")
    return TimeInForce(value)


def _self_trade(params: Params) -> SelfTrade:
    value = params.text("stptype")
    if value is None:
        return SelfTrade.EXPIRE_TAKER
    if value not in _SELF_TRADES:
        raise invalid("stptype")
    return _SELF_TRADES[value]
