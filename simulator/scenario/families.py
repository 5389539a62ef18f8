"""The families of plugins that a scenario names, and what it asks of a plugin of each.

The abstract classes of the model, which derive from these, say what a plugin does in a replication.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from simulator.distributions import DISTRIBUTIONS
from simulator.registry import Plugin, Registry

NO_MANAGER = -1


class TopologySpec(Plugin):
    """Says who hears whom, and who reports to whom.

    Workers are agents 0..n-1. Coordinators, if there are any, come after them, the level next to
    the workers first. A coordinator reads reports and answers them, which takes time like any
    agent's calls; it takes no tasks.
    """

    is_silent: ClassVar[bool] = False
    """Whether agents say nothing to each other."""

    @property
    def aggregates(self) -> bool:
        """Whether the coordinator makes one call, when all tasks are done, and no other."""
        return False

    def managers(self, workers: int) -> Sequence[int]:
        """Return the coordinator that each agent reports to, or `NO_MANAGER`.

        Returns
        -------
        sequence of int, shape (workers + coordinators,)
            Its length says how many coordinators there are.
        """
        return [NO_MANAGER] * workers

    def coordinators(self, workers: int) -> int:
        """Return how many coordinators a team of so many workers has."""
        managers = self.managers(workers)
        # What else a plugin may return is told where the team is made.
        return len(managers) - workers if isinstance(managers, Sequence) else 0

    def has_lead(self, workers: int) -> bool:
        """Return whether there are coordinators while there are tasks to do."""
        return self.coordinators(workers) > 0 and not self.aggregates

    def problem_in(self, workers: int) -> str | None:
        """Return what is wrong with this topology for so many workers, or None."""
        return None


class ProtocolSpec(Plugin):
    """Says how work reaches agents."""

    can_back_up: ClassVar[bool] = True
    """Whether a task is one agent's, which another can do again as a backup."""
    can_take_over: ClassVar[bool] = True
    """Whether it can continue the work of another protocol in mid-run, without coordinators."""
    copies_tasks: ClassVar[bool] = False
    """Whether several agents are at the same task, and the first to finish cancels the others."""
    answers_others: ClassVar[bool] = False
    """Whether an agent's next call depends on what others have asked it by then."""
    has_claims: ClassVar[bool] = False
    """Whether agents claim tasks, which are theirs until they hand them in."""

    @property
    def counts_rounds(self) -> bool:
        """Whether something happens to tasks after so many rounds."""
        return False

    def problem_in(self, topology: TopologySpec, workers: int) -> str | None:
        """Return what is wrong with this protocol in so large a team, or None."""
        return None


class WorkloadSpec(Plugin):
    """Says which tasks there are."""

    @property
    def task_count(self) -> int:
        """How many tasks there are at least, as is known before they are made."""
        return 1

    @property
    def link_bytes(self) -> float:
        """How much memory it takes to draw which task needs which."""
        return 0.0


class WorkspaceSpec(Plugin):
    """The artifacts that agents write, and what keeps their writes consistent."""

    holds_others_up: ClassVar[bool] = False
    """Whether an agent may hold, during its call, something that others wait for in theirs."""
    can_be_available: ClassVar[bool] = True
    """Whether a minority can write without the others."""

    on_partition: Literal["consistent", "available"] = "consistent"
    """What the minority does in a partition. ``consistent``: it waits. ``available``: it goes on
    with what it knows; afterwards the work of both sides is merged."""

    @model_validator(mode="after")
    def _a_minority_can_go_on(self) -> Self:
        if self.on_partition == "available" and not self.can_be_available:
            raise ValueError(
                f"workspace {self.kind!r} cannot be 'available' in a partition: a minority has "
                "nobody to ask whether it may write; use 'consistent'"
            )
        return self


class LatencySpec(Plugin):
    """Says how long a call takes, given its size."""


TOPOLOGIES: Registry[TopologySpec] = Registry(
    "topology", "simulator.model.topologies", "teamsim.topologies"
)
PROTOCOLS: Registry[ProtocolSpec] = Registry(
    "protocol", "simulator.model.protocols", "teamsim.protocols"
)
WORKLOADS: Registry[WorkloadSpec] = Registry(
    "workload", "simulator.model.workloads", "teamsim.workloads"
)
WORKSPACES: Registry[WorkspaceSpec] = Registry(
    "workspace", "simulator.model.workspaces", "teamsim.workspaces"
)
LATENCY_MODELS: Registry[LatencySpec] = Registry(
    "latency model", "simulator.model.latency", "teamsim.latency_models"
)

REGISTRIES: tuple[Registry[Plugin], ...] = (
    TOPOLOGIES,
    PROTOCOLS,
    WORKLOADS,
    WORKSPACES,
    LATENCY_MODELS,
    DISTRIBUTIONS,
)
"""Every family."""
