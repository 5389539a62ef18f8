"""The generator behind Amdahl's law: a serial chain and independent tasks."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.spec import Fraction, Positive


class ParallelFraction(Workload):
    """A chain of (1 - p) N tasks, and p N tasks that depend on nothing else.

    With ``arrangement: beside`` the independent tasks can overlap the chain; with ``after``
    they wait for its end, which is the case that Amdahl's law describes.
    """

    kind: Literal["parallel_fraction"] = "parallel_fraction"
    tasks: Annotated[int, Field(ge=1, le=10_000_000)] = 20
    """Number of tasks N when each has size 1; the total work is N times `size`."""
    parallel_fraction: Fraction
    """Share p of the tasks that is off the chain (rounded to whole tasks)."""
    arrangement: Literal["beside", "after"] = "beside"
    """Whether the independent tasks start beside the chain or after it."""
    size: Positive = 1.0
    """Work units of a task."""
    files: Literal["own", "shared"] = "own"
    """Whether each task writes a file of its own, or all the same one."""

    @property
    def task_count(self) -> int:
        """Number of tasks."""
        return self.tasks

    @cached_property
    def _graph(self) -> TaskGraph:
        independent = round(self.parallel_fraction * self.tasks)
        chain = self.tasks - independent
        first_needs: tuple[int, ...] = ()
        if self.arrangement == "after" and chain > 0:
            first_needs = (chain - 1,)
        dependencies = [() if i == 0 else (i - 1,) for i in range(chain)]
        return TaskGraph(
            names=[f"chain-{i + 1}" for i in range(chain)]
            + [f"independent-{i + 1}" for i in range(independent)],
            sizes=[self.size] * self.tasks,
            dependencies=[*dependencies, *([first_needs] * independent)],
            artifacts=None if self.files == "own" else [(0,)] * self.tasks,
            artifact_count=self.tasks if self.files == "own" else 1,
        )

    def graph(self, streams: Streams) -> TaskGraph:
        """Return the chain, then the independent tasks."""
        return self._graph

    def amdahl_fraction(self, graph: TaskGraph) -> float:
        """Return p as it came out after rounding to whole tasks."""
        return round(self.parallel_fraction * self.tasks) / self.tasks
