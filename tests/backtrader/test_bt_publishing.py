"""Guarded classes do not take the place of the classes that Backtrader's own stores make."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tradeguard_backtrader import guard_broker, guard_feed

CLASSES = {name: type(name, (), {}) for name in ("Order", "OrderState", "Contract", "Execution")}


@pytest.fixture
def libraries(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand-ins for the libraries that Backtrader's live stores talk to, and those stores imported with them."""

    def module(name: str, **names: Any) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(names)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    ext = module("ib.ext", **{name: module(f"ib.ext.{name}", **{name: cls}) for name, cls in CLASSES.items()})
    opt = module("ib.opt", ibConnection=None, message=SimpleNamespace(registry={}))
    module("ib", ext=ext, opt=opt)
    module("oandapy", API=object, Streamer=object, OandaError=Exception)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("backtrader."):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("store", "data", "broker"),
    [("ibstore.IBStore", "ibdata.IBData", "ibbroker.IBBroker"),
     ("oandastore.OandaStore", "oanda.OandaData", "oandabroker.OandaBroker"),
     ("vcstore.VCStore", "vcdata.VCData", "vcbroker.VCBroker")],
)  # fmt: skip
@pytest.mark.usefixtures("libraries")
def test_a_live_store_goes_on_making_its_own_feeds_and_brokers(store: str, data: str, broker: str) -> None:
    def named(package: str, path: str) -> Any:
        module, name = path.split(".")
        return getattr(importlib.import_module(f"backtrader.{package}.{module}"), name)

    feed_cls, broker_cls, store_cls = named("feeds", data), named("brokers", broker), named("stores", store)
    assert (store_cls.DataCls, store_cls.BrokerCls) == (feed_cls, broker_cls)
    assert issubclass(guard_feed(feed_cls), feed_cls)
    assert issubclass(guard_broker(broker_cls), broker_cls)
    assert (store_cls.DataCls, store_cls.BrokerCls) == (feed_cls, broker_cls)
