"""What timers say of themselves: whether they can still change anything."""

from __future__ import annotations


def always() -> bool:
    """Return True: this timer never comes too late."""
    return True


def never() -> bool:
    """Return False: this timer cannot get a stuck team going again."""
    return False
