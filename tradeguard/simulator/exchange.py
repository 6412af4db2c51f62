"""SimulatedExchange: the whole of it, behind one object."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from tradeguard.clock import SYSTEM_CLOCK
from tradeguard.exceptions import ConfigurationException
from tradeguard.simulator.arguments import (
    amounts_of,
    balances_of,
    check_address,
    dialect_of,
    limit_of,
    markets_of,
    merged,
    number_of,
    plan_of,
    rate_of,
    refuse,
    seed_of,
)
from tradeguard.simulator.binance import SocketRecord, StreamHub
from tradeguard.simulator.dialects import DIALECTS
from tradeguard.simulator.exchange_books import DEFAULT_ACCOUNT, ExchangeBooks
from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.limits import WeightLimiter
from tradeguard.simulator.market import Market
from tradeguard.simulator.protocol import RestProtocol
from tradeguard.simulator.request_log import RequestLog
from tradeguard.simulator.server import LocalServer
from tradeguard.simulator.timeframes import timeframe_ms
from tradeguard.simulator.venue import Venue
from tradeguard.simulator.wire import Delivery, HttpRequest

__all__ = ["DEFAULT_ACCOUNT", "SimulatedExchange", "TimeSource"]


class TimeSource(Protocol):
    """What the exchange needs of a clock."""

    def time(self) -> float:
        """Return epoch seconds."""
        ...


class SimulatedExchange(ExchangeBooks):
    """A local exchange over real HTTP that speaks as Binance, spot or USDT-margined futures, or as Kraken.

        with SimulatedExchange(seed=1) as exchange:
            binance = ccxt.binance(exchange.ccxt_config())

    Args:
        market: what is traded: a market, several, or the path of a CSV file to replay; None trades a synthetic
            one. Of ETH/BTC where no symbol is named, or of ETH/USDT:USDT on futures.
        faults: what goes wrong; None for nothing.
        seed: fixes markets, faults, keys and ids.
        clock: the exchange's time; needs `time()` alone. With a clock that is shared with the bot, and moved
            by it, nothing ever waits, and streams follow as it moves; see `advance`.
        balances: of the default account, by asset, 0 or more; None has 10 BTC, 100 ETH, 100,000 USDT and 1,000
            of every other asset that is traded, or that swaps are settled in.
        timeframe: how long a candle lasts where `market` is None or a path.
        visibility_lag: seconds for which an accepted order stays invisible to look-ups, 0 to 3600.
        port: TCP port; 0 chooses a free one.
        host: a loopback address.
        maker_fee: share of what a resting order receives, or trades of a swap, 0 to 1.
        taker_fee: share of what an incoming order receives, or trades of a swap, 0 to 1.
        request_limit: request weight a minute and address before 429; None for no limit.
        hang_seconds: real seconds after which even a hung connection is closed, above 0.
        dialect: which exchange it speaks as: `binance`, `binanceusdm` or `kraken`, ccxt's ids of them.

    Raises:
        ConfigurationException: an argument is out of bounds; the message names it.
    """

    def __init__(  # noqa: PLR0913 - every one but the first three is keyword-only and has a default
        self,
        market: Market | Sequence[Market] | str | Path | None = None,
        faults: FaultPlan | None = None,
        seed: int = 0,
        *,
        clock: TimeSource | None = None,
        balances: Mapping[str, float | str | Decimal] | None = None,
        timeframe: str = "1s",
        visibility_lag: float = 0.0,
        port: int = 0,
        host: str = "127.0.0.1",
        maker_fee: float = 0.001,
        taker_fee: float = 0.001,
        request_limit: int | None = 6000,
        hang_seconds: float = 30.0,
        dialect: str = "binance",
    ) -> None:
        check_address(host, port)
        lag_ms = round(number_of("visibility_lag", visibility_lag, 0.0, 3600.0) * 1000)
        timeframe_ms(timeframe)
        self.faults = plan_of(faults)
        self.requests = RequestLog()
        self.seed = seed_of(seed)
        self._clock: TimeSource = SYSTEM_CLOCK if clock is None else clock
        self._host = host
        self._outage_until: float | None = None
        self._stopped = threading.Event()
        self.dialect = dialect
        self._dialect = dialect_of(dialect, DIALECTS)()
        customs = self._dialect.customs
        markets = markets_of(market, timeframe, customs.usual_symbol)
        venue = Venue(
            markets,
            seed,
            rate_of("maker_fee", maker_fee),
            rate_of("taker_fee", taker_fee),
            lag_ms,
            int(self._clock.time() * 1000),
            customs,
        )
        super().__init__(venue, threading.RLock())
        self._venue.open_account(DEFAULT_ACCOUNT, balances_of(balances, markets))
        limiter = WeightLimiter(limit_of(request_limit))
        self._protocol = RestProtocol(self._dialect, self._venue, self.faults, limiter, self.requests)
        hang = number_of("hang_seconds", hang_seconds, 0.05, 3600.0)
        self._streams = StreamHub(
            self._venue,
            self._protocol,
            self.faults,
            self.requests,
            self._lock,
            self.time_ms,
            is_served=dialect == "binance",
        )
        self._server = LocalServer(
            self._respond, self._sleep, self._is_outage_over, host, port, hang, self._streams
        )

    def start(self) -> Self:
        """Listen; starting twice is no error.

        Raises:
            ConfigurationException: the port cannot be bound.
        """
        self._stopped.clear()
        self._server.start()
        return self

    def stop(self) -> None:
        """Close every connection and free the port; stopping twice is no error. Books and log stay readable."""
        self._server.stop()
        self._stopped.set()

    def serve_forever(self) -> None:
        """Serve until `stop` is called or the process is interrupted."""
        self.start()
        try:
            self._stopped.wait()
        finally:
            self.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:40123`.

        Raises:
            ConfigurationException: it has never been started, and the port is not chosen yet.
        """
        if self._server.port == 0:
            raise ConfigurationException("the simulated exchange is not running", component="simulator")
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._server.port}"

    @property
    def finished(self) -> bool:
        """Whether every market has come to the end of its recording; False where one has no end."""
        now_ms = self.time_ms()
        return all(book.feed.is_closed(now_ms) for book in self._venue.engine.books.values())

    def ccxt_config(self, account: str = DEFAULT_ACCOUNT, **overrides: Any) -> dict[str, Any]:
        """Return what ccxt's class of the exchange needs to trade here, and nowhere else.

        With a clock other than the system's it also hands that clock to ccxt (as `milliseconds`), which else
        would sign requests with the machine's time.

        Args:
            account: whose keys.
            overrides: put over the configuration; dictionaries such as `options` are merged.

        Raises:
            ConfigurationException: there is no such account, or the exchange has never been started.
        """
        time_ms = None if self._clock is SYSTEM_CLOCK else self.time_ms
        config = self._dialect.ccxt_config(self.url, self._venue.credentials_of(account), time_ms)
        return merged(config, overrides)

    def add_account(self, name: str, balances: Mapping[str, float | str | Decimal]) -> None:
        """Open a further account; `ccxt_config(name)` has its keys.

        Raises:
            ConfigurationException: the name is taken, or a balance is negative or no number.
        """
        with self._lock:
            self._venue.open_account(name, amounts_of(balances))

    def pull_plug(self) -> None:
        """Begin a full outage: connections are reset and new ones refused; market time goes on."""
        self._outage_until = None
        self._server.unplug()

    def plug_in(self) -> None:
        """End an outage, on the same port."""
        self._outage_until = None
        self._server.plug_in()

    def outage(self, seconds: float) -> None:
        """Begin a full outage that ends by itself after `seconds` of exchange time, within about 10 ms.

        Raises:
            ConfigurationException: `seconds` is not above 0.
        """
        end = self._clock.time() + number_of("seconds", seconds, 0.001, 86_400.0)
        self._server.unplug()
        self._outage_until = end

    def advance(self, seconds: float) -> None:
        """Move the clock on, and queue on every socket what happens meanwhile, in its order and without waiting.

        Hours of a stream are compressed into what it takes to compute them. A clock that is shared and moved
        elsewhere has the same effect, within 10 ms of real time.

        Raises:
            ConfigurationException: `seconds` is not between 0 and a year, or the clock moves by itself.
        """
        move = getattr(self._clock, "advance", None)
        if move is None:
            refuse("clock", self._clock, "one that is moved by hand, such as a ManualClock")
        move(number_of("seconds", seconds, 0.0, 366 * 86_400.0))
        with self._lock:
            self._advance()

    @property
    def sockets(self) -> list[SocketRecord]:
        """The newest 10,000 WebSocket connections, open and closed, oldest first."""
        return self._streams.sockets()

    def time_ms(self) -> int:
        """Return the exchange's time in epoch milliseconds."""
        return int(self._clock.time() * 1000)

    def _respond(self, request: HttpRequest) -> Delivery:
        with self._lock:
            self._advance()
            delivery = self._protocol.respond(request, self.time_ms())
            self._streams.tick()
        resume = delivery.resume
        if resume is None:
            return delivery

        def resumed() -> Delivery:
            with self._lock:
                self._advance()
                return resume()

        return Delivery(delay=delivery.delay, resume=resumed)

    async def _sleep(self, seconds: float) -> None:
        """Let `seconds` of exchange time pass: on a clock that is moved by hand, at once."""
        advance = getattr(self._clock, "advance", None)
        if advance is not None:
            advance(seconds)
        else:
            await asyncio.sleep(seconds)

    def _is_outage_over(self) -> bool:
        until = self._outage_until
        if until is None or self._clock.time() < until:
            return False
        self._outage_until = None
        return True

    def _advance(self) -> None:
        self._streams.advance()

    def __repr__(self) -> str:
        state = f"port={self._server.port}" if self._server.is_running else "stopped"
        return f"SimulatedExchange({', '.join(self.symbols)}, seed={self.seed}, {state})"
