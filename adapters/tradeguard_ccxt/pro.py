"""ccxt.pro, guarded: `import tradeguard_ccxt.pro as ccxt`."""

from tradeguard_ccxt.config import DEFAULT_MAX_AGE, GuardConfig
from tradeguard_ccxt.errors import (
    CallTimeoutError,
    CircuitOpenError,
    GuardedError,
    OrderAbsentError,
    OrderUnknownError,
    OutcomeUnknownError,
    TradingRestrictedError,
)
from tradeguard_ccxt.exchange import ProGuardedExchange as GuardedExchange
from tradeguard_ccxt.mirror import mirror, public_names
from tradeguard_ccxt.polled import PolledDict, PolledList, PolledResult
from tradeguard_ccxt.stale import StaleDict, StaleList, StaleResult
from tradeguard_ccxt.stream import StreamGap
from tradeguard_ccxt.stream_kinds import DEFAULT_SILENCE

__all__ = [
    "DEFAULT_MAX_AGE",
    "DEFAULT_SILENCE",
    "CallTimeoutError",
    "CircuitOpenError",
    "GuardConfig",
    "GuardedError",
    "GuardedExchange",
    "OrderAbsentError",
    "OrderUnknownError",
    "OutcomeUnknownError",
    "PolledDict",
    "PolledList",
    "PolledResult",
    "StaleDict",
    "StaleList",
    "StaleResult",
    "StreamGap",
    "TradingRestrictedError",
]
__all__ += public_names("ccxt.pro")  # noqa: PLE0605 - a list, which ruff cannot see

__getattr__, __dir__ = mirror("ccxt.pro", GuardedExchange)
