# SPDX-License-Identifier: GPL-3.0-or-later
"""`guard_feed` and `guard_broker`: guards for classes of Backtrader's that exist already."""
