"""Timers: what they do, whether that can still change anything, which times are one instant."""

from __future__ import annotations

from abc import ABC, abstractmethod

AN_INSTANT = 1e-9
"""Relative difference up to which times are the same: sums of durations have rounding errors."""


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
