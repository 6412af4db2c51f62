"""The futures' account endpoints: balances, positions, and what is known of an account without a question of money."""

from __future__ import annotations

from decimal import Decimal

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.binance.usdm.margins import margins_of
from tradeguard.simulator.binance.usdm.serialise import maintenance
from tradeguard.simulator.candles import ZERO
from tradeguard.simulator.margin_settlement import Margin
from tradeguard.simulator.positions import Position

__all__ = ["account_v2", "account_v3", "balance", "position_risk_v2", "position_risk_v3"]

_TOTALS_IN = "USDT"


def balance(call: Call) -> object:
    """GET /fapi/v2/balance and /fapi/v3/balance."""
    return [
        {
            "accountAlias": call.account,
            "asset": asset,
            "balance": amount(margin.wallet),
            "crossWalletBalance": amount(margin.wallet),
            "crossUnPnl": amount(margin.unrealized_pnl),
            "availableBalance": amount(margin.available),
            "maxWithdrawAmount": amount(min(margin.available, max(margin.wallet, ZERO))),
            "marginAvailable": True,
            "updateTime": call.view.now_ms,
        }
        for asset, margin in _margins(call).items()
    ]


def account_v3(call: Call) -> object:
    """GET /fapi/v3/account: positions that are none, and have no orders, are left out."""
    shown = [
        position for position in margins_of(call).positions(call.account).values() if _is_shown(position)
    ]
    return {**_account(call), "positions": [_held_json(position) for position in shown]}


def account_v2(call: Call) -> object:
    """GET /fapi/v2/account: with every symbol, and the leverages."""
    return {
        "feeTier": 0,
        "feeBurn": False,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **_account(call),
        "positions": [
            {
                **_held_json(position),
                "leverage": str(position.leverage),
                "isolated": False,
                "entryPrice": amount(position.entry_price),
                "breakEvenPrice": amount(position.entry_price),
                "maxNotional": "100000000",
                "bidNotional": "0",
                "askNotional": "0",
            }
            for position in margins_of(call).positions(call.account).values()
        ],
    }


def position_risk_v3(call: Call) -> object:
    """GET /fapi/v3/positionRisk: positions that are none, and have no orders, are left out."""
    return [
        {
            **_risk_json(position),
            "initialMargin": amount(position.initial_margin + position.order_margin),
            "maintMargin": amount(maintenance(position)),
            "positionInitialMargin": amount(position.initial_margin),
            "openOrderInitialMargin": amount(position.order_margin),
            "adl": 0,
            "bidNotional": "0",
            "askNotional": "0",
            "marginAsset": position.symbol.partition(":")[2],
        }
        for position in _wanted(call)
        if _is_shown(position)
    ]


def position_risk_v2(call: Call) -> object:
    """GET /fapi/v2/positionRisk: of every symbol, with the leverages."""
    return [
        {
            **_risk_json(position),
            "leverage": str(position.leverage),
            "maxNotionalValue": "100000000",
            "marginType": "cross",
            "isAutoAddMargin": "false",
        }
        for position in _wanted(call)
    ]


def _wanted(call: Call) -> list[Position]:
    margins = margins_of(call)
    if "symbol" in call.params:
        return [margins.position(call.account, call.book().feed.symbol)]
    return list(margins.positions(call.account).values())


def _is_shown(position: Position) -> bool:
    return bool(position.amount or position.order_margin)


def _risk_json(position: Position) -> dict[str, object]:
    return {
        "symbol": symbol_id(position.symbol),
        "positionSide": "BOTH",
        "positionAmt": amount(position.amount),
        "entryPrice": amount(position.entry_price),
        "breakEvenPrice": amount(position.entry_price),
        "markPrice": amount(position.mark_price),
        "unRealizedProfit": amount(position.unrealized_pnl),
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "isolatedWallet": "0",
        "notional": amount(position.notional),
        "updateTime": position.updated_ms,
    }


def _held_json(position: Position) -> dict[str, object]:
    return {
        "symbol": symbol_id(position.symbol),
        "positionSide": "BOTH",
        "positionAmt": amount(position.amount),
        "unrealizedProfit": amount(position.unrealized_pnl),
        "isolatedMargin": "0",
        "notional": amount(position.notional),
        "isolatedWallet": "0",
        "initialMargin": amount(position.initial_margin + position.order_margin),
        "positionInitialMargin": amount(position.initial_margin),
        "openOrderInitialMargin": amount(position.order_margin),
        "maintMargin": amount(maintenance(position)),
        "updateTime": position.updated_ms,
    }


def _margins(call: Call) -> dict[str, Margin]:
    margins = margins_of(call)
    return {asset: margins.margin(call.account, asset) for asset in margins.ledger.balances(call.account)}


def _account(call: Call) -> dict[str, object]:
    """Return the totals, which are of one currency alone, and the assets."""
    margins, maintained = _margins(call), _maintained(call)
    nothing = Margin(wallet=ZERO, unrealized_pnl=ZERO, positions=ZERO, orders=ZERO)
    total = _asset_json(margins.get(_TOTALS_IN, nothing), maintained.get(_TOTALS_IN, ZERO))
    return {
        "totalInitialMargin": total["initialMargin"],
        "totalMaintMargin": total["maintMargin"],
        "totalWalletBalance": total["walletBalance"],
        "totalUnrealizedProfit": total["unrealizedProfit"],
        "totalMarginBalance": total["marginBalance"],
        "totalPositionInitialMargin": total["positionInitialMargin"],
        "totalOpenOrderInitialMargin": total["openOrderInitialMargin"],
        "totalCrossWalletBalance": total["crossWalletBalance"],
        "totalCrossUnPnl": total["crossUnPnl"],
        "availableBalance": total["availableBalance"],
        "maxWithdrawAmount": total["maxWithdrawAmount"],
        "assets": [
            {
                "asset": asset,
                **_asset_json(margin, maintained.get(asset, ZERO)),
                "updateTime": call.view.now_ms,
            }
            for asset, margin in margins.items()
        ],
    }


def _asset_json(margin: Margin, maintained: Decimal) -> dict[str, object]:
    return {
        "walletBalance": amount(margin.wallet),
        "unrealizedProfit": amount(margin.unrealized_pnl),
        "marginBalance": amount(margin.balance),
        "maintMargin": amount(maintained),
        "initialMargin": amount(margin.initial),
        "positionInitialMargin": amount(margin.positions),
        "openOrderInitialMargin": amount(margin.orders),
        "crossWalletBalance": amount(margin.wallet),
        "crossUnPnl": amount(margin.unrealized_pnl),
        "availableBalance": amount(margin.available),
        "maxWithdrawAmount": amount(min(margin.available, max(margin.wallet, ZERO))),
    }


def _maintained(call: Call) -> dict[str, Decimal]:
    """Return the maintenance margin by asset."""
    sums: dict[str, Decimal] = {}
    for symbol, position in margins_of(call).positions(call.account).items():
        asset = symbol.partition(":")[2]
        sums[asset] = sums.get(asset, ZERO) + maintenance(position)
    return sums
