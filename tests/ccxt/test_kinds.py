"""What may be repeated and what not: every method of every class, and the endpoints whose verb lies."""

from __future__ import annotations

import inspect
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import ccxt_endpoint_kinds as generator
import ccxt_stubs
import pytest
from ccxt.base.types import Entry

from tradeguard.testing import ManualClock
from tradeguard_ccxt import GuardConfig, GuardedExchange, OutcomeUnknownError
from tradeguard_ccxt.operations import Circuit, Kind, implicit_operation, is_unified, kind_of, operation_of

NOT_LOCAL = (
    "create_",
    "edit_",
    "cancel_",
    "fetch_",
    "withdraw",
    "transfer",
    "borrow_",
    "repay_",
    "close_pos",
)


class NewKraken(ccxt.async_support.kraken):  # type: ignore[misc]
    """What a newer ccxt may bring."""

    async def create_lottery_order(self, symbol: str) -> Any:
        return await self.privatePostAddOrder({"pair": symbol})

    async def ponder(self) -> Any:
        return await self.privatePostAddOrder({})


@pytest.mark.parametrize("module", [ccxt.async_support, ccxt.pro])
def test_every_coroutine_of_every_class_is_known(module: Any) -> None:
    unknown = {name: generator.unclassified(getattr(module, name)) for name in module.exchanges}
    assert {name: methods for name, methods in unknown.items() if methods} == {}


def test_what_asks_the_exchange_nothing_is_no_operation() -> None:
    classes = [getattr(m, name) for m in (ccxt.async_support, ccxt.pro) for name in m.exchanges]
    methods = {n: getattr(c, n) for c in classes for n in dir(c) if n == n.lower() and not n.startswith("_")}
    asking = {name for cls in classes for name, _ in generator.coroutines(cls)}
    returning = {"fetch_markets_ws"}  # the coroutine of another method
    for name in {n for n, method in methods.items() if inspect.isfunction(method)} - asking - returning:
        assert kind_of(name) is None, name


def test_a_method_that_only_a_newer_ccxt_has_is_found_and_meanwhile_taken_for_what_its_name_says() -> None:
    assert generator.unclassified(NewKraken) == ["create_lottery_order", "ponder"]
    assert kind_of("create_lottery_order") is Kind.WRITE
    assert kind_of("cancel_lottery_order") is Kind.IDEMPOTENT_WRITE
    assert kind_of("fetch_lottery_orders") is Kind.READ
    assert kind_of("ponder") is None


@pytest.mark.parametrize(
    "name",
    [
        "create_spot_order", "create_uta_order", "edit_contract_order", "transfer_out", "create_vault", "withdraw",
        "futures_transfer", "modify_margin_helper", "accept_rfq_quote", "create_order_ws",
    ],
)  # fmt: skip
def test_what_exchanges_write_by_methods_of_their_own_is_a_write(name: str) -> None:
    assert kind_of(name) is Kind.WRITE


@pytest.mark.parametrize(
    "name",
    [
        "create_order_request", "edit_order_request", "watch_public", "watch_multiple", "load_order_book", "fetch_fees",
        "load_markets_helper", "deposit_withdraw_fee", "fetch_paginated_call_cursor", "fetch2", "authenticate",
    ],
)  # fmt: skip
def test_parts_of_operations_are_none_themselves(name: str) -> None:
    assert kind_of(name) is None
    assert not is_unified(name)
    with pytest.raises(KeyError):
        operation_of(name)


def test_cancels_of_all_kinds_may_be_repeated_and_signing_in_is_a_matter_of_the_account() -> None:
    for name in (
        "cancel_uta_orders",
        "cancel_contract_order",
        "cancel_all_orders_after",
        "set_contract_leverage",
    ):
        assert operation_of(name).kind is Kind.IDEMPOTENT_WRITE
        assert operation_of(name).circuit is Circuit.TRADING
    assert operation_of("sign_in").circuit is Circuit.ACCOUNT


def test_the_table_is_the_same_when_exchanges_have_been_made() -> None:
    rows = set(generator.exceptions_of(ccxt.async_support.binance))
    ccxt.async_support.binance()  # sets names of its class anew
    assert set(generator.exceptions_of(ccxt.async_support.binance)) == rows != set()


def test_the_table_of_endpoints_and_the_stubs_are_those_of_the_installed_ccxt() -> None:
    assert generator.table() == generator.FILE.read_text(encoding="utf-8"), "run `make generated`"
    for name in ccxt_stubs.MIRRORS:
        committed = (ccxt_stubs.FOLDER / f"{name}.pyi").read_text(encoding="utf-8")
        assert ccxt_stubs.stub(name) == committed, "run `make generated`"


def implicit(exchange: str, name: str) -> Any:
    cls = getattr(ccxt, exchange)
    endpoint = next(v for c in cls.__mro__ for n, v in vars(c).items() if n == name and isinstance(v, Entry))
    return implicit_operation(endpoint.path, endpoint.api, endpoint.method, (exchange,))


@pytest.mark.parametrize(
    ("exchange", "name"),
    [
        ("deribit", "private_get_buy"),
        ("deribit", "private_get_submit_transfer_to_user"),
        ("coinbaseinternational", "private_get_sell"),
        ("coinbaseinternational", "private_get_set_leverage"),
        ("dydx", "noderpc_get_broadcast_tx_sync"),
        ("bingx", "swap_v1_private_get_trade_batchcancelreplace"),
        ("kraken", "private_post_addorder"),
        ("hyperliquid", "private_post_exchange"),
        ("htx", "spot_private_post_v1_order_orders_place"),
        ("binance", "private_post_order"),
        ("binance", "sapi_post_asset_dust"),  # no method of ccxt's comes to it
    ],
)
def test_an_endpoint_that_writes_is_a_write_whatever_its_verb(exchange: str, name: str) -> None:
    assert implicit(exchange, name).kind is Kind.WRITE
    assert implicit(exchange, name).circuit is Circuit.TRADING


@pytest.mark.parametrize(
    ("exchange", "name", "circuit"),
    [
        ("kraken", "private_post_balanceex", Circuit.ACCOUNT),
        ("kraken", "private_post_openorders", Circuit.ACCOUNT),
        ("hyperliquid", "public_post_info", Circuit.MARKET_DATA),
        ("bitfinex", "private_post_auth_r_wallets", Circuit.ACCOUNT),
        ("htx", "contract_private_post_api_v1_contract_order_info", Circuit.ACCOUNT),
        ("binance", "private_get_order", Circuit.ACCOUNT),
        ("binance", "public_get_depth", Circuit.MARKET_DATA),
    ],
)
def test_an_endpoint_that_reads_is_a_read_whatever_its_verb(
    exchange: str, name: str, circuit: Circuit
) -> None:
    assert implicit(exchange, name).kind is Kind.READ
    assert implicit(exchange, name).circuit is circuit


class Failing:
    """A transport that breaks down."""

    sent = 0

    def fetch(self, *_: Any, **__: Any) -> Any:
        type(self).sent += 1
        raise ccxt.NetworkError("the connection was reset")


@pytest.mark.parametrize(
    ("exchange", "name", "attempts"),
    [
        ("kraken", "private_post_balanceex", 4),
        ("bitfinex", "private_post_auth_r_wallets", 4),
        ("hyperliquid", "public_post_info", 4),
        ("htx", "contract_private_post_api_v1_contract_account_info", 4),
        ("gateeu", "private_spot_get_accounts", 4),
        ("kraken", "private_post_addorder", 1),
        ("deribit", "private_get_buy", 1),
    ],
)
def test_implicit_reads_are_retried_and_writes_are_not(exchange: str, name: str, attempts: int) -> None:
    plain: Any = getattr(ccxt, exchange)
    own = type("Own", (Failing, plain), {"sent": 0})  # a user's subclass has its exchange's endpoints
    credentials = dict.fromkeys(("apiKey", "secret", "uid", "password"), "QUFBQUFBQUE=")
    made: Any = GuardedExchange(
        own, {**credentials, "enableRateLimit": False}, guard=GuardConfig(clock=ManualClock())
    )
    with pytest.raises((ccxt.NetworkError, OutcomeUnknownError)):
        getattr(made, name)({"type": "meta"})
    assert type(made).sent == attempts
