"""Optimistic concurrency: a commit checks that nobody wrote meanwhile (Kung & Robinson 1981)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from simulator.distributions import NonNegativeDistribution
from simulator.model.agent import AgentState
from simulator.model.backoff import waits
from simulator.model.streams import Draw, Entity, Purpose
from simulator.model.workspaces._workspace import Desk, Step, Workspace, WorkspaceState
from simulator.scenario.agent import constant
from simulator.scenario.backoff import Backoff


class Optimistic(Workspace):
    """A commit is refused if an artifact that it writes has a newer version than was read.

    Then the agent merges, which takes `merge_s`, and commits again on what it has just read,
    or throws its work away and does the task again.
    """

    kind: Literal["optimistic"] = "optimistic"
    on_conflict: Literal["merge", "redo"] = "merge"
    """What an agent does whose commit is refused."""
    backoff: Backoff = Backoff()
    """How long it waits before it reads again to merge."""
    one_way_s: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds from an agent to the workspace, and as many back, at each read and write."""

    @property
    def takes_time(self) -> bool:
        """Whether a call in this workspace is more than its service."""
        return True

    def state(self, desk: Desk) -> OptimisticState:
        """Return the state of the workspace for one replication."""
        return OptimisticState(self, desk)


class OptimisticState(WorkspaceState):
    """A version number for each artifact."""

    def __init__(self, spec: Optimistic, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._optimistic = spec
        self._versions: dict[int, int] = {}
        self._jitters: dict[int, Draw] = {}
        self._one_way_s = self.draws(spec.one_way_s, Purpose.COMMIT)

    def access(self, agent: AgentState) -> Iterator[Step]:
        """Read, serve, write; on conflict wait, read, merge and write again."""
        spec, metrics = self._optimistic, self.desk.metrics
        artifacts = self.artifacts(agent)
        pauses = waits(spec.backoff, self._jitter(agent))
        yield from self.commit(agent, self._one_way_s())
        read = self._read(artifacts)
        yield from self.commit(agent, self._one_way_s())
        yield from self.serve(agent, agent.duration_s)
        while True:
            yield from self.commit(agent, self._one_way_s())
            yield from self.agree(agent)
            metrics.commit_attempts += 1
            newer = {a for a, version in read.items() if self._versions.get(a, 0) != version}
            if not newer or spec.on_conflict == "redo":
                break
            yield from self.commit(agent, self._one_way_s() + next(pauses))
            yield from self.commit(agent, self._one_way_s())
            read = self._read(artifacts)
            metrics.merges += len(newer)
            yield from self.commit(agent, self._one_way_s() + sum(self.merge_s() for _ in newer))
        self._write(agent, newer)
        yield from self.commit(agent, self._one_way_s())

    def _jitter(self, agent: AgentState) -> Draw:
        if agent.index not in self._jitters:
            uniforms = self.desk.streams.uniforms(Entity.AGENT, agent.index, Purpose.BACKOFF)
            self._jitters[agent.index] = uniforms
        return self._jitters[agent.index]

    def agree(self, agent: AgentState) -> Iterator[Step]:
        """Take what the workspace takes itself before a commit stands."""
        yield from ()

    def _read(self, artifacts: list[int]) -> dict[int, int]:
        return {artifact: self._versions.get(artifact, 0) for artifact in artifacts}

    def _write(self, agent: AgentState, newer: set[int]) -> None:
        """Write what the tasks without conflict write; reject the others."""
        graph = self.desk.board.graph
        for task in agent.picks:
            artifacts = (task,) if graph.artifacts is None else graph.artifacts[task]
            if newer.intersection(artifacts):
                agent.rejected.add(task)
                continue
            for artifact in artifacts:
                self._versions[artifact] = self._versions.get(artifact, 0) + 1
