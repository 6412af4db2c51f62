"""ccxt.async_support, guarded: `import tradeguard_ccxt.async_support as ccxt`."""

from tradeguard_ccxt.exchange import AsyncGuardedExchange as GuardedExchange
from tradeguard_ccxt.mirror import mirror

__all__ = ["GuardedExchange"]

__getattr__, __dir__ = mirror("ccxt.async_support", __all__, GuardedExchange)
