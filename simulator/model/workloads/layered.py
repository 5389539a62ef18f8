"""Random layered graphs: each task needs some of the layer before (Tobita & Kasahara 2002)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from simulator.distributions import SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.spec import Fraction


class Layered(Workload):
    """`layers` layers of `width` tasks, drawn anew for each replication.

    Every task needs each task of the layer before with probability `coupling`, and artifacts
    are shared by `sharing`: with that probability a task writes the file of another one.
    """

    is_random: ClassVar[bool] = True

    kind: Literal["layered"] = "layered"
    layers: Annotated[int, Field(ge=1, le=100_000)] = 5
    """Layers."""
    width: Annotated[int, Field(ge=1, le=100_000)] = 4
    """Tasks of a layer."""
    coupling: Fraction = 0.3
    """Probability that a task needs a given task of the layer before."""
    sharing: Fraction = 0.0
    """Probability that a task also writes the file of another task of its layer."""
    size: SharedDistribution = Field(default_factory=lambda: constant(1.0))
    """Work units of a task, at least 0.001."""

    @property
    def task_count(self) -> int:
        """Number of tasks."""
        return self.layers * self.width

    @property
    def link_bytes(self) -> float:
        """Memory of the draws, one for each pair of a task and one of the layer before, and links.

        Measured with layers of 1,000 and 2,000 tasks.
        """
        return self.task_count * self.width * (8.0 + 37.0 * self.coupling)

    def graph(self, streams: Streams) -> TaskGraph:
        """Return the graph of this replication."""
        count, width = self.layers * self.width, self.width
        rolls = streams.block(Entity.RUN, 0, Purpose.WORKLOAD, 0, count * (width + 2))
        rolls = rolls.reshape(count, width + 2)
        size = streams.draws(self.size, Entity.RUN, 0, Purpose.SIZE)
        dependencies: list[tuple[int, ...]] = []
        artifacts: list[tuple[int, ...]] = []
        for task in range(count):
            first = (task // width - 1) * width
            needed = np.flatnonzero(rolls[task, :width] < self.coupling) if first >= 0 else ()
            dependencies.append(tuple(first + int(i) for i in needed))
            other = task // width * width + int(rolls[task, width + 1] * width)
            shares = rolls[task, width] < self.sharing and other != task
            artifacts.append((task, other) if shares else (task,))
        return TaskGraph(
            names=[f"layer-{i // width + 1}-task-{i % width + 1}" for i in range(count)],
            sizes=[max(1e-3, size()) for _ in range(count)],
            dependencies=dependencies,
            artifacts=artifacts,
            artifact_count=count,
        )
