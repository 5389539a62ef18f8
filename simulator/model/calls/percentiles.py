"""Percentiles of the request times seen last."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque

from simulator.model.timers import AN_INSTANT


class RecentTimes:
    """The times of the last `window` requests, and their percentiles.

    Parameters
    ----------
    window : int
        How many are remembered.
    minimum : int
        How many requests must have been seen before there is a percentile.
    """

    __slots__ = ("_in_order", "_minimum", "_sorted", "_window")

    def __init__(self, window: int, minimum: int) -> None:
        self._window = window
        self._minimum = minimum
        self._in_order: deque[float] = deque()
        self._sorted: list[float] = []

    def add(self, seconds: float) -> None:
        """Remember a request's time; infinite if it was given up."""
        if len(self._in_order) == self._window:
            oldest = self._in_order.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._in_order.append(seconds)
        insort(self._sorted, seconds)

    def percentile(self, share: float) -> float:
        """Return the time that `share` of the requests took at most; infinite if unknown.

        The smallest time with at least that share of the times at or below it.
        """
        count = len(self._sorted)
        if count < self._minimum:
            return math.inf
        rank = math.ceil(share * count * (1.0 - AN_INSTANT))
        return self._sorted[max(0, rank - 1)]
