"""The replications of a sweep in one line, and which of them belong to which point."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, order=True, slots=True)
class Span:
    """Replications ``start <= i < stop``, numbered through all points of a sweep."""

    start: int
    stop: int

    @property
    def count(self) -> int:
        """How many there are."""
        return self.stop - self.start


class Plan:
    """Lays the replications of all points end to end.

    Parameters
    ----------
    replications : sequence of int, shape (points,)
        Most replications of each point.
    """

    def __init__(self, replications: Sequence[int]) -> None:
        self._starts = [0, *accumulate(replications)]

    @property
    def total(self) -> int:
        """Replications of all points."""
        return self._starts[-1]

    def span(self, point: int, first: int, stop: int) -> Span:
        """Return the span of replications `first` to `stop` (exclusive) of a point."""
        return Span(self._starts[point] + first, self._starts[point] + stop)

    def pieces(self, span: Span) -> Iterator[tuple[int, range]]:
        """Yield point and replications for each point that a span reaches into."""
        start = span.start
        point = bisect_right(self._starts, start) - 1
        while start < span.stop:
            origin, end = self._starts[point], min(span.stop, self._starts[point + 1])
            if end > start:
                yield point, range(start - origin, end - origin)
            start, point = end, point + 1


def without(wanted: Iterable[Span], covered: Iterable[Span]) -> list[Span]:
    """Return the parts of `wanted` that are not in `covered`, in the order of `wanted`.

    Parameters
    ----------
    wanted : iterable of Span
    covered : iterable of Span
        Sorted, not overlapping.
    """
    kept = list(covered)
    ends = [span.stop for span in kept]
    left = []
    for span in wanted:
        start = span.start
        for there in kept[bisect_right(ends, start) :]:
            if there.start >= span.stop:
                break
            if there.start > start:
                left.append(Span(start, there.start))
            start = there.stop
        if start < span.stop:
            left.append(Span(start, span.stop))
    return left


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, with those that touch joined."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].stop:
            result[-1] = Span(result[-1].start, max(result[-1].stop, span.stop))
        else:
            result.append(span)
    return result
