"""Kraken's funding endpoints: money leaves the account, and nobody asks whether it was meant twice."""

from __future__ import annotations

import hashlib

from tradeguard.simulator.kraken.call import Call
from tradeguard.simulator.kraken.errors import KrakenError, invalid
from tradeguard.simulator.kraken.names import asset_code
from tradeguard.simulator.rejections import EngineRejection
from tradeguard.simulator.venue import PayoutKind

__all__ = ["wallet_transfer", "withdraw"]


def withdraw(call: Call) -> object:
    """POST /0/private/Withdraw."""
    return _paid_out(call, PayoutKind.WITHDRAWAL, call.params.required("key"))


def wallet_transfer(call: Call) -> object:
    """POST /0/private/WalletTransfer, from spot to futures."""
    call.params.required("from")
    return _paid_out(call, PayoutKind.TRANSFER, call.params.required("to"))


def _paid_out(call: Call, kind: PayoutKind, target: str) -> object:
    asset, amount = asset_code(call.params.required("asset")), call.params.decimal("amount")
    if asset not in call.venue.engine.ledger.balances(call.account):
        raise KrakenError("EFunding:Unknown asset")
    if amount is None or amount <= 0:
        raise invalid("amount")
    try:
        payout = call.venue.pay_out(call.account, kind, asset, amount, target, call.view.now_ms)
    except EngineRejection as rejection:
        raise KrakenError("EFunding:Invalid amount") from rejection
    text = f"{call.venue.seed}/payout/{payout.number}"
    digest = hashlib.sha256(text.encode()).hexdigest().upper()
    return {"refid": f"A{digest[:6]}-{digest[6:12]}-{digest[12:18]}"}
