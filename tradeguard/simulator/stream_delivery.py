"""Delivery: what of the exchange's own messages leaves through one socket, when, and in what state."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from tradeguard.simulator.fault_plan import FaultPlan
from tradeguard.simulator.sockets import Frame, FrameKind, Line
from tradeguard.simulator.stream_faults import StreamFault, StreamFaultKind, StreamGroup

__all__ = ["StreamDelivery", "StreamMessage"]

_NO_CLOSE_FRAME = 1006


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message as it ought to be sent.

    Attributes:
        group: which faults it is for.
        name: of its stream.
        text: its JSON.
        time_ms: epoch milliseconds of exchange time at which it is sent.
    """

    group: StreamGroup
    name: str
    text: str
    time_ms: int


class StreamDelivery:
    """Sends messages through one socket, faults included. Not thread-safe.

    Args:
        line: the way out.
        faults: what goes wrong.
        seed: of the faults' random draws.

    Attributes:
        sent: messages sent so far.
        struck: how often each kind of fault has struck.
    """

    def __init__(self, line: Line, faults: FaultPlan, seed: int) -> None:
        self.sent = 0
        self.struck: Counter[str] = Counter()
        self._line = line
        self._faults = faults
        self._seed = seed
        self._frozen: list[tuple[StreamFault, float]] = []
        self._late: deque[tuple[int, tuple[Frame, ...]]] = deque()
        self._held: tuple[int, tuple[Frame, ...]] | None = None
        self._is_over = False

    @property
    def waiting(self) -> int:
        """How many messages are about to leave."""
        return self._line.waiting

    @property
    def late(self) -> int:
        """How many messages a fault holds back."""
        return len(self._late) + (self._held is not None)

    def send(self, message: StreamMessage) -> None:
        """Send a message, or let a fault have it."""
        self.release(message.time_ms)
        if self._is_over or self._is_frozen(message):
            return
        fault = self._faults.draw_stream(message.group, message.name, self._seed)
        if fault is None:
            self._leave((Frame(text=message.text),), message.time_ms, 0.0)
            return
        self.struck[fault.label] += 1
        self._suffer(fault, message)

    def end(self, frame: Frame) -> None:
        """Do something that the connection does not survive; what is late on it is lost."""
        self._is_over = True
        self._late.clear()
        self._held = None
        self._line.post((frame,))

    def release(self, now_ms: int) -> None:
        """Send what was late until now."""
        while self._late and self._late[0][0] <= now_ms:
            self._post(self._late.popleft()[1])
        if self._held is not None and self._held[0] <= now_ms:
            self._let_go(now_ms)

    def _suffer(self, fault: StreamFault, message: StreamMessage) -> None:
        whole, now_ms = Frame(text=message.text), message.time_ms
        match fault.kind:
            case StreamFaultKind.LOST:
                return
            case StreamFaultKind.FROZEN:
                duration = float("inf") if fault.duration is None else fault.duration * 1000
                self._frozen.append((fault, now_ms + duration))
            case StreamFaultKind.DROPPED:
                self.end(Frame(FrameKind.RESET))
            case StreamFaultKind.CLOSED if fault.code == _NO_CLOSE_FRAME:
                self.end(Frame(FrameKind.END))
            case StreamFaultKind.CLOSED:
                self.end(Frame(FrameKind.CLOSE, code=fault.code))
            case StreamFaultKind.REORDERED if self._held is None:
                self._held = (now_ms + round(fault.delay * 1000), (whole,))
            case StreamFaultKind.LAGGING:
                self._leave((whole,), now_ms, fault.delay)
            case StreamFaultKind.DUPLICATED:
                self._leave((whole, whole), now_ms, 0.0)
            case StreamFaultKind.TRUNCATED:
                self._leave((Frame(text=message.text[: len(message.text) // 2]),), now_ms, 0.0)
            case StreamFaultKind.GARBAGE:
                self.end(Frame(FrameKind.GARBAGE))
            case _:
                self._leave((whole,), now_ms, 0.0)

    def _is_frozen(self, message: StreamMessage) -> bool:
        self._frozen = [(fault, until) for fault, until in self._frozen if message.time_ms < until]
        return any(fault.is_for(message.group, message.name) for fault, _ in self._frozen)

    def _leave(self, frames: tuple[Frame, ...], now_ms: int, delay: float) -> None:
        """Send frames behind those that are late, and then the one that was held back for them."""
        due_ms = now_ms + round(delay * 1000)
        if self._late:
            due_ms = max(due_ms, self._late[-1][0])
        if due_ms > now_ms:
            self._late.append((due_ms, frames))
        else:
            self._post(frames)
        if self._held is not None:
            self._let_go(now_ms)

    def _let_go(self, now_ms: int) -> None:
        if self._held is not None:
            (_, frames), self._held = self._held, None
            self._leave(frames, now_ms, 0.0)

    def _post(self, frames: tuple[Frame, ...]) -> None:
        self.sent += len(frames)
        self._line.post(frames)
