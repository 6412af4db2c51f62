# SPDX-License-Identifier: GPL-3.0-or-later
"""Background work, one step at a time: on threads in life, in the loop's own thread in tests.

A step does one piece of work, such as one request, and returns the seconds after which it wants to be called
again, or None to wait until it is woken. It never raises for what an exchange does; what it does raise is a
defect, which is carried to the loop's thread and ends the run.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from typing import Protocol

from tradeguard.clock import Clock

__all__ = ["InlineWorkers", "Step", "ThreadWorkers", "Worker", "Workers"]

Step = Callable[[], "float | None"]

_logger = logging.getLogger("tradeguard.backtrader")


class Worker(Protocol):
    """One repeated step."""

    def wake(self) -> None:
        """Have the step called at once, or once more if it is being called."""
        ...

    def retire(self) -> None:
        """Have the step never called again."""
        ...


class Workers(Protocol):
    """Whatever calls the steps."""

    def start(self, name: str, step: Step) -> Worker:
        """Begin to call `step`; `name` is for people who look at threads."""
        ...

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until `ready()`, at most `seconds`, and return what it says then."""
        ...

    def stop(self, seconds: float) -> bool:
        """Retire all, wait at most `seconds` for steps under way, and tell whether none is left."""
        ...


class ThreadWorkers:
    """A daemon thread for each step."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._workers: list[_ThreadWorker] = []
        self._defect: BaseException | None = None

    def start(self, name: str, step: Step) -> Worker:
        """Begin to call `step` on a thread of its own."""
        worker = _ThreadWorker(name, step, self._step_done)
        self._workers.append(worker)
        worker.thread.start()
        return worker

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until `ready()`, at most `seconds`.

        Raises:
            BaseException: what a step raised.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._defect is not None or ready(), timeout=seconds)
            defect, self._defect = self._defect, None
        if defect is not None:
            raise defect
        return ready()

    def stop(self, seconds: float) -> bool:
        """Retire all threads; one that hangs in a call is left to end by itself.

        What nobody has waited for is logged: a run never ends by a defect of the one before.
        """
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.retire()
        with self._changed:
            ended = self._changed.wait_for(lambda: all(worker.done for worker in workers), timeout=seconds)
            defect, self._defect = self._defect, None
        if defect is not None:
            _logger.error("a background step failed as the run ended", exc_info=defect)
        return ended

    def _step_done(self, defect: BaseException | None) -> None:
        with self._changed:
            if defect is not None:
                self._defect = defect
            self._changed.notify_all()


class _ThreadWorker:
    def __init__(self, name: str, step: Step, report: Callable[[BaseException | None], None]) -> None:
        self._step = step
        self._report = report
        self._woken = threading.Event()
        self._retired = threading.Event()
        self.done = False
        self.thread = threading.Thread(target=self._run, name=f"tradeguard-{name}", daemon=True)

    def wake(self) -> None:
        self._woken.set()

    def retire(self) -> None:
        self._retired.set()
        self._woken.set()

    def _run(self) -> None:
        defect: BaseException | None = None
        while defect is None and not self._retired.is_set():
            self._woken.clear()
            pause: float | None = None
            try:
                pause = self._step()
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that runs the loop
                defect = error
            if defect is not None and self._retired.is_set():
                _logger.error("%s failed after its run", self.thread.name, exc_info=defect)
                break
            self._report(defect)
            if defect is None and not self._retired.is_set():
                self._woken.wait(pause)
        self.done = True
        self._report(None)


class InlineWorkers:
    """Calls each step when it is due, within `wait_for` and in its thread.

    With a `ManualClock` that the simulated exchange shares, a day of trading passes in seconds and twice in
    the same way.

    Args:
        clock: tells when a step is due; its `sleep` passes the time in between.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._workers: list[_InlineWorker] = []

    def start(self, name: str, step: Step) -> Worker:
        """Note `step` as due now."""
        worker = _InlineWorker(name, step)
        self._workers.append(worker)
        return worker

    def wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Call what falls due within `seconds` until `ready()`."""
        deadline = self._clock.monotonic() + seconds
        while not ready():
            worker = min(self._workers, key=lambda each: each.due, default=None)
            now = self._clock.monotonic()
            if worker is None or worker.due > deadline:
                self._clock.sleep(max(deadline - now, 0.0))
                return ready()
            self._clock.sleep(max(worker.due - now, 0.0))
            worker.call(self._clock)
        return True

    def stop(self, seconds: float) -> bool:
        """Forget all steps."""
        self._workers.clear()
        return True


class _InlineWorker:
    def __init__(self, name: str, step: Step) -> None:
        self.name = name
        self.due = -math.inf
        self._step = step

    def wake(self) -> None:
        self.due = -math.inf

    def retire(self) -> None:
        self._step = lambda: None

    def call(self, clock: Clock) -> None:
        self.due = math.inf  # unless the step wakes itself
        pause = self._step()
        if pause is not None and self.due == math.inf:
            self.due = clock.monotonic() + pause
