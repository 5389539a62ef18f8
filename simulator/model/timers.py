"""Timers: whether they can still change anything, and which times are the same instant."""

from __future__ import annotations

AN_INSTANT = 1e-9
"""Relative difference up to which times are the same: sums of durations have rounding errors."""


def always() -> bool:
    """Return True: this timer never comes too late."""
    return True


def never() -> bool:
    """Return False: this timer cannot get a stuck team going again."""
    return False
