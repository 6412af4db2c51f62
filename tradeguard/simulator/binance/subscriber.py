"""A subscriber: one socket, what it listens to, and how it speaks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from tradeguard.simulator.binance.stream_names import StreamName, parse_stream
from tradeguard.simulator.stream_delivery import StreamDelivery, StreamMessage
from tradeguard.simulator.stream_faults import StreamGroup

__all__ = ["SocketRecord", "Subscriber"]

_MOST_STREAMS = 1024
_UNREADABLE = 3
_INVALID = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketRecord:
    """One WebSocket connection, as it is now.

    Attributes:
        number: counts from 1, in the order in which they were opened.
        path: what it was opened with.
        is_open: whether it still is.
        streams: market streams that it listens to.
        accounts: accounts whose events it gets.
        sent: messages that the exchange has sent.
        waiting: messages that are about to leave.
        late: messages that a fault holds back until the exchange's clock has moved on.
        faults: how often each kind of fault has struck it.
    """

    number: int
    path: str
    is_open: bool
    streams: tuple[str, ...]
    accounts: tuple[str, ...]
    sent: int
    waiting: int
    late: int
    faults: Mapping[str, int] = field(default_factory=dict)


class Subscriber:
    """One socket. Not thread-safe.

    Args:
        number: of the socket.
        path: what it was opened with.
        query: still encoded.
        address: of the client.
        delivery: the way out.
        symbols: unified symbols that are traded.
    """

    def __init__(
        self,
        number: int,
        path: str,
        query: str,
        address: str,
        delivery: StreamDelivery,
        symbols: Sequence[str],
    ) -> None:
        self.address = address
        self.delivery = delivery
        self.is_open = True
        self.is_api = path.startswith("/ws-api/")
        self.streams: dict[str, StreamName] = {}
        self.accounts: dict[int, str] = {}
        self._number = number
        self._path = path
        self._symbols = symbols
        self._is_combined = path.startswith("/stream") and not path.startswith("/stream/")
        self._numbers = 0
        self._add([name for name in _named(path, query) if "@" in name])

    def record(self) -> SocketRecord:
        """Return the socket as it is now."""
        return SocketRecord(
            number=self._number,
            path=self._path,
            is_open=self.is_open,
            streams=tuple(self.streams),
            accounts=tuple(self.accounts.values()),
            sent=self.delivery.sent,
            waiting=self.delivery.waiting,
            late=self.delivery.late,
            faults=dict(self.delivery.struck),
        )

    def command(self, text: str) -> tuple[str, str]:
        """Carry out a command such as SUBSCRIBE; return its name and the answer."""
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            return "", _error(_UNREADABLE, "Invalid JSON: expected value at line 1 column 1", None)
        method, params, number = message.get("method"), message.get("params", []), message.get("id")
        names = params if isinstance(params, list) and all(isinstance(one, str) for one in params) else None
        if method == "LIST_SUBSCRIPTIONS":
            return method, json.dumps({"result": list(self.streams), "id": number})
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            return str(method), _error(_INVALID, f"Invalid request: unknown variant `{method}`", number)
        if not names or (method == "SUBSCRIBE" and not self._add(names)):
            return method, _error(_INVALID, "Invalid request: invalid stream", number)
        if method == "UNSUBSCRIBE":
            for name in names:
                self.streams.pop(name, None)
        return method, json.dumps({"result": None, "id": number}, separators=(",", ":"))

    def open_user(self, account: str) -> int:
        """Listen to an account's events; return the number of the subscription."""
        number, self._numbers = self._numbers, self._numbers + 1
        self.accounts[number] = account
        return number

    def close_user(self, number: int | None, time_ms: int) -> None:
        """Listen no more to the events of one subscription, or of all."""
        for known in list(self.accounts) if number is None else [number]:
            if self.accounts.pop(known, None) is not None:
                self._send_user(known, {"e": "eventStreamTerminated", "E": time_ms}, time_ms)

    def take(self, message: StreamMessage) -> None:
        """Send an event of a market stream."""
        if self._is_combined:
            text = f'{{"stream":{json.dumps(message.name)},"data":{message.text}}}'
            message = StreamMessage(message.group, message.name, text, message.time_ms)
        self.delivery.send(message)

    def take_user(self, account: str, event: Mapping[str, object], time_ms: int) -> None:
        """Send an event of an account, once for each time that this socket listens to it."""
        for number, owner in list(self.accounts.items()):
            if owner == account:
                self._send_user(number, event, time_ms)

    def reply(self, name: str, text: str, time_ms: int) -> None:
        """Send an answer."""
        self.delivery.send(StreamMessage(StreamGroup.REPLY, name, text, time_ms))

    def _send_user(self, number: int, event: Mapping[str, object], time_ms: int) -> None:
        said = {"subscriptionId": number, "event": event} if self.is_api else event
        text = json.dumps(said, separators=(",", ":"))
        self.delivery.send(StreamMessage(StreamGroup.USER, f"user@{event['e']}", text, time_ms))

    def _add(self, names: Sequence[str]) -> bool:
        """Listen to streams; return False, and change nothing, where one of them does not exist."""
        parsed = [parse_stream(name, self._symbols) for name in names]
        found = [stream for stream in parsed if stream is not None]
        if len(found) < len(parsed) or len({*self.streams, *names}) > _MOST_STREAMS:
            return False
        self.streams.update((stream.text, stream) for stream in found)
        return True


def _named(path: str, query: str) -> list[str]:
    """Return the streams that a URL names: `/ws/ethbtc@trade`, `/stream?streams=ethbtc@trade/ethbtc@depth`."""
    listed = dict(parse_qsl(query)).get("streams", "").split("/")
    return [part for part in (*path.split("/"), *listed) if part]


def _error(code: int, message: str, number: object) -> str:
    return json.dumps({"error": {"code": code, "msg": message}, "id": number}, separators=(",", ":"))
