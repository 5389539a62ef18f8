"""A scenario made ready to be replicated."""

from __future__ import annotations

from functools import cached_property

from simulator.errors import TeamsimError
from simulator.model.agenda import Agenda
from simulator.model.draws_ahead import DrawsAhead
from simulator.model.replication import Replication, cast_of
from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph, broken_rule
from simulator.model.trace import Trace
from simulator.model.workloads import Workload
from simulator.scenario import Scenario


class Model:
    """A scenario made ready to be replicated.

    Parameters
    ----------
    scenario : Scenario
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.workload = Workload.of(scenario.workload)
        self._cast = cast_of(scenario)
        self._ahead = DrawsAhead(scenario.seed, scenario.replications)

    @cached_property
    def parallel_fraction(self) -> float:
        """Amdahl's p of the workload (of replication 0's tasks if they are random)."""
        return self.workload.amdahl_fraction(self._first_graph)

    @cached_property
    def task_count(self) -> int:
        """Number of tasks (of replication 0 if they are random)."""
        return len(self._first_graph)

    @cached_property
    def _first_graph(self) -> TaskGraph:
        return self._graph(Streams(self.scenario.seed, 0))

    def _graph(self, streams: Streams) -> TaskGraph:
        """Return the tasks of a replication; those of another package are looked at.

        Raises
        ------
        TeamsimError
            If there is something wrong with them.
        """
        graph = self.workload.graph(streams)
        rule = "" if self.workload.ships() else broken_rule(graph)
        if rule:
            raise TeamsimError(f"workload {self.workload.kind!r}: {rule}")
        return graph

    def replicate(self, replication: int, agenda: Agenda, trace: Trace | None) -> Replication:
        """Return the fresh state of one replication."""
        streams = Streams(self.scenario.seed, replication, self._ahead)
        graph = self._graph(streams) if self.workload.is_random else self._first_graph
        return Replication(self.scenario, self._cast, graph, streams, agenda, trace)
