"""What every workspace does: serve a call, and let its writes in or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from simulator.distributions import Distribution, SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.errors import TeamsimError, what_is
from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import COMMITTING
from simulator.model.board import Board
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.service import Service
from simulator.model.metrics import Metrics
from simulator.model.streams import Draw, Entity, Purpose, Streams
from simulator.scenario.families import WorkspaceSpec
from simulator.spec import NonNegative


@dataclass(frozen=True, slots=True)
class Desk:
    """What a workspace may use of the team around it."""

    board: Board
    metrics: Metrics
    agents: Sequence[AgentState]
    streams: Streams
    agenda: Agenda
    phases: Phases
    service: Service


class Workspace(WorkspaceSpec):
    """Makes the workspace's state in a replication."""

    has_phases: ClassVar[bool] = False
    """Whether reading, writing or waiting takes a call time beside its service."""
    needs_others: ClassVar[bool] = False
    """Whether a call may wait for an agent that is down or cut off to be there again."""
    reads_outdated: ClassVar[bool] = False
    """Whether a call may read what others have replaced, so that its tasks are `outdated`."""

    idempotent: bool = True
    """Whether an effect that is applied again changes nothing."""
    ack_loss: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability that a commit's acknowledgement is lost, so that the agent commits again."""
    ack_timeout_s: NonNegative = 1.0
    """Seconds after which an agent commits again."""

    @property
    def is_random(self) -> bool:
        """Whether chance plays a part that no distribution and no probability says."""
        return False

    @property
    def merging_s(self) -> Distribution:
        """Seconds to merge two versions of an artifact; there are none where nobody merges."""
        return constant(0.0)

    @property
    def overwrites(self) -> float:
        """Probability that a write undoes what another agent wrote and the writer has not read."""
        return 0.0

    @property
    def takes_time(self) -> bool:
        """Whether a call in this workspace is more than its service."""
        return self.has_phases or self.ack_loss > 0.0

    def state(self, desk: Desk) -> WorkspaceState:
        """Return the state of the workspace for one replication."""
        return WorkspaceState(self, desk)


class MergingWorkspace(Workspace):
    """A workspace in which there may be two versions of an artifact, which somebody merges."""

    merge_s: SharedDistribution = Field(default_factory=lambda: constant(5.0))
    """Seconds to merge two versions of an artifact."""

    @property
    def merging_s(self) -> Distribution:
        """Seconds to merge two versions of an artifact."""
        return self.merge_s


class WorkspaceState:
    """The workspace of one replication.

    Parameters
    ----------
    spec : Workspace
    desk : Desk

    Attributes
    ----------
    merge_s : callable
        Draws the seconds that it takes to merge two versions of an artifact.
    """

    __slots__ = ("_loses_acks", "_rolls_ack", "desk", "merge_s", "spec")

    spec: Workspace

    def __init__(self, spec: Workspace, desk: Desk) -> None:
        self.desk = desk
        self.spec = spec
        self._loses_acks = spec.ack_loss > 0.0
        self._rolls_ack = desk.streams.uniforms(Entity.RUN, 0, Purpose.ACKNOWLEDGEMENT)
        self.merge_s = self.draws(spec.merging_s, Purpose.MERGE)

    def draws(self, distribution: Distribution, purpose: Purpose) -> Draw:
        """Return the workspace's stream of draws for a purpose."""
        return self.desk.streams.draws(distribution, Entity.RUN, 0, purpose)

    def call(self, agent: AgentState) -> Iterator[Step]:
        """Take a call that attempts tasks through its phases, until its effects are applied."""
        return self._acknowledge(agent) if self._loses_acks else self.access(agent)

    def access(self, agent: AgentState) -> Iterator[Step]:
        """Read, serve, write: what differs between workspaces."""
        return self.serve(agent, agent.time.duration_s)

    def serve(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Be in service for so many seconds."""
        return self.desk.service.serve(agent, seconds)

    def commit(self, agent: AgentState, seconds: float) -> Iterator[Step]:
        """Read from or write to the workspace for so many seconds."""
        if seconds > 0.0:
            self.desk.phases.enter(agent, COMMITTING)
            yield seconds

    def _acknowledge(self, agent: AgentState) -> Iterator[Step]:
        """Take a call through its phases and commit again as long as no answer comes."""
        yield from self.access(agent)
        while self._rolls_ack() < self.spec.ack_loss:
            self.desk.metrics.retries += 1
            yield from self.commit(agent, self.spec.ack_timeout_s)
            if not self.spec.idempotent:
                self.desk.metrics.duplicate_effects += len(agent.call.picks)

    def call_ended(self, agent: AgentState) -> None:
        """Note that the call is over, its effects applied."""

    def abandoned(self, agent: AgentState) -> None:
        """Take an agent whose call is lost off the lists on which it waits."""

    def look_again(self) -> None:
        """Note that somebody is there again, within reach again, or known to be gone."""

    def split(self) -> None:
        """Note that an available team is cut in two."""

    def heal(self) -> None:
        """Note that it is one again."""

    def waits(self) -> Sequence[str]:
        """Say who waits for whom, for the end of a run that got stuck."""
        return ()

    def artifacts(self, agent: AgentState) -> list[int]:
        """Return the artifacts that the call's tasks write, in the order of the tasks."""
        graph = self.desk.board.graph
        if graph.artifacts is None:
            return list(agent.call.picks)
        return list(dict.fromkeys(a for task in agent.call.picks for a in graph.artifacts[task]))


def state_of(workspace: Workspace, desk: Desk) -> WorkspaceState:
    """Return the state of a workspace for one replication.

    Raises
    ------
    TeamsimError
        If the workspace of another package makes none.
    """
    made = workspace.state(desk)
    if not isinstance(made, WorkspaceState):
        raise TeamsimError(
            f"workspace {workspace.kind!r}: state returned {what_is(made)}, no WorkspaceState"
        )
    return made
