"""The monitor: what recording costs, and that neither statistics nor memory grow with history."""

from __future__ import annotations

import time
from pathlib import Path

from harness import Results, measure, repeat

from tradeguard import ErrorMonitor, ErrorSeverity, NetworkException

__all__ = ["run"]

_SIZES = (10**3, 10**4, 10**5, 10**6, 10**7)
_SETTLED = 10**5
_COMPONENTS = [f"component {number}" for number in range(50)]
_ERRORS = [NetworkException(f"no answer within {number} ms") for number in range(1000)]


def run(results: Results, rounds: int) -> None:
    """Measure recording, and statistics and memory up to ten million errors."""
    monitor, error = ErrorMonitor(), _ERRORS[0]

    def record() -> None:
        monitor.record_error(error, ErrorSeverity.WARNING, "api")

    comparison = measure("recording an error", {"tradeguard record_error": repeat(record)}, rounds=rounds)
    results.add(comparison)
    took = comparison.nanoseconds["tradeguard record_error"] / 1e3
    results.fact("record_error", took, "microseconds", 3.0)
    _history(results)


def _history(results: Results) -> None:
    monitor, recorded, settled = ErrorMonitor(), 0, 0.0
    for size in _SIZES:
        for number in range(recorded, size):
            monitor.record_error(_ERRORS[number % 1000], ErrorSeverity.WARNING, _COMPONENTS[number % 50])
        recorded = size
        if size == _SETTLED:
            settled = _resident_bytes()
        took = []
        for _ in range(21):
            began = time.process_time_ns()
            monitor.get_error_statistics()
            took.append(time.process_time_ns() - began)
        results.fact(f"statistics after {size:,} errors", sorted(took)[10] / 1e3, "microseconds")
    grown = _resident_bytes() - settled
    results.fact(f"memory grown from {_SETTLED:,} to {recorded:,} errors", grown / 1024, "KiB")
    results.fact("memory for each error recorded then", grown / (recorded - _SETTLED), "bytes", 0.1)


def _resident_bytes() -> float:
    """Return what this process has in memory; on Linux alone, else 0."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return float(line.split()[1]) * 1024
