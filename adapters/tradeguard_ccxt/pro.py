"""ccxt.pro, guarded: `import tradeguard_ccxt.pro as ccxt`."""

from tradeguard_ccxt.exchange import ProGuardedExchange as GuardedExchange
from tradeguard_ccxt.mirror import mirror

__all__ = ["GuardedExchange"]

__getattr__, __dir__ = mirror("ccxt.pro", __all__, GuardedExchange)
