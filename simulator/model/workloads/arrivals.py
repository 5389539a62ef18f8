"""Independent tasks that arrive over time: the team as a queueing system."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from simulator.distributions import SharedDistribution
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.spec import Positive


class Arrivals(Workload):
    """`tasks` independent tasks with random times between arrivals.

    Exponential times make a Poisson process; with exponential latencies and immediate
    claims, n asynchronous agents are then an M/M/n queue.
    """

    is_random: ClassVar[bool] = True

    kind: Literal["arrivals"] = "arrivals"
    tasks: Annotated[int, Field(ge=1, le=10_000_000)]
    """How many tasks arrive."""
    interarrival_s: SharedDistribution
    """Seconds between two arrivals."""
    size: Positive = 1.0
    """Work units of a task."""

    @property
    def task_count(self) -> int:
        """Number of tasks."""
        return self.tasks

    def graph(self, streams: Streams) -> TaskGraph:
        """Return the tasks with the arrival times of this replication."""
        gap = streams.draws(self.interarrival_s, Entity.RUN, 0, Purpose.ARRIVAL)
        arrivals = np.cumsum([gap() for _ in range(self.tasks)])
        return TaskGraph(
            names=self._names,
            sizes=[self.size] * self.tasks,
            dependencies=[()] * self.tasks,
            artifacts=None,
            artifact_count=self.tasks,
            arrivals_s=arrivals.tolist(),
        )

    @cached_property
    def _names(self) -> list[str]:
        """The names of the tasks: those of all replications."""
        return [f"task-{i + 1}" for i in range(self.tasks)]

    def amdahl_fraction(self, graph: TaskGraph) -> float:
        """Return 1: no task waits for another."""
        return 1.0
