"""`tradeguard demo`: a guarded Backtrader bot and a plain ccxt bot, each on a faulty local exchange, audited."""
