"""The plain run of a demo as its parent sees it: a child process that reports its counts."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tradeguard.cli.demo.outcome import RunOutcome
from tradeguard.cli.demo.plan import DemoPlan

__all__ = ["PlainProcess", "can_compare"]


def can_compare() -> bool:
    """Tell whether tenacity, which the plain bot needs, is installed."""
    return importlib.util.find_spec("tenacity") is not None


class PlainProcess:
    """The child process; leaving the context ends it.

    Args:
        plan: what it trades.
    """

    def __init__(self, plan: DemoPlan) -> None:
        self._plan = plan
        self._counts: Mapping[str, int] = {}
        self._outcome: RunOutcome | None = None

    def __enter__(self) -> Self:
        # A file, since a pipe that nobody reads would stop the child once it is full.
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            # -P: a file in the working directory must not pass for one of our modules.
            [sys.executable, "-P", "-m", "tradeguard.cli.demo.plain_run", self._plan.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
        )
        self._reader = threading.Thread(target=self._read, name="plain-run", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        self._reader.join()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._errors.close()

    def counts(self) -> Mapping[str, int]:
        """Return the newest counts: `orders`, `duplicated`, `lost` and `phantom`; empty before the first."""
        return self._counts

    def outcome(self, timeout: float) -> RunOutcome | None:
        """Wait for the outcome, at most `timeout` seconds; None where there is none."""
        self._reader.join(timeout)
        return self._outcome

    def failure(self) -> str:
        """Return the last line that the child wrote to stderr."""
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else "it did not end in time"

    def _read(self) -> None:
        for text in self._child.stdout or ():
            line = json.loads(text)
            if "counts" in line:
                self._counts = line["counts"]
            else:
                self._outcome = RunOutcome.from_json(json.dumps(line["outcome"]))
