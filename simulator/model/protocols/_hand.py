"""A hand: the tasks that one agent can start, in topological order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

_TAKEN = 1000
"""So many places of tasks that were taken are given up at once."""


class Hand:
    """Places of tasks in the topological order, the first of which is taken first.

    Most tasks come in order, so that each is put behind the others; to take one is to go on by a
    place.
    """

    __slots__ = ("_place", "_ranks")

    def __init__(self) -> None:
        self._ranks: list[int] = []
        self._place = 0
        """Of the first that is not taken."""

    def copy(self) -> Hand:
        """Return an independent copy."""
        other = Hand()
        other._ranks = self._ranks[self._place :]
        return other

    def is_empty(self) -> bool:
        """Return whether there is none: quicker than to ask for its length."""
        return self._place == len(self._ranks)

    def __len__(self) -> int:
        return len(self._ranks) - self._place

    def __iter__(self) -> Iterator[int]:
        return iter(self._ranks[self._place :])

    def __contains__(self, rank: int) -> bool:
        place = bisect_left(self._ranks, rank, self._place)
        return place < len(self._ranks) and self._ranks[place] == rank

    def first(self) -> int:
        """Return the first, of at least one."""
        return self._ranks[self._place]

    def put(self, rank: int) -> None:
        """Put one in."""
        ranks = self._ranks
        last = ranks[-1] if ranks else -1
        if last < rank:
            ranks.append(rank)
        else:
            insort(ranks, rank, self._place)

    def take(self) -> int:
        """Take the first out, of at least one."""
        place, ranks = self._place, self._ranks
        rank = ranks[place]
        self._place = place = place + 1
        if place == len(ranks) or place == _TAKEN:
            del ranks[:place]
            self._place = 0
        return rank

    def discard(self, rank: int) -> None:
        """Take one out, if it is in."""
        place = bisect_left(self._ranks, rank, self._place)
        if place < len(self._ranks) and self._ranks[place] == rank:
            del self._ranks[place]
