"""The hub: Binance's sockets, and what flows to them as the exchange's clock moves.

Nothing flows by itself: `advance` brings the exchange to the present in steps small enough for every stream to
say what it has to say in its time, and queues that on the sockets in the order in which it happened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from itertools import count
from threading import RLock
from typing import Protocol

from tradeguard.simulator.binance.market_streams import MarketStreams
from tradeguard.simulator.binance.routes import ROUTES
from tradeguard.simulator.binance.socket_api import SocketRequest, malformed, read_request
from tradeguard.simulator.binance.socket_routes import SUBSCRIBE_USER, UNSUBSCRIBE_USER
from tradeguard.simulator.binance.subscriber import SocketRecord, Subscriber
from tradeguard.simulator.binance.user_feed import UserFeed
from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.request_log import RequestLog, RequestRecord
from tradeguard.simulator.sockets import Answer, Frame, FrameKind, Handshake, Line
from tradeguard.simulator.stream_delivery import StreamDelivery
from tradeguard.simulator.stream_faults import StreamFault, StreamFaultKind, StreamGroup
from tradeguard.simulator.venue import Venue
from tradeguard.simulator.wire import OVER_SOCKET, Delivery, HttpRequest, Manner

__all__ = ["StreamHub"]

_RECORDS_KEPT = 10_000
_PATHS = ("/ws-api/v3", "/ws", "/stream")


class _Rest(Protocol):
    def respond(self, request: HttpRequest, now_ms: int) -> Delivery: ...


class StreamHub:
    """Every socket of one exchange. Thread-safe.

    Args:
        venue: the exchange.
        rest: carries requests out.
        faults: what goes wrong.
        log: where handshakes are entered.
        lock: guards the venue.
        time_ms: the exchange's clock.
    """

    def __init__(
        self,
        venue: Venue,
        rest: _Rest,
        faults: FaultPlan,
        log: RequestLog,
        lock: RLock,
        time_ms: Callable[[], int],
    ) -> None:
        self._venue = venue
        self._rest = rest
        self._faults = faults
        self._log = log
        self._lock = lock
        self._time_ms = time_ms
        self._market = MarketStreams(venue.engine.books)
        self._users = UserFeed(venue)
        self._open: dict[int, Subscriber] = {}
        self._known: deque[Subscriber] = deque(maxlen=_RECORDS_KEPT)
        self._listeners: dict[str, list[Subscriber]] = {}
        self._numbers = count(1)
        self._now_ms = time_ms()

    def admit(self, path: str, query: str, address: str) -> Handshake:
        """Decide on a client that wants to connect."""
        root = next((known for known in _PATHS if path == known or path.startswith(f"{known}/")), None)
        with self._lock:
            self.advance()
            fault = None
            if root is not None:
                fault = self._faults.draw_stream(StreamGroup.HANDSHAKE, root, self._venue.seed)
            handshake = _handshake(fault) if root is not None else Handshake(404)
            self._enter(path, None if handshake.hangs else handshake.status, fault)
        return handshake

    def open(self, path: str, query: str, address: str, line: Line) -> _Session:
        """Begin a session with a client that was let in."""
        with self._lock:
            delivery = StreamDelivery(line, self._faults, self._venue.seed)
            number, symbols = next(self._numbers), tuple(self._venue.engine.books)
            subscriber = Subscriber(number, path, query, address, delivery, symbols)
            account = self._venue.listen_keys.account(path.rpartition("/")[2], self._time_ms())
            if account is not None:
                subscriber.open_user(account)
            self._open[number] = subscriber
            self._known.append(subscriber)
            self._listen()
        return _Session(self, number, subscriber)

    def advance(self) -> None:
        """Bring the exchange to the present, and queue on the sockets what has happened on the way."""
        with self._lock:
            now_ms = self._time_ms()
            step_ms = self._market.step_ms
            while step_ms is not None and (at_ms := self._now_ms - self._now_ms % step_ms + step_ms) < now_ms:
                self._step(at_ms)
            self._step(now_ms)

    def tick(self) -> None:
        """Do what `advance` does, if there is a socket to do it for."""
        if self._open:
            self.advance()

    def sockets(self) -> list[SocketRecord]:
        """Return the newest sockets, open and closed, oldest first."""
        with self._lock:
            return [subscriber.record() for subscriber in self._known]

    def received(self, subscriber: Subscriber, text: str) -> Answer:
        """Take a message of a client."""
        with self._lock:
            self.advance()
            now_ms = self._time_ms()
            if not subscriber.is_api:
                name, answer = subscriber.command(text)
                self._listen()
                return Answer(partial(self._reply, subscriber, name, answer))
            request = read_request(text, subscriber.address)
            if request is None or (OVER_SOCKET, request.method) not in ROUTES:
                name = "" if request is None else request.method
                return Answer(partial(self._reply, subscriber, name, malformed(request)))
            return self._answer(subscriber, request, self._rest.respond(request.as_http(), now_ms))

    def closed(self, number: int) -> None:
        """Take note that a socket is gone."""
        with self._lock:
            subscriber = self._open.pop(number, None)
            if subscriber is not None:
                subscriber.is_open = False
                subscriber.streams.clear()
                subscriber.accounts.clear()
                self._listen()

    def _step(self, now_ms: int) -> None:
        self._venue.advance(now_ms)
        self._now_ms = max(self._now_ms, now_ms)
        market = self._market.collect(now_ms)
        sending: list[tuple[int, Callable[[], None]]] = []
        for message in market:
            for subscriber in self._listeners[message.name]:
                sending.append((message.time_ms, partial(subscriber.take, message)))
        listening = [subscriber for subscriber in self._open.values() if subscriber.accounts]
        if not listening:
            self._users.forget()
        for told in self._users.take():
            for subscriber in listening:
                tell = partial(subscriber.take_user, told.account, told.event, told.time_ms)
                sending.append((told.time_ms, tell))
        for _, send in sorted(sending, key=lambda one: one[0]):
            send()
        for subscriber in self._open.values():
            subscriber.delivery.release(now_ms)

    def _answer(self, subscriber: Subscriber, request: SocketRequest, delivery: Delivery) -> Answer:
        if delivery.resume is not None or delivery.delay > 0:
            late, resume = Delivery(delivery.reply, delivery.manner), delivery.resume

            def resumed() -> Answer:
                with self._lock:
                    self.advance()
                    return self._answer(subscriber, request, late if resume is None else resume())

            return Answer(delay=delivery.delay, resume=resumed)
        if delivery.manner is Manner.RESET:
            return Answer(partial(subscriber.delivery.end, Frame(FrameKind.RESET)))
        if delivery.manner is Manner.HANG or delivery.reply is None:
            return Answer()
        changes: dict[str, object] = {}
        if delivery.reply.status == HTTPStatus.OK and delivery.reply.body.endswith(b"}"):
            changes = self._user_changes(subscriber, request)
        text = request.text(delivery.reply, self._time_ms(), changes)
        return Answer(partial(self._reply, subscriber, request.method, text))

    def _user_changes(self, subscriber: Subscriber, request: SocketRequest) -> dict[str, object]:
        """Begin or end a subscription to an account's events; return what the answer says of it."""
        if request.method == UNSUBSCRIBE_USER:
            subscriber.close_user(request.params.get("subscriptionId"), self._time_ms())
        credentials = self._venue.credentials(str(request.params.get("apiKey")))
        if request.method != SUBSCRIBE_USER or credentials is None:
            return {}
        return {"subscriptionId": subscriber.open_user(credentials.account)}

    def _reply(self, subscriber: Subscriber, name: str, text: str) -> None:
        with self._lock:
            subscriber.reply(name, text, self._time_ms())
            self.advance()

    def _listen(self) -> None:
        """Let those streams run that somebody listens to."""
        streams = {}
        self._listeners = {}
        for subscriber in self._open.values():
            for text, name in subscriber.streams.items():
                streams[text] = name
                self._listeners.setdefault(text, []).append(subscriber)
        self._market.listen(streams.values(), self._now_ms)

    def _enter(self, path: str, status: int | None, fault: StreamFault | None) -> None:
        self._log.add(
            RequestRecord(
                number=0,
                time=self._time_ms() / 1000,
                method="GET",
                path=path,
                group=StreamGroup.HANDSHAKE,
                symbol=None,
                client_order_id=None,
                weight=0,
                status=status,
                fault=None if fault is None else fault.label,
            )
        )


class _Session:
    """One open connection, as the server sees it."""

    def __init__(self, hub: StreamHub, number: int, subscriber: Subscriber) -> None:
        self._hub = hub
        self._number = number
        self._subscriber = subscriber

    def received(self, text: str) -> Answer:
        """Take a message of the client."""
        return self._hub.received(self._subscriber, text)

    def closed(self) -> None:
        """Take note that the connection is gone."""
        self._hub.closed(self._number)


def _handshake(fault: StreamFault | None) -> Handshake:
    if fault is None:
        return Handshake()
    if fault.kind is StreamFaultKind.HUNG:
        return Handshake(hangs=True)
    after = fault.retry_after
    return Handshake(fault.status, {} if after is None else {"Retry-After": f"{after:g}"})
