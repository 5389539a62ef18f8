"""What is to happen, by its time, in a binary heap.

The compiled build has this in C: `.ci/compiling/heap.pyx`.
"""

from __future__ import annotations

import math
from heapq import heappop, heappush


class Heap:
    """Things by their times; of those of one time by their ranks, then as they were put in.

    Attributes
    ----------
    time : float
        Of what was taken out last.
    """

    __slots__ = ("_count", "_entries", "time")

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, int, object]] = []
        self._count = 0
        self.time = 0.0

    def push(self, time: float, rank: int, thing: object) -> None:
        """Put something in."""
        self._count += 1
        heappush(self._entries, (time, rank, self._count, thing))

    def pop(self) -> object:
        """Take out what comes first.

        Raises
        ------
        IndexError
            If there is nothing.
        """
        self.time, _, _, thing = heappop(self._entries)
        return thing

    def up_to(self, time: float, after: float = -math.inf) -> list[object]:
        """Return what has times up to one and after another, in no order.

        What is later is not looked through.
        """
        entries, found = self._entries, list[object]()
        count, places = len(entries), [0]
        for place in places:
            if place < count:
                entry = entries[place]
                if entry[0] <= time:
                    if entry[0] > after:
                        found.append(entry[3])
                    places += (2 * place + 1, 2 * place + 2)  # where what comes after it is
        return found

    def clear(self) -> None:
        """Drop all."""
        self._entries.clear()
