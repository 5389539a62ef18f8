"""The work of runs that were seen: each replication has that of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from math import fsum, log10
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from simulator.distributions import Floats
from simulator.documents import MOST_NUMBER
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import RunFactors, TaskGraph
from simulator.model.workloads._workload import Workload
from simulator.spec import NonNegative, Positive, Spec

Width = Annotated[int, Field(ge=1, strict=True)]
"""Tasks of a stage."""

MOST_POWER = 3.0
"""Largest power of the work of a run, either way."""

Power = Annotated[float, Field(ge=-MOST_POWER, le=MOST_POWER)]
"""A power of the work of a run."""

_MOST_LOG10 = log10(MOST_NUMBER)
"""A run's factor is at most what any number of a scenario is: draws times it are finite then."""


class PowersOfWork(Spec):
    """How runs of much work differ from runs of little, by powers of their work.

    A run with w work units in all its tasks has ``(w / at_work) ** power`` times what the agents
    say.
    """

    at_work: Positive
    """Work units of a run in which all is as the agents say."""
    output: Power = 0.0
    """Power for the tokens that a call of each worker writes (`tokens.output`, `per_work_unit`)."""
    growth: Power = 0.0
    """Power for the tokens that a turn of each worker adds to its context besides
    (`context.turn_tokens`, `context.first_turn_tokens`, `result_tokens` of tools)."""
    tools: Power = 0.0
    """Power for the seconds that the tools of each worker take."""

    def factors(self, work: float) -> RunFactors:
        """Return the factors of a run with so many work units."""
        share = work / self.at_work
        return RunFactors(*(share**power for power in (self.output, self.growth, self.tools)))

    def check(self, work: float) -> None:
        """Raise ValueError if a run with so many work units has a factor that is too large."""
        powers = {"output": self.output, "growth": self.growth, "tools": self.tools}
        for name, power in powers.items():
            if power * (log10(work) - log10(self.at_work)) > _MOST_LOG10:
                raise ValueError(
                    f"by_work: a run of {work:g} work units would have more than {MOST_NUMBER:g} "
                    f"times what the agents say ({name}); bring 'at_work' ({self.at_work:g}) "
                    f"nearer to the work of the runs, or '{name}' ({power:g}) nearer to 0"
                )


class SeenRun(Spec):
    """The work of a run that was seen."""

    sizes: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=100_000)]
    """Work units of each of its tasks."""
    stages: Annotated[tuple[Width, ...], Field(max_length=100_000)] = ()
    """How many of the tasks are in each stage, in order: a task waits for all tasks of the stage
    before. The tasks wait for nothing when empty."""
    families: Annotated[tuple[str, ...], Field(max_length=100_000)] = ()
    """Family of the agents to one of whom `pre_assigned` deals each task, in turn; all agents when
    empty. Under other protocols anybody may do it."""
    arrivals_s: Annotated[tuple[NonNegative, ...], Field(max_length=100_000)] = ()
    """Simulated second at which each task appears; all are there from the start when empty."""
    start_tokens: NonNegative | None = None
    """Tokens in the context of each worker as it begins this run; what its agent says
    (`context.start_tokens`) when absent."""
    weight: Positive = 1.0
    """How often it is drawn, beside the others."""

    @model_validator(mode="after")
    def _says_the_same_of_all_tasks(self) -> Self:
        tasks = len(self.sizes)
        counts = {
            "stages": sum(self.stages),
            "families": len(self.families),
            "arrivals_s": len(self.arrivals_s),
        }
        for name, count in counts.items():
            if count not in (0, tasks):
                raise ValueError(f"'{name}' has {count:,} tasks, and 'sizes' has {tasks:,}")
        return self

    @cached_property
    def graph(self) -> TaskGraph:
        """The tasks."""
        return self._graph(self.stages or (len(self.sizes),))

    @cached_property
    def chain(self) -> TaskGraph:
        """The tasks, each of which waits for the one before."""
        return self._graph((1,) * len(self.sizes))

    def _graph(self, stages: Sequence[int]) -> TaskGraph:
        count = len(self.sizes)
        return TaskGraph(
            names=[f"task-{i + 1}" for i in range(count)],
            sizes=self.sizes,
            dependencies=_dependencies(stages),
            artifacts=None,
            artifact_count=count,
            arrivals_s=self.arrivals_s if any(self.arrivals_s) else (),
            doers=[(family, 0) for family in self.families],
            start_tokens=self.start_tokens,
        )


def _dependencies(stages: Sequence[int]) -> list[Sequence[int]]:
    """Return the tasks that each task waits for: all of the stage before its own."""
    found: list[Sequence[int]] = []
    before: Sequence[int] = ()
    for width in stages:
        stage = range(len(found), len(found) + width)
        found += [before] * width
        before = stage
    return found


class Resampled(Workload):
    """Each replication has the tasks of one of the `runs`, drawn with replacement.

    What goes together in the runs that were seen stays together: how many tasks there are, how
    large each is, when it appears, which are in stages that wait for each other, who does them, and
    how much context the work begins with. (Resampling whole runs is the bootstrap of clustered
    data: Davison & Hinkley 1997, section 3.8.) The tasks write a file each.
    """

    is_random: ClassVar[bool] = True

    kind: Literal["resampled"] = "resampled"
    runs: Annotated[tuple[SeenRun, ...], Field(min_length=1, max_length=10_000)]
    """The runs that were seen."""
    in_order: bool = False
    """Whether each task waits for the one before, in runs that do not say `stages`: requests of a
    person who builds on the answers."""
    by_work: PowersOfWork | None = None
    """How runs of much work differ from runs of little; not at all when absent."""

    @model_validator(mode="after")
    def _has_factors_that_are_numbers(self) -> Self:
        if self.by_work is not None:
            for work in {fsum(run.sizes) for run in self.runs}:
                self.by_work.check(work)
        return self

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
        drawn = min(drawn, len(self.runs) - 1)
        found = self._graphs.get(drawn)
        if found is None:
            found = self._graphs[drawn] = self._graph_of(self.runs[drawn])
        return found

    @cached_property
    def _graphs(self) -> dict[int, TaskGraph]:
        """The tasks of the runs that were drawn, by their numbers."""
        return {}

    def _graph_of(self, run: SeenRun) -> TaskGraph:
        graph = run.chain if self.in_order and not run.stages else run.graph
        if self.by_work is None:
            return graph
        return replace(graph, run_factors=self.by_work.factors(fsum(run.sizes)))
