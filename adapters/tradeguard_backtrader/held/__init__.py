# SPDX-License-Identifier: GPL-3.0-or-later
"""Orders that the exchange cannot hold, held here and kept over a restart."""
