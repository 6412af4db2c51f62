"""What an account of the futures has set: leverages, margin types, the position mode, and its fees."""

from __future__ import annotations

from tradeguard.simulator.binance.call import Call
from tradeguard.simulator.binance.errors import BinanceError
from tradeguard.simulator.binance.serialise import amount, symbol_id
from tradeguard.simulator.binance.usdm.margins import margins_of
from tradeguard.simulator.binance.usdm.serialise import MAINTENANCE_RATE
from tradeguard.simulator.margin_settlement import MOST_LEVERAGE
from tradeguard.simulator.rejections import EngineRejection
from tradeguard.simulator.symbol_book import SymbolBook

__all__ = [
    "account_config",
    "commission_rate",
    "leverage_brackets",
    "position_mode",
    "set_leverage",
    "set_margin_type",
    "set_position_mode",
    "symbol_config",
]

_MOST_NOTIONAL = 100_000_000


def set_leverage(call: Call) -> object:
    """POST /fapi/v1/leverage."""
    symbol, leverage = call.book().feed.symbol, call.params.required("leverage")
    if not leverage.isdecimal() or not 1 <= int(leverage) <= MOST_LEVERAGE:
        raise BinanceError(-4028, f"Leverage {leverage} is not valid")
    try:
        margins_of(call).set_leverage(call.account, symbol, int(leverage))
    except EngineRejection as rejection:
        raise BinanceError(
            -2028, "Leverage is smaller than permitted: insufficient margin balance."
        ) from rejection
    return {
        "symbol": symbol_id(symbol),
        "leverage": int(leverage),
        "maxNotionalValue": str(_MOST_NOTIONAL),
    }


def set_margin_type(call: Call) -> object:
    """POST /fapi/v1/marginType: cross margin is what there is."""
    call.book()
    wanted = call.params.required("marginType")
    if wanted == "CROSSED":
        raise BinanceError(-4046, "No need to change margin type.")
    if wanted == "ISOLATED":
        message = "Unable to adjust to isolated-margin mode under the Multi-Assets mode."
        raise BinanceError(-4168, message)
    raise BinanceError(-4003, "Invalid margin type")


def position_mode(call: Call) -> object:
    """GET /fapi/v1/positionSide/dual."""
    return {"dualSidePosition": False}


def set_position_mode(call: Call) -> object:
    """POST /fapi/v1/positionSide/dual: one position a symbol is what there is."""
    wanted = call.params.required("dualSidePosition").lower()
    if wanted == "false":
        raise BinanceError(-4059, "No need to change position side.")
    raise BinanceError(-4084, "Method is not allowed currently. Coming soon.")


def symbol_config(call: Call) -> object:
    """GET /fapi/v1/symbolConfig."""
    margins = margins_of(call)
    return [
        {
            "symbol": symbol_id(book.feed.symbol),
            "marginType": "CROSSED",
            "isAutoAddMargin": False,
            "leverage": margins.leverage(call.account, book.feed.symbol),
            "maxNotionalValue": str(_MOST_NOTIONAL),
        }
        for book in _books(call)
    ]


def account_config(call: Call) -> object:
    """GET /fapi/v1/accountConfig."""
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": False,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


def commission_rate(call: Call) -> object:
    """GET /fapi/v1/commissionRate."""
    settlement = call.venue.engine.settlement
    return {
        "symbol": symbol_id(call.book().feed.symbol),
        "makerCommissionRate": amount(settlement.maker_fee),
        "takerCommissionRate": amount(settlement.taker_fee),
    }


def leverage_brackets(call: Call) -> object:
    """GET /fapi/v1/leverageBracket: one bracket, whatever a position is worth."""
    bracket = {
        "bracket": 1,
        "initialLeverage": MOST_LEVERAGE,
        "notionalCap": _MOST_NOTIONAL,
        "notionalFloor": 0,
        "maintMarginRatio": float(MAINTENANCE_RATE),
        "cum": 0.0,
    }
    listed = [{"symbol": symbol_id(book.feed.symbol), "brackets": [bracket]} for book in _books(call)]
    return listed[0] if "symbol" in call.params else listed


def _books(call: Call) -> list[SymbolBook]:
    return [call.book()] if "symbol" in call.params else list(call.venue.engine.books.values())
