"""Stretches of time: their parts between two times, and the time that none of them covers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from math import fsum

Stretch = tuple[float, float]
"""Start and end, in seconds."""


class Stretches:
    """Stretches in order, so that those between two times are found without checking all."""

    def __init__(self, stretches: Sequence[Stretch]) -> None:
        self.stretches = stretches
        self._ends = [end for _, end in stretches]

    def within(self, start: float, end: float) -> list[Stretch]:
        """Return the parts of the stretches that lie between two times."""
        found = []
        for place in range(bisect_right(self._ends, start), len(self.stretches)):
            a, b = self.stretches[place]
            if a >= end:
                break
            found.append((max(a, start), min(b, end)))
        return [(a, b) for a, b in found if a < b]


def total_length(stretches: Iterable[Stretch]) -> float:
    """Return how long all of them are together, in seconds."""
    return fsum(end - start for start, end in stretches)


def gaps_between(stretches: Sequence[Stretch], makespan: float) -> list[Stretch]:
    """Return the time between 0 and the makespan that no stretch covers."""
    gaps, reached = list[Stretch](), 0.0
    for start, end in sorted(stretches):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, end)
    if reached < makespan:
        gaps.append((reached, makespan))
    return gaps
