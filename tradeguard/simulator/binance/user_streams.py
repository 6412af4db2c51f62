"""Binance's endpoints that open a stream of an account's own events.

Source: https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream
"""

from __future__ import annotations

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError

__all__ = ["renew", "start", "stop", "subscribe", "unsubscribe"]


def start(call: Call) -> object:
    """POST /api/v3/userDataStream."""
    return {"listenKey": call.venue.listen_keys.of(call.account, call.view.now_ms)}


def renew(call: Call) -> object:
    """PUT /api/v3/userDataStream."""
    key = call.params.required("listenKey")
    if not call.venue.listen_keys.renew(key, call.account, call.view.now_ms):
        raise _unknown_key()
    return {}


def stop(call: Call) -> object:
    """DELETE /api/v3/userDataStream."""
    key = call.params.required("listenKey")
    if not call.venue.listen_keys.end(key, call.account, call.view.now_ms):
        raise _unknown_key()
    return {}


def subscribe(call: Call) -> object:
    """userDataStream.subscribe.signature; the socket that it came over fills in its number."""
    return {"subscriptionId": None}


def unsubscribe(call: Call) -> object:
    """userDataStream.unsubscribe."""
    call.params.integer("subscriptionId")
    return {}


def _unknown_key() -> BinanceError:
    return BinanceError(-1125, "This listenKey does not exist.")
