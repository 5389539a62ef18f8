"""The work of runs that were seen: each replication has that of one of them."""

from __future__ import annotations

from functools import cached_property
from math import fsum
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from simulator.distributions import Floats
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.spec import NonNegative, Positive, Spec


class SeenRun(Spec):
    """The work of a run that was seen."""

    sizes: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=100_000)]
    """Work units of each of its tasks."""
    start_tokens: NonNegative | None = None
    """Tokens in the context of each worker as it begins this run; what its agent says
    (`context.start_tokens`) when absent."""
    weight: Positive = 1.0
    """How often it is drawn, beside the others."""


class Resampled(Workload):
    """Each replication has the tasks of one of the `runs`, drawn with replacement.

    What goes together in the runs that were seen stays together: how many tasks there are, how
    large each is, and how much context the work begins with. (Resampling whole runs is the
    bootstrap of clustered data: Davison & Hinkley 1997, section 3.8.) The tasks depend on nothing
    and write a file each.
    """

    is_random: ClassVar[bool] = True

    kind: Literal["resampled"] = "resampled"
    runs: Annotated[tuple[SeenRun, ...], Field(min_length=1, max_length=10_000)]
    """The runs that were seen."""

    @property
    def task_count(self) -> int:
        """Mean number of tasks, rounded."""
        total = fsum(run.weight for run in self.runs)
        return max(1, round(fsum(run.weight * len(run.sizes) for run in self.runs) / total))

    @cached_property
    def _until(self) -> Floats:
        """The sums of the weights up to each run."""
        return np.cumsum([run.weight for run in self.runs])

    def graph(self, streams: Streams) -> TaskGraph:
        """Return the tasks of the run that this replication has drawn."""
        (u, *_) = streams.block(Entity.RUN, 0, Purpose.WORKLOAD, 0, 4)
        drawn = int(np.searchsorted(self._until, u * self._until[-1], side="right"))
        run = self.runs[min(drawn, len(self.runs) - 1)]
        count = len(run.sizes)
        return TaskGraph(
            names=[f"task-{i + 1}" for i in range(count)],
            sizes=run.sizes,
            dependencies=[()] * count,
            artifacts=None,
            artifact_count=count,
            start_tokens=run.start_tokens,
        )
