"""Ownership: each artifact has one agent that writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from simulator.distributions import SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.model.agents.agent import AgentState
from simulator.model.agents.timesheet import SERVING
from simulator.model.calls.phases import Step
from simulator.model.streams import Purpose
from simulator.model.workspaces._workspace import Desk, Workspace, WorkspaceState


class SingleWriter(Workspace):
    """Artifact i is written by worker i mod n only; the others hand it their changes.

    The owner applies a change between its own calls: who hands it in waits for the end of the
    call that the owner is in. Changes that wait for it are applied side by side, each in its time.
    """

    can_be_available: ClassVar[bool] = False
    holds_others_up: ClassVar[bool] = True
    has_phases: ClassVar[bool] = True

    kind: Literal["single_writer"] = "single_writer"
    apply_s: SharedDistribution = Field(default_factory=lambda: constant(1.0))
    """Seconds to apply another agent's change."""

    def state(self, desk: Desk) -> WorkspaceState:
        """Return the state of the workspace for one replication."""
        return _Owners(self, desk)


class _Owners(WorkspaceState):
    __slots__ = ("_apply_s", "_waiting")

    def __init__(self, spec: SingleWriter, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._apply_s = self.draws(spec.apply_s, Purpose.APPLY)
        self._waiting: dict[int, list[AgentState]] = {}

    def access(self, agent: AgentState) -> Iterator[Step]:
        """Serve, then hand the changes to the owners of the artifacts, one after another."""
        yield from self.serve(agent, agent.time.duration_s)
        desk = self.desk
        workers = sum(not other.role for other in desk.agents)
        for artifact in self.artifacts(agent):
            owner = desk.agents[artifact % workers]
            if owner is agent:
                continue
            # One call only: the owner applies changes between its calls.
            if owner.time.in_call and owner.time.phase == SERVING:
                self._waiting.setdefault(owner.index, []).append(agent)
                yield from desk.phases.wait(agent, "lock", None)
            agent.time.read_anew(desk.agenda.now)
            yield from self.commit(agent, self._apply_s())

    def call_ended(self, agent: AgentState) -> None:
        """Let those go on that wait for this owner."""
        for other in self._waiting.pop(agent.index, ()):
            self.desk.agenda.resume(other.index)

    def abandoned(self, agent: AgentState) -> None:
        """Wait for no owner any more."""
        for waiting in self._waiting.values():
            if agent in waiting:
                waiting.remove(agent)
