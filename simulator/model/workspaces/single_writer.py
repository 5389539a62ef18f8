"""Ownership: each artifact has one agent that writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    Who hands a change to an owner that is down, or that a partition separates from it, waits until
    the owner is there again. Of a worker whose tasks have gone to others, since a detector has
    found it dead or it has taken a coordinator's seat, the next worker writes the artifacts.
    """

    can_be_available: ClassVar[bool] = False
    holds_others_up: ClassVar[bool] = True
    has_phases: ClassVar[bool] = True
    needs_others: ClassVar[bool] = True

    kind: Literal["single_writer"] = "single_writer"
    apply_s: SharedDistribution = Field(default_factory=lambda: constant(1.0))
    """Seconds to apply another agent's change."""

    def state(self, desk: Desk) -> WorkspaceState:
        """Return the state of the workspace for one replication."""
        return _Owners(self, desk)


class _Owners(WorkspaceState):
    __slots__ = ("_apart", "_apply_s", "_waiting", "_workers")

    def __init__(self, spec: SingleWriter, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._apply_s = self.draws(spec.apply_s, Purpose.APPLY)
        self._workers = [agent for agent in desk.agents if not agent.role]
        self._waiting: dict[int, list[AgentState]] = {}
        """Who waits for the end of each owner's call."""
        self._apart: dict[int, int] = {}
        """Which artifact each agent cannot hand in, as the owner is down or cut off."""

    def access(self, agent: AgentState) -> Iterator[Step]:
        """Serve, then hand the changes to the owners of the artifacts, one after another."""
        yield from self.serve(agent, agent.time.duration_s)
        for artifact in self.artifacts(agent):
            yield from self._hand_in(agent, artifact)

    def _hand_in(self, agent: AgentState, artifact: int) -> Iterator[Step]:
        """Let the owner of an artifact apply a change, once it can."""
        desk, has_waited, there_s = self.desk, False, -1.0
        while (owner := self._owner(artifact, agent)) is not agent:
            if owner.is_down or owner.side != agent.side:
                self._apart[agent.index] = artifact
                yield from desk.phases.wait(agent, "lock", None)
                self._apart.pop(agent.index, None)
                has_waited, there_s = False, desk.agenda.now
                continue
            # One call only: the owner applies changes between its calls. What has waited for its
            # return comes before a call that it begins as it returns.
            time = owner.time
            is_busy = time.in_call and time.phase == SERVING and time.started_s != there_s
            if is_busy and not has_waited:
                has_waited = True
                self._waiting.setdefault(owner.index, []).append(agent)
                yield from desk.phases.wait(agent, "lock", None)
                continue
            agent.time.read_anew(desk.agenda.now)
            yield from self.commit(agent, self._apply_s())
            return

    def _owner(self, artifact: int, agent: AgentState) -> AgentState:
        """Return who writes an artifact: the next after its owner that is not given up."""
        workers = self._workers
        first = artifact % len(workers)
        if workers[first].is_down:
            for owner in workers[first:] + workers[:first]:
                if not (owner.is_down and owner.index in agent.dispatcher.gone):
                    return owner
        return workers[first]

    def call_ended(self, agent: AgentState) -> None:
        """Let those go on that wait for this owner."""
        for other in self._waiting.pop(agent.index, ()):
            self.desk.agenda.resume(other.index)

    def look_again(self) -> None:
        """Let those look again whose owner was down or cut off."""
        for index in self._apart:
            self.desk.agenda.resume(index)

    def abandoned(self, agent: AgentState) -> None:
        """Wait for no owner any more."""
        self._apart.pop(agent.index, None)
        for waiting in self._waiting.values():
            if agent in waiting:
                waiting.remove(agent)

    def waits(self) -> Sequence[str]:
        """Say who waits for an owner that is down or cut off."""
        found = []
        for index, artifact in self._apart.items():
            owner = self._owner(artifact, self.desk.agents[index])
            is_how = "down" if owner.is_down else "cut off"
            found.append(
                f"agent {index} waits for agent {owner.index}, which is {is_how}, to write "
                f"artifact {artifact}"
            )
        return found
