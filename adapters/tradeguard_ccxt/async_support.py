"""ccxt.async_support, guarded: `import tradeguard_ccxt.async_support as ccxt`."""

from tradeguard_ccxt.exchange import AsyncGuardedExchange as GuardedExchange
from tradeguard_ccxt.mirror import mirror, public_names

__all__ = ["GuardedExchange"]
__all__ += public_names("ccxt.async_support")  # noqa: PLE0605 - a list, which ruff cannot see

__getattr__, __dir__ = mirror("ccxt.async_support", GuardedExchange)
