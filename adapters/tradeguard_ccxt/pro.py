"""ccxt.pro, guarded: `import tradeguard_ccxt.pro as ccxt`."""

from tradeguard_ccxt.exchange import ProGuardedExchange as GuardedExchange
from tradeguard_ccxt.mirror import mirror, public_names

__all__ = ["GuardedExchange"]
__all__ += public_names("ccxt.pro")  # noqa: PLE0605 - a list, which ruff cannot see

__getattr__, __dir__ = mirror("ccxt.pro", GuardedExchange)
