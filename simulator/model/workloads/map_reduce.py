"""Independent tasks, and tasks that put their results together (Dean & Ghemawat 2004)."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.spec import Positive


class MapReduce(Workload):
    """`maps` tasks without dependencies, and `reduces` tasks that need all of them.

    With ``reduces: 1`` it is a fork-join job.
    """

    kind: Literal["map_reduce"] = "map_reduce"
    maps: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Map tasks."""
    reduces: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Reduce tasks."""
    map_size: Positive = 1.0
    """Work units of a map task."""
    reduce_size: Positive = 1.0
    """Work units of a reduce task."""

    @property
    def task_count(self) -> int:
        """Number of tasks."""
        return self.maps + self.reduces

    @cached_property
    def _graph(self) -> TaskGraph:
        maps = tuple(range(self.maps))
        return TaskGraph(
            names=[f"map-{i + 1}" for i in maps] + [f"reduce-{i + 1}" for i in range(self.reduces)],
            sizes=[self.map_size] * self.maps + [self.reduce_size] * self.reduces,
            dependencies=[()] * self.maps + [maps] * self.reduces,
            artifacts=None,
            artifact_count=self.maps + self.reduces,
        )

    def graph(self, streams: Streams) -> TaskGraph:
        """Return the map tasks, then the reduce tasks."""
        return self._graph
