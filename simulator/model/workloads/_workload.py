"""What every workload does: say which tasks there are."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph
from simulator.scenario.families import WorkloadSpec


class Workload(WorkloadSpec):
    """Makes the tasks of a replication."""

    is_random: ClassVar[bool] = False
    """Whether the tasks differ between replications."""

    @abstractmethod
    def graph(self, streams: Streams) -> TaskGraph:
        """Return the tasks.

        Parameters
        ----------
        streams : Streams
            The replication's; nothing is drawn from them where `is_random` is False.
        """

    def amdahl_fraction(self, graph: TaskGraph) -> float:
        """Return the share of the work that is off the critical path (Amdahl's p)."""
        return 1.0 - graph.critical_path / graph.total_work
