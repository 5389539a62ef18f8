"""How a sweep is cut into chunks of work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulator.scenario import Point

_TASKS_PER_CHUNK = 50_000
_MOST_REPLICATIONS = 500


@dataclass(frozen=True, order=True)
class Chunk:
    """Consecutive replications of one point: the unit of work, of storing and of resuming."""

    index: int
    point: int
    first: int
    count: int


def chunks(points: Sequence[Point], tasks: Sequence[int]) -> Iterator[Chunk]:
    """Yield the chunks of a sweep in order; they depend on nothing but the points.

    Parameters
    ----------
    points : sequence of Point
    tasks : sequence of int, shape (points,)
        Number of tasks at each point, by which chunks are sized.
    """
    index = 0
    for point in points:
        size = max(1, min(_MOST_REPLICATIONS, _TASKS_PER_CHUNK // max(1, tasks[point.index])))
        if point.scenario.precision is not None:
            size = point.scenario.precision.minimum
        for first in range(0, point.scenario.replications, size):
            count = min(size, point.scenario.replications - first)
            yield Chunk(index, point.index, first, count)
            index += 1
