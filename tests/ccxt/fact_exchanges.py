"""Real ccxt classes whose transport is a recorder, and the answers that the exchanges' documentation shows."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import ccxt

from tradeguard_ccxt import GuardConfig, GuardedExchange
from tradeguard_ccxt.facts import EXCHANGE_FACTS, MarketKind

ROWS = sorted(EXCHANGE_FACTS, key=str)
NOW = 1_795_600_000.0
NOW_MS = int(NOW * 1000)
SYMBOLS = {
    MarketKind.SPOT: "BTC/USDT",
    MarketKind.LINEAR: "BTC/USDT:USDT",
    MarketKind.INVERSE: "BTC/USD:BTC",
}
_MARKET_IDS = {
    "bitfinex": ("tBTCUST", "tBTCF0:USTF0", "tBTCF0:BTCF0"),
    "coinbase": ("BTC-USDT", "none", "none-either"),
    "gate": ("BTC_USDT", "BTC_USDT", "BTC_USD"),
    "htx": ("btcusdt", "BTC-USDT", "BTC-USD"),
    "hyperliquid": ("BTC/USDT", "BTC/USDC:USDC", "none"),
    "kraken": ("XBTUSDT", "none", "none-either"),
    "kucoin": ("BTC-USDT", "XBTUSDTM", "XBTUSDM"),
    "kucoinfutures": ("BTC-USDT", "XBTUSDTM", "XBTUSDM"),
    "mexc": ("BTCUSDT", "BTC_USDT", "BTC_USD"),
    "okx": ("BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP"),
}
CREATE_PARAMS = {("htx", MarketKind.INVERSE): {"offset": "open"}}
Request = dict[str, Any]


def market_id(exchange_id: str, kind: MarketKind) -> str:
    ids = _MARKET_IDS.get(exchange_id, ("BTCUSDT", "BTCUSDT", "BTCUSD_PERP"))
    return ids[list(MarketKind).index(kind)]


class Recorder:
    """Takes the place of `fetch`: notes each request, and answers it.

    Attributes:
        plain: an instance without a guard that uses it too.
    """

    def __init__(self, answer: Callable[[Request], Any]) -> None:
        self.requests: list[Request] = []
        self.answer = answer
        self.plain: Any = None

    def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        parts = urllib.parse.urlsplit(url)
        fields = dict(urllib.parse.parse_qsl(parts.query))
        if body and body[0] in "[{":
            told = json.loads(body)
            fields |= told[0] if isinstance(told, list) else told
        elif body:
            fields |= dict(urllib.parse.parse_qsl(body))
        request = {"method": method, "path": parts.path, "fields": fields, "headers": headers or {}}
        self.requests.append(request)
        return account_answer(parts.path, fields) or self.answer(request)


def account_answer(path: str, fields: dict[str, Any]) -> Any:
    """What the exchanges say of the account, which ccxt asks before it does what it is told."""
    if path.endswith("/account/mode"):  # kucoin
        return {"code": "200000", "data": {"selfAccountMode": "CLASSIC"}}
    if path.endswith("/account/detail"):  # gate
        return {"key": {"mode": 1}}
    if path.endswith("/v3/account/settings"):  # bitget refuses that to a classic account
        raise ccxt.PermissionDenied("40084")
    if path.endswith("/account/accounts"):  # htx
        return {"status": "ok", "data": [{"id": 1, "type": "spot", "state": "working"}]}
    if path.endswith("/user/query-api"):  # bybit
        return {"retCode": 0, "result": {"uta": 1, "unified": 0}}
    if path.endswith("/v5/account/info"):
        return {"retCode": 0, "result": {"unifiedMarginStatus": 5}}
    action = fields.get("action", {}).get("type") if isinstance(fields.get("action"), dict) else None
    if action in ("approveBuilderFee", "setReferrer") or fields.get("type") == "userAbstraction":
        return {"status": "ok"}  # hyperliquid
    return None


def guarded_with(
    exchange_id: str, tmp_path: Any, answer: Callable[[Request], Any], **settings: Any
) -> tuple[Any, Recorder]:
    """Return a guarded instance of the real class, its markets made up, and the recorder under it."""
    guard = GuardConfig(journal=tmp_path / "state.db", **settings.pop("guard", {}))
    config = {
        "apiKey": "a-key-of-the-test",
        "secret": base64.b64encode(
            b"sixty-four bytes that are good for nothing else than these tests"
        ).decode(),
        "password": "a-password",
        "uid": "1",
        "walletAddress": "0x" + "1" * 40,
        "privateKey": "0x" + "2" * 64,
        "enableRateLimit": False,
        **settings,
    }
    recorder = Recorder(answer)
    cls = type(exchange_id, (getattr(ccxt, exchange_id),), {"fetch": staticmethod(recorder.fetch)})
    exchange: Any = GuardedExchange(cls, config, guard=guard)
    exchange.set_markets([_market(exchange, exchange_id, kind) for kind in MarketKind])
    exchange.seconds = lambda: exchange.milliseconds() // 1000  # coinbase's tokens go by these
    recorder.plain = cls(config)
    recorder.plain.set_markets([_market(exchange, exchange_id, kind) for kind in MarketKind])
    for name in ("milliseconds", "options", "seconds"):
        setattr(recorder.plain, name, getattr(exchange, name))
    return exchange, recorder


def _market(exchange: Any, exchange_id: str, kind: MarketKind) -> dict[str, Any]:
    symbol, spot = SYMBOLS[kind], kind is MarketKind.SPOT
    quote, settle = symbol[4:].partition(":")[::2]
    identity = market_id(exchange_id, kind)
    digits = exchange_id == "bitfinex"  # it counts them
    info = {"orderTypes": ["LIMIT", "MARKET"], "instIdCode": "1", "quoteCurrency": "USDT"}
    return dict(
        exchange.safe_market_structure(
            {
                "id": identity,
                "symbol": symbol,
                "base": "BTC",
                "quote": quote,
                "baseId": "0" if exchange_id == "hyperliquid" else "BTC",
                "quoteId": quote,
                "settle": settle or None,
                "settleId": settle or None,
                "type": "spot" if spot else "swap",
                "spot": spot,
                "margin": False,
                "swap": not spot,
                "future": False,
                "option": False,
                "contract": not spot,
                "linear": None if spot else kind is MarketKind.LINEAR,
                "inverse": None if spot else kind is MarketKind.INVERSE,
                "contractSize": None if spot else 1.0,
                "active": True,
                "precision": {"amount": 8, "price": 5} if digits else {"amount": 1e-5, "price": 1e-2},
                "limits": {"amount": {}, "price": {}, "cost": {}},
                "info": info,
            }
        )
    )


def answer_to(exchange_id: str, kind: MarketKind, request: Request, orders: list[tuple[str, float]]) -> Any:
    """Return the documented answer to a look-up: `orders` by client id and amount, buys at a price of 100."""
    raw = [_order(exchange_id, kind, f"9{n}", *each) for n, each in enumerate(orders)]
    path = request["path"]
    if exchange_id.startswith("binance") or (exchange_id == "mexc" and kind is MarketKind.SPOT):
        return (raw[0] if raw else _missing()) if path.endswith("/order") else raw
    if exchange_id == "okx":
        return {"code": "0", "msg": "", "data": raw or (_missing() if path.endswith("/order") else [])}
    if exchange_id == "bybit":
        return {"retCode": 0, "retMsg": "OK", "result": {"list": raw}}
    if exchange_id == "coinbase":
        return {"orders": raw, "cursor": ""}
    if exchange_id == "kraken":
        key = "open" if path.endswith("OpenOrders") else "closed"
        return {"error": [], "result": {key: {f"O{n}": each for n, each in enumerate(raw)}}}
    if exchange_id.startswith("kucoin"):
        one = "client-order" in path or "byClientOid" in path
        return {"code": "200000", "data": (raw[0] if raw else _missing()) if one else {"items": raw}}
    if exchange_id == "gate":
        if "/orders/t-" in path:
            return raw[0] if raw else _missing()
        return [{"currency_pair": "BTC_USDT", "orders": raw}] if path.endswith("/open_orders") else raw
    if exchange_id == "bitget":
        return {
            "code": "00000",
            "data": raw if "/spot/" in path or path.endswith("/detail") else {"entrustedList": raw},
        }
    if exchange_id == "htx":
        if path.endswith("/getClientOrder"):
            return {"status": "ok", "data": raw[0] if raw else _missing()}
        return {"status": "ok", "data": {"orders": raw} if path.endswith("openorders") else raw}
    if exchange_id == "hyperliquid":
        if request["fields"].get("type") == "orderStatus":
            return {"status": "order", "order": {"order": raw[0], "status": "open"}} if raw else _missing()
        return raw
    return {"success": True, "code": 0, "data": raw} if exchange_id == "mexc" else raw


def _missing() -> Any:
    raise ccxt.OrderNotFound("no such order")


def _order(exchange_id: str, kind: MarketKind, order_id: str, client_id: str, amount: float) -> Any:
    market, size, spot = market_id(exchange_id, kind), f"{amount:g}", kind is MarketKind.SPOT
    iso = datetime.fromtimestamp(NOW, UTC).isoformat().replace("+00:00", "Z")
    if exchange_id.startswith("binance") or (exchange_id == "mexc" and spot):
        return {
            "symbol": market,
            "orderId": int(order_id),
            "clientOrderId": client_id,
            "price": "100",
            "origQty": size,
            "executedQty": "0",
            "status": "NEW",
            "timeInForce": "GTC",
            "type": "LIMIT",
            "side": "BUY",
            "time": NOW_MS,
            "updateTime": NOW_MS,
        } | ({} if spot else {"positionSide": "BOTH", "cumQuote": "0"})
    if exchange_id == "okx":
        return {
            "instId": market,
            "instType": "SPOT" if spot else "SWAP",
            "ordId": order_id,
            "clOrdId": client_id,
            "px": "100",
            "sz": size,
            "ordType": "limit",
            "side": "buy",
            "state": "live",
            "accFillSz": "0",
            "tgtCcy": "",
            "cTime": str(NOW_MS),
            "uTime": str(NOW_MS),
        }
    if exchange_id == "bybit":
        return {
            "orderId": order_id,
            "orderLinkId": client_id,
            "symbol": market,
            "price": "100",
            "qty": size,
            "side": "Buy",
            "orderType": "Limit",
            "orderStatus": "New",
            "cumExecQty": "0",
            "createdTime": str(NOW_MS),
            "updatedTime": str(NOW_MS),
        }
    if exchange_id == "coinbase":
        configuration = {"limit_limit_gtc": {"base_size": size, "limit_price": "100"}}
        return {
            "order_id": order_id,
            "product_id": market,
            "client_order_id": client_id,
            "side": "BUY",
            "status": "OPEN",
            "order_configuration": configuration,
            "created_time": iso,
        }
    if exchange_id == "kraken":
        return {
            "cl_ord_id": client_id,
            "userref": None,
            "status": "open",
            "opentm": NOW,
            "descr": {"pair": market, "type": "buy", "ordertype": "limit", "price": "100"},
            "vol": size,
            "vol_exec": "0",
        }
    if exchange_id.startswith("kucoin"):
        return {
            "id": order_id,
            "symbol": market,
            "clientOid": client_id,
            "side": "buy",
            "type": "limit",
            "price": "100",
            "size": size,
            "dealSize": "0",
            "isActive": True,
            "createdAt": NOW_MS,
        }
    if exchange_id == "gate":
        common = {"id": order_id, "text": client_id, "status": "open", "price": "100", "left": size}
        if spot:
            return common | {
                "currency_pair": market,
                "type": "limit",
                "side": "buy",
                "amount": size,
                "create_time_ms": str(NOW_MS),
            }
        return common | {"contract": market, "size": int(amount), "create_time": NOW, "tif": "gtc"}
    if exchange_id == "bitget":
        return {
            "orderId": order_id,
            "clientOid": client_id,
            "symbol": market,
            "price": "100",
            "size": size,
            "orderType": "limit",
            "side": "buy",
            "status": "live",
            "state": "live",
            "cTime": str(NOW_MS),
            "uTime": str(NOW_MS),
        }
    if exchange_id == "htx":
        if spot:
            return {
                "id": int(order_id),
                "client-order-id": client_id,
                "symbol": market,
                "type": "buy-limit",
                "amount": size,
                "price": "100",
                "state": "submitted",
                "created-at": NOW_MS,
            }
        return {
            "order_id_str": order_id,
            "client_order_id": int(client_id),
            "contract_code": market,
            "direction": "buy",
            "volume": int(amount),
            "price": 100,
            "status": 3,
            "order_price_type": "limit",
            "created_at": NOW_MS,
        }
    if exchange_id == "mexc":
        return {
            "orderId": order_id,
            "externalOid": client_id,
            "symbol": market,
            "vol": amount,
            "price": 100,
            "side": 1,
            "orderType": 1,
            "state": 2,
            "createTime": NOW_MS,
        }
    if exchange_id == "hyperliquid":
        coin = "BTC/USDT" if spot else "BTC"
        return {
            "coin": coin,
            "side": "B",
            "limitPx": "100",
            "sz": size,
            "origSz": size,
            "oid": int(order_id),
            "cloid": client_id,
            "timestamp": NOW_MS,
        }
    assert exchange_id == "bitfinex"
    kind_of_order = "EXCHANGE LIMIT" if spot else "LIMIT"
    head = [int(order_id), None, int(client_id), market, NOW_MS, NOW_MS, amount, amount, kind_of_order]
    return [*head, None, None, None, 0, "ACTIVE", None, None, 100, 0, 0, 0]
