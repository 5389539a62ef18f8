"""Items that go through the same stages, one after another."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.spec import Positive


class PipelineWorkload(Workload):
    """`items` chains of `stages` tasks each: stage s of an item waits for its stage s - 1."""

    kind: Literal["pipeline"] = "pipeline"
    items: Annotated[int, Field(ge=1, le=10_000_000)] = 10
    """Chains."""
    stages: Annotated[int, Field(ge=1, le=100_000)] = 3
    """Tasks of a chain."""
    sizes: tuple[Positive, ...] = ()
    """Work units of each stage; 1 when absent."""

    @property
    def task_count(self) -> int:
        """Number of tasks."""
        return self.items * self.stages

    @cached_property
    def _graph(self) -> TaskGraph:
        sizes = [*self.sizes, *([1.0] * (self.stages - len(self.sizes)))][: self.stages]
        # By item, so that agents who take what is listed first finish items early.
        return TaskGraph(
            names=[
                f"item-{i + 1}-stage-{s + 1}" for i in range(self.items) for s in range(self.stages)
            ],
            sizes=sizes * self.items,
            dependencies=[
                (i * self.stages + s - 1,) if s else ()
                for i in range(self.items)
                for s in range(self.stages)
            ],
            artifacts=None,
            artifact_count=self.items * self.stages,
        )

    def graph(self, streams: Streams) -> TaskGraph:
        """Return the chains, one after another."""
        return self._graph
