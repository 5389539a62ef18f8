"""The job that is sent to each worker; the module imports no more than a worker needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pyarrow as pa

from simulator.engine import Simulation
from simulator.experiment import table
from simulator.experiment.crew import Hear
from simulator.experiment.plan import Plan, Span
from simulator.scenario import Point


class PointsJob:
    """The points, and how to compute a chunk of their replications.

    Parameters
    ----------
    points : sequence of Point
        Point i has index i.
    axes : sequence of str
        Which of their overrides become columns.
    """

    def __init__(self, points: Sequence[Point], axes: Sequence[str]) -> None:
        self._points = points
        self._schema = table.schema(points, axes)
        self.plan = Plan([point.scenario.replications for point in points])
        self._latest: tuple[int, Simulation] | None = None

    def __getstate__(self) -> tuple[Sequence[Point], pa.Schema, Plan]:
        return self._points, self._schema, self.plan

    def __setstate__(self, state: tuple[Sequence[Point], pa.Schema, Plan]) -> None:
        self._points, self._schema, self.plan = state
        self._latest = None

    def tasks(self) -> list[int]:
        """Return the tasks of a replication at each point; a wrong point is found here."""
        return [self._simulation(point.index).model.task_count for point in self._points]

    def run(self, span: Span, hear: Hear | None = None) -> pa.Table:
        """Return the rows of a chunk; `hear` is told now and then how much of it is done."""
        parts, done = [], 0
        for point, replications in self.plan.pieces(span):
            simulation, metrics = self._simulation(point), []
            for i in replications:
                tell = None if hear is None else partial(_tell, hear, done)
                metrics.append(simulation.run(i, progress=tell))
                done += 1
            fraction = simulation.model.parallel_fraction
            parts.append(
                table.rows(self._points[point], self._schema, fraction, replications, metrics)
            )
        return pa.concat_tables(parts)

    def _simulation(self, point: int) -> Simulation:
        if self._latest is None or self._latest[0] != point:
            self._latest = (point, Simulation(self._points[point].scenario))
        return self._latest[1]


def _tell(hear: Hear, done: int, share: float) -> None:
    hear(done + share)
