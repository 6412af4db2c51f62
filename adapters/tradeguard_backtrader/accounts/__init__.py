# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account holds, in coins and in positions, and on what terms it trades."""
