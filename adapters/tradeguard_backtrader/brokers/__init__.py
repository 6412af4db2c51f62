# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker: from `buy()` to the exchange, and from its fills back to the strategy."""
