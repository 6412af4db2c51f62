# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods of a guarded broker class: an order that fails is Rejected, anything else that fails is survived."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import backtrader as bt

from tradeguard.bounds import refuse
from tradeguard.error_monitor import ErrorSeverity
from tradeguard.guard import Guard
from tradeguard.redaction import redact
from tradeguard_backtrader.guards.guard_layers import Layers, is_outermost, next_layer
from tradeguard_backtrader.guards.guarded_brackets import Rejections, is_lost
from tradeguard_backtrader.lifecycle import guard_run

__all__ = ["order_methods"]

_logger = logging.getLogger("tradeguard.backtrader")
_SIMULATED = bt.brokers.BackBroker
_ORDER_OPTIONS = ("exectype", "valid", "tradeid", "oco", "trailamount", "trailpercent", "parent", "transmit")
_BRACKET_LOST = "its bracket was rejected"


class _BrokerLayer:
    """One layer of guards over the broker class `base`; each broker has guards, and so a circuit, of its own."""

    def __init__(self, base: Any, layers: Layers) -> None:
        self.base = base
        self.number = next_layer(base)
        self.submits = base.submit is not bt.BrokerBase.submit
        self.attribute = f"_guards_{self.number}"
        self._layers = layers
        if layers.fallback is not None and not self.submits:
            refuse("fallback", layers.fallback, "None for a broker class without a submit of its own")

    def once(self, broker: Any) -> Guard:
        """Return what guards the sending of orders."""
        return self._guards(broker)[0]

    def again(self, broker: Any) -> Guard:
        """Return what guards calls that may be repeated."""
        return self._guards(broker)[1]

    def is_outermost(self, broker: Any) -> bool:
        """Whether a failure of this layer is the last word."""
        return is_outermost(broker, self.number)

    def record(self, error: Exception, operation: str) -> None:
        """Tell the monitor, if any, of an error that no guard has seen."""
        if self._layers.monitor is not None:
            name = f"{self.base.__name__}.calls"
            self._layers.monitor.record_error(error, ErrorSeverity.ERROR, name, {"operation": operation})

    def _guards(self, broker: Any) -> tuple[Guard, Guard]:
        guards: tuple[Guard, Guard] | None = broker.__dict__.get(self.attribute)
        if guards is None:
            guards = broker.__dict__[self.attribute] = self._made()
        return guards

    def _made(self) -> tuple[Guard, Guard]:
        layers, name = self._layers, self.base.__name__
        config = layers.retry_config
        names_errors = config is not None and config.retry_on_exceptions is not None
        once = layers.guard(
            f"{name}.orders",
            retry=layers.retry if names_errors else None,
            breaker=layers.breaker,
            fallback=layers.fallback,
        )
        return once, layers.guard(f"{name}.calls", retry=layers.retry)


def order_methods(base: Any, layers: Layers) -> dict[str, Any]:
    """Return what to put over the methods of the broker class `base`; see `guard_broker`.

    Raises:
        ConfigurationException: there is a fallback, and no `submit` that it could stand in for.
    """
    layer = _BrokerLayer(base, layers)
    base_get_notification = base.get_notification  # called at every turn of the loop

    def get_notification(self: Any) -> Any:
        rejections = self.__dict__.get("_rejections")
        if rejections is not None and rejections.notices:
            return rejections.notices.popleft()
        return base_get_notification(self)

    def portable_state(self: Any) -> Any:
        state = base.__getstate__(self)
        # A circuit and its locks stay in this process.
        return {name: value for name, value in state.items() if name != layer.attribute}

    return {
        "_guard_layers": layer.number,
        "get_notification": get_notification,
        "cerebro": _cerebro(base),
        "__getstate__": portable_state,
        **_calling_methods(layer),
        **_sending_methods(layer),
    }


def _cerebro(base: Any) -> property:
    """Return the property by which a broker hears of Cerebro, and guards its run."""
    inherited: Any = getattr(base, "cerebro", None)

    def of(self: Any) -> Any:
        if isinstance(inherited, property):
            return inherited.__get__(self)
        try:
            return self.__dict__["cerebro"]
        except KeyError:
            raise AttributeError("the broker is not set in a Cerebro yet") from None

    def hear(self: Any, env: Any) -> None:
        if isinstance(inherited, property):
            inherited.__set__(self, env)
        else:
            self.__dict__["cerebro"] = env
        guard_run(env)

    return property(of, hear)


def _calling_methods(layer: _BrokerLayer) -> dict[str, Callable[..., Any]]:
    """Guard what sends no order."""
    base, base_next = layer.base, layer.base.next  # called at every turn of the loop
    is_simulated = issubclass(base, _SIMULATED)

    def start(self: Any) -> None:
        layer.again(self).call(base.start, self)

    def cancel(self: Any, order: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return layer.again(self).call(base.cancel, self, order, *arguments, **options)
        except Exception as error:
            if not layer.is_outermost(self):
                raise
            return _survive("cancel", error)

    def next(self: Any) -> None:  # noqa: A001 - Backtrader's own name
        try:
            base_next(self)
        except Exception as error:
            layer.record(error, "next")
            # A simulated turn that broke off has taken orders out of its book: they would stay open for ever.
            if is_simulated or not layer.is_outermost(self):
                raise
            _survive("next", error)

    return {"start": start, "cancel": cancel, "next": next}


def _sending_methods(layer: _BrokerLayer) -> dict[str, Callable[..., Any]]:
    """Guard the method that sends: a `submit` of the class's own, else `buy` and `sell`."""
    base = layer.base

    def submit(self: Any, order: Any, *arguments: Any, **options: Any) -> Any:
        def send(broker: Any, order: Any) -> Any:
            return base.submit(broker, order, *arguments, **options)

        if not layer.is_outermost(self):
            return layer.once(self).call(send, self, order)
        rejections = _rejections(self)
        if is_lost(order.parent):
            return rejections.reject(self, order, _BRACKET_LOST)
        try:
            sent = layer.once(self).call(send, self, order)
        except Exception as error:  # noqa: BLE001 - whatever a broker raises, the run outlives it
            return rejections.reject(self, order, str(error))
        rejections.note_sent(sent)
        return sent

    methods = {
        "buy": _placing(layer, base.buy, bt.order.BuyOrder),
        "sell": _placing(layer, base.sell, bt.order.SellOrder),
    }
    if layer.submits:
        methods["submit"] = submit
    return methods


def _placing(layer: _BrokerLayer, method: Callable[..., Any], make: Any) -> Callable[..., Any]:
    """Guard a method that makes an order; it also sends it where there is no `submit` to do that."""

    def placed(self: Any, *arguments: Any, **options: Any) -> Any:
        if layer.submits:
            return method(self, *arguments, **options)
        return layer.once(self).call(method, self, *arguments, **options)

    def place(self: Any, owner: Any, data: Any, size: Any, *arguments: Any, **options: Any) -> Any:
        if not layer.is_outermost(self):
            return placed(self, owner, data, size, *arguments, **options)
        rejections = _rejections(self)
        reason = _BRACKET_LOST
        if layer.submits or not is_lost(options.get("parent")):
            try:
                order = placed(self, owner, data, size, *arguments, **options)
            except Exception as error:  # noqa: BLE001 - whatever a broker raises, the run outlives it
                reason = str(error)
            else:
                if not layer.submits:
                    rejections.note_sent(order)
                return order
        return rejections.reject(self, _order(make, owner, data, size, arguments, options), reason)

    return place


def _rejections(broker: Any) -> Rejections:
    rejections: Rejections | None = broker.__dict__.get("_rejections")
    if rejections is None:
        rejections = broker.__dict__["_rejections"] = Rejections()
    return rejections


def _order(
    make: Any, owner: Any, data: Any, size: Any, arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Return the order that could not be made, for it to be rejected."""
    named = dict(zip(("price", "plimit"), arguments, strict=False))
    named.update(options)
    known = {name: named[name] for name in _ORDER_OPTIONS if name in named}
    return make(
        owner=owner,
        data=data,
        size=size,
        price=named.get("price"),
        pricelimit=named.get("plimit"),
        **known,
    )


def _survive(what: str, error: Exception) -> None:
    _logger.error("%s of the broker failed: %s", what, redact(str(error)))
