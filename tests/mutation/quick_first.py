"""A plugin that pytest loads while mutants are tested, to spend no time on one that is as good as killed."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# The same examples each time, and the first that fails will do as it is.
settings.register_profile("mutants", derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
settings.load_profile("mutants")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run quick tests before slow ones, by the times that mutmut took when it looked which test reaches what."""
    times = Path("mutmut-stats.json")
    if times.exists():
        seconds = json.loads(times.read_text(encoding="utf-8"))["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


def pytest_collection_finish() -> None:
    """Keep what is loaded by now out of every further collection of garbage."""
    gc.collect()
    gc.freeze()
