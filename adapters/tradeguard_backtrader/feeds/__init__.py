# SPDX-License-Identifier: GPL-3.0-or-later
"""The feed: history and live bars of an exchange, by REST and by websocket, as Backtrader wants them."""
