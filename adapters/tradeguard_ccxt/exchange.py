"""GuardedExchange: the ccxt exchange itself, with a guard at its one choke point.

Every REST request of ccxt passes `fetch2` (throttle, sign, send, map errors), implicit methods and `load_markets`
included: circuit, retry and pauses sit there, and each attempt is signed anew. The unified methods above it only say
what the request means, keep good results, and serve them when a read finally fails.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from tradeguard.exceptions import ConfigurationException
from tradeguard.orders import declare
from tradeguard_ccxt.async_mixin import AsyncMixin
from tradeguard_ccxt.batches import create_orders
from tradeguard_ccxt.calls import counted, run
from tradeguard_ccxt.cancels import cancel_all_orders, cancel_order, cancel_orders
from tradeguard_ccxt.classes import Runner, exchange_class, guarded_methods, socket_methods, whereabouts
from tradeguard_ccxt.config import GuardConfig
from tradeguard_ccxt.doubts import resolve_in_background
from tradeguard_ccxt.edits import edit_order
from tradeguard_ccxt.flavours import Asynchronous, Flavour, Synchronous
from tradeguard_ccxt.markets import fetch_what_rarely_changes, load_markets
from tradeguard_ccxt.order_desk import OrderDesk
from tradeguard_ccxt.parts import Parts, parts_of
from tradeguard_ccxt.placing import close_position, create_order, trade_once
from tradeguard_ccxt.pro_mixin import ProMixin
from tradeguard_ccxt.request import REQUEST
from tradeguard_ccxt.runtime import ExchangeGuard
from tradeguard_ccxt.socket_requests import over_socket
from tradeguard_ccxt.sync_mixin import SyncMixin
from tradeguard_ccxt.watching import unwatch, watch

if TYPE_CHECKING:
    from tradeguard.circuit_breaker import CircuitBreaker
    from tradeguard.error_monitor import ErrorMonitor
    from tradeguard.orders import Interlock, OrderIntent, OrderJournal
    from tradeguard.storage import StateStore

__all__ = ["AsyncGuardedExchange", "GuardedExchange", "ProGuardedExchange"]

_REPETITION = ("maxRetriesOnFailure", "maxRetriesOnFailureDelay")
_REPETITION_PARAMS = frozenset(
    {*_REPETITION, "defaultMaxRetriesOnFailure", "defaultMaxRetriesOnFailureDelay", "callerMethodName"}
)
_SECRETS = ("apiKey", "secret", "password", "privateKey", "token", "login", "twofa", "walletAddress", "uid")
_NOT_COPIED = frozenset({"_guard_parts", "_guard_streams", "_guard_throttle", "milliseconds"})


class GuardedExchange:
    """A ccxt exchange that survives its exchange: `GuardedExchange("binance", {...})` is a `ccxt.binance`.

    Args:
        exchange: a ccxt id such as `"binance"`, or a class of `ccxt`, `ccxt.async_support` or `ccxt.pro`.
        config: as ccxt takes it; its key `"guard"` may hold the GuardConfig.
        guard: how to guard it; wins over `config["guard"]`.

    Raises:
        ConfigurationException: an unknown exchange, or a bad or unusable setting.
    """

    if TYPE_CHECKING:  # what the ccxt class behind it gives

        def __getattr__(self, name: str) -> Any: ...

    _ccxt_module: ClassVar[str] = "ccxt"  # whose exchanges ids stand for

    def __new__(
        cls,
        exchange: Any = None,
        config: Mapping[str, Any] | None = None,
        *args: Any,
        guard: GuardConfig | None = None,
        **kwargs: Any,
    ) -> Self:
        """Make an instance of the guarded class of `exchange`; what else a subclass takes is its own affair."""
        target = cls.of(exchange) if cls in _FACADES else cls
        return cast("Self", object.__new__(target))

    def __init__(
        self,
        exchange: Any = None,
        config: Any = None,
        *args: Any,
        guard: GuardConfig | None = None,
        **kwargs: Any,
    ) -> None:
        # `GuardedExchange("binance", {...})`, `binance({...})` and `binance(config={...})` all end here; what the
        # constructor of a user's class takes besides goes on to it.
        given = config
        if exchange is not None and not isinstance(exchange, str | type):
            given, args = exchange, args if config is None else (config, *args)
        settings = dict(given or {})
        configured = settings.pop("guard", None)
        chosen = configured if guard is None else guard
        chosen = GuardConfig() if chosen is None else chosen
        if not isinstance(chosen, GuardConfig):
            raise ConfigurationException(
                f"guard must be a GuardConfig, not {chosen!r}", field="guard", value=chosen
            )
        self._guard_by(type(self).__name__, chosen)
        super().__init__(settings, *args, **kwargs)  # type: ignore[call-arg]
        guard_of_this = parts_of(self).guard
        guard_of_this.exchange_id = str(getattr(self, "id", guard_of_this.exchange_id))

    @classmethod
    def of(cls, exchange: str | type) -> type[GuardedExchange]:
        """Return the guarded class of a ccxt id or class; one and the same at each call."""
        return _guarded_class(exchange_class(exchange, cls._ccxt_module))

    @property
    def guard_config(self) -> GuardConfig:
        """How it is guarded."""
        return parts_of(self).guard.config

    @property
    def guard_monitor(self) -> ErrorMonitor:
        """The error monitor."""
        return parts_of(self).guard.monitor

    @property
    def guard_circuits(self) -> Mapping[str, CircuitBreaker]:
        """The circuit breakers by name: `market_data`, `account` and `trading`."""
        return {str(name): breaker for name, breaker in parts_of(self).guard.circuits.items()}

    @property
    def interlock(self) -> Interlock:
        """What may be traded right now, and why not."""
        return parts_of(self).guard.interlock

    @property
    def order_journal(self) -> OrderJournal:
        """The intents of this account."""
        return parts_of(self).desk.state.journal()

    @property
    def state_store(self) -> StateStore | None:
        """The state file, or None while it is not open."""
        return parts_of(self).desk.state.store

    def __dir__(self) -> list[str]:
        """Return the names without those of the properties.

        ccxt's constructor gives every name with an underscore a camelCase twin, and would freeze what a property is
        then. (A `__getattr__` would hide them too, but with one, Python cannot specialise any look-up on the instance,
        and ccxt makes hundreds in a call.)
        """
        own = vars(GuardedExchange)
        return [name for name in super().__dir__() if not isinstance(own.get(name), property)]

    def guard_statistics(self) -> dict[str, Any]:
        """Return calls, attempts, retries, fallbacks, failures, limits, circuits and orders."""
        guard, desk, _ = parts_of(self)
        return {"exchange": guard.exchange_id, **guard.statistics(), "orders": desk.statistics()}

    def orders_in_doubt(self) -> list[OrderIntent]:
        """Return the intents whose outcome is not known and that nobody is submitting here, oldest first."""
        return parts_of(self).desk.unresolved()

    def declare_order(
        self, client_order_id: str, *, order_id: str | None = None, why: str = ""
    ) -> OrderIntent:
        """Resolve an UNKNOWN order by what you have seen at the exchange, where no look-up can.

        Args:
            client_order_id: as in `orders_in_doubt()`.
            order_id: the exchange's id of the order; None says that it surely does not exist.
            why: how you know; it is kept in the journal.

        Raises:
            ConfigurationException: there is no such order, or it is not UNKNOWN.
            JournalError: it could not be written.
        """
        guard, desk, _ = parts_of(self)
        at = datetime.fromtimestamp(guard.clock.time(), UTC)
        declared = declare(desk.state.journal(), client_order_id, order_id=order_id, at=at, why=why)
        desk.release(declared.symbol)
        return declared

    def fresh_client_order_id(self, symbol: str, order_type: str = "limit") -> str | None:
        """Return a new client order id in the exchange's own format, to be passed as `params["clientOrderId"]`.

        For who must know an order's id before it is placed, so as never to place it twice. The markets must be loaded.

        Returns:
            None where the exchange is not known to take one for such an order.

        Raises:
            ccxt.BadSymbol: the exchange has no such market.
        """
        return parts_of(self).desk.tickets.fresh_client_id(symbol, order_type)

    def guard_secrets(self) -> tuple[str, ...]:
        """Return the credentials of this instance, for masking them."""
        values = (getattr(self, name, None) for name in _SECRETS)
        return tuple(value for value in values if isinstance(value, str) and len(value) > 3)

    # -- what ccxt calls on its way ----------------------------------------------------------------------------

    def sign(self, *args: Any, **kwargs: Any) -> Any:
        """Sign a request, and refuse it where the order it carries has waited too long, or lacks its client id."""
        signed = super().sign(*args, **kwargs)  # type: ignore[misc]
        request = REQUEST.get()
        if request is not None:
            request.wire.check_signing()
            request.wire.check_named(*(signed.get(part) for part in ("method", "url", "headers", "body")))
        return signed

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Any, *rest: Any
    ) -> Any:
        """Note status and headers of the answer; ccxt's errors carry neither."""
        request = REQUEST.get()
        if request is not None:
            parts_of(self).guard.received(request, code, headers)
        return super().on_rest_response(code, reason, url, method, headers, *rest)  # type: ignore[misc]

    def handle_option_integer_and_params(
        self,
        params: Any,
        methodName: Any,  # noqa: N803 - ccxt's names
        optionName: str,  # noqa: N803
        defaultValue: Any = None,  # noqa: N803
    ) -> Any:
        """Read an option; ccxt's own blind repetition of failed requests, orders included, is off."""
        # Asked twice at each request, for microseconds; there is nothing to look for where the params name none of it.
        if optionName in _REPETITION and type(params) is dict and _REPETITION_PARAMS.isdisjoint(params):
            return [0, params]
        value, rest = super().handle_option_integer_and_params(params, methodName, optionName, defaultValue)  # type: ignore[misc]
        return [0 if optionName == "maxRetriesOnFailure" else value, rest]

    # -- copies -----------------------------------------------------------------------------------------------

    def _guard_by(self, exchange_id: str, config: GuardConfig) -> None:
        guard = ExchangeGuard(exchange_id, config, self)
        is_async = isinstance(self, AsyncMixin)
        flavour: Flavour = Asynchronous(guard.clock) if is_async else Synchronous(guard.clock)
        self._guard_parts = Parts(guard, OrderDesk(self, guard, resolve_in_background), flavour)
        if config.clock is not None:
            clock = config.clock
            self.milliseconds = lambda: int(clock.time() * 1000)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: value for name, value in self.__dict__.items() if name not in _NOT_COPIED}
        return kept | {"_guard_config": parts_of(self).guard.config}

    def __setstate__(self, state: dict[str, Any]) -> None:
        chosen = state.pop("_guard_config")
        self.__dict__.update(state)
        self._guard_by(str(state["id"]), chosen)

    def __reduce__(self) -> tuple[Any, ...]:
        base = _plain_class(type(self))
        generated = type(self) is _guarded_class(base)
        target = base if generated else type(self)
        return _bare, (target, generated), self.__getstate__()


class AsyncGuardedExchange(GuardedExchange):
    """`GuardedExchange` where ids stand for the exchanges of `ccxt.async_support`."""

    _ccxt_module = "ccxt.async_support"


class ProGuardedExchange(AsyncGuardedExchange):
    """`GuardedExchange` where ids stand for the exchanges of `ccxt.pro`."""

    _ccxt_module = "ccxt.pro"


_FACADES = (GuardedExchange, AsyncGuardedExchange, ProGuardedExchange)


def _bare(target: type, generated: bool) -> Any:
    cls = _guarded_class(target) if generated else target
    return object.__new__(cls)


_PROTOCOLS: dict[str, Runner] = {
    "cancel_all_orders": cancel_all_orders,
    "cancel_order": cancel_order,
    "cancel_orders": cancel_orders,
    "close_all_positions": close_position,
    "close_position": close_position,
    "create_convert_trade": trade_once,
    "create_order": create_order,
    "create_orders": create_orders,
    "create_twap_order": trade_once,
    "edit_order": edit_order,
    "edit_orders": trade_once,
    "fetch_currencies": fetch_what_rarely_changes,
    "fetch_markets": fetch_what_rarely_changes,
    "load_markets": load_markets,
}
_RUNNERS = {name: counted(flow) for name, flow in _PROTOCOLS.items()}
"""The flows of those methods that have a protocol of their own."""


def _plain_class(cls: type) -> Any:
    """Return the class of ccxt, or of a user, that a guarded one was made from."""
    return next(c for c in cls.__mro__ if not issubclass(c, GuardedExchange | SyncMixin | AsyncMixin))


@functools.cache
def _guarded_class(base: Any) -> type[GuardedExchange]:
    if issubclass(base, GuardedExchange):
        return cast("type[GuardedExchange]", base)
    mixin, facade = _front(base)
    namespace: dict[str, Any] = guarded_methods(base, _RUNNERS, counted(run))
    if issubclass(mixin, ProMixin):
        namespace |= socket_methods(
            base, counted(watch), counted(unwatch), _RUNNERS, counted(run), over_socket
        )
    namespace |= {"__doc__": base.__doc__, **whereabouts(base, facade._ccxt_module)}
    return type(base.__name__, (mixin, facade, base), namespace)


def _front(base: Any) -> tuple[type, type[GuardedExchange]]:
    """Return the mixin and the facade of the flavour that `base` is of."""
    if base.synchronous:
        return SyncMixin, GuardedExchange
    is_pro = any(cls.__module__.startswith("ccxt.pro") for cls in base.__mro__)
    return (ProMixin, ProGuardedExchange) if is_pro else (AsyncMixin, AsyncGuardedExchange)
