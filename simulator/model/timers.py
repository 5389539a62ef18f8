"""Timers: what they do, whether that can still change anything, which times are one instant."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

AN_INSTANT = 1e-9
"""Relative difference up to which times are the same: sums of durations have rounding errors."""


def whole_periods(now: float, period_s: float) -> int:
    """Return how many whole periods have passed, the one that ends now included."""
    return math.floor(now / period_s * (1.0 + AN_INSTANT))


class Timer(ABC):
    """What goes off at a time that the agenda is told."""

    __slots__ = ()

    @abstractmethod
    def matters(self) -> bool:
        """Return whether it can still change anything."""

    @abstractmethod
    def go_off(self) -> None:
        """Do what is due."""


def always() -> bool:
    """Return True: this timer never comes too late."""
    return True


def never() -> bool:
    """Return False: this timer cannot get a stuck team going again."""
    return False
