"""Binance's wallet: withdrawals and transfers. Money leaves the account, and nobody asks whether it was meant twice."""

from __future__ import annotations

import hashlib
from decimal import Decimal

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError, of_rejection
from tradeguard.simulator.rejections import EngineRejection
from tradeguard.simulator.venue import Payout, PayoutKind

__all__ = ["transfer", "withdraw"]

_SPOT = "MAIN_"


def withdraw(call: Call) -> object:
    """POST /sapi/v1/capital/withdraw/apply."""
    payout = _paid_out(call, PayoutKind.WITHDRAWAL, "coin", call.params.required("address"))
    text = f"{call.venue.seed}/payout/{payout.number}"
    return {"id": hashlib.sha256(text.encode()).hexdigest()[:32]}


def transfer(call: Call) -> object:
    """POST /sapi/v1/asset/transfer; only the spot wallet is here, so nothing comes back."""
    kind = call.params.required("type")
    if not kind.startswith(_SPOT):
        raise BinanceError(-1130, "Data sent for parameter 'type' is not valid.")
    payout = _paid_out(call, PayoutKind.TRANSFER, "asset", kind.removeprefix(_SPOT))
    return {"tranId": payout.number}


def _paid_out(call: Call, kind: PayoutKind, asset_name: str, target: str) -> Payout:
    params = call.params
    asset, amount = params.required(asset_name), params.decimal("amount") or Decimal(0)
    if asset not in call.venue.engine.ledger.balances(call.account):
        raise BinanceError(-4026, "The user has insufficient balance available.")
    if amount <= 0:
        raise BinanceError(-1102, "Mandatory parameter 'amount' was not sent, was empty/null, or malformed.")
    try:
        return call.venue.pay_out(call.account, kind, asset, amount, target, call.view.now_ms)
    except EngineRejection as rejection:
        raise of_rejection(rejection) from rejection
