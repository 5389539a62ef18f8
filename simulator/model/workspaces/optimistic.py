"""Optimistic concurrency: a commit checks that nobody wrote meanwhile (Kung & Robinson 1981)."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum
from typing import ClassVar, Literal

from pydantic import Field

from simulator.distributions import SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.model.agents.agent import AgentState
from simulator.model.calls.backoff import waits
from simulator.model.calls.phases import Step
from simulator.model.streams import Draw, Entity, Purpose
from simulator.model.workspaces._workspace import Desk, MergingWorkspace, WorkspaceState
from simulator.scenario.backoff import Backoff


class Optimistic(MergingWorkspace):
    """A commit is refused if an artifact that it writes has a newer version than was read.

    Then the agent merges, which takes `merge_s`, and commits again on what it has just read,
    or throws its work away and does the task again.
    """

    has_phases: ClassVar[bool] = True

    kind: Literal["optimistic"] = "optimistic"
    on_conflict: Literal["merge", "redo"] = "merge"
    """What an agent does whose commit is refused."""
    backoff: Backoff = Backoff()
    """How long it waits before it reads again to merge."""
    one_way_s: SharedDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds from an agent to the workspace, and as many back, at each read and write."""

    @property
    def is_random(self) -> bool:
        """Whether waits after a conflict are drawn."""
        return self.backoff.is_random

    def state(self, desk: Desk) -> OptimisticState:
        """Return the state of the workspace for one replication."""
        return OptimisticState(self, desk)


class OptimisticState(WorkspaceState):
    """A version number for each artifact."""

    __slots__ = ("_jitters", "_one_way_s", "_versions")

    spec: Optimistic

    def __init__(self, spec: Optimistic, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._versions: list[dict[int, int]] = [{}, {}]
        self._jitters: dict[int, Draw] = {}
        self._one_way_s = self.draws(spec.one_way_s, Purpose.COMMIT)

    def access(self, agent: AgentState) -> Iterator[Step]:
        """Read, serve, write; on conflict wait, read, merge and write again."""
        spec, metrics = self.spec, self.desk.metrics
        artifacts = self.artifacts(agent)
        pauses = waits(spec.backoff, self._jitter(agent))
        yield from self.commit(agent, self._one_way_s())
        read = self._read(artifacts, agent)
        agent.time.read_anew(self.desk.agenda.now)
        yield from self.commit(agent, self._one_way_s())
        yield from self.serve(agent, agent.time.duration_s)
        while True:
            yield from self.commit(agent, self._one_way_s())
            yield from self.agree(agent)
            metrics.commit_attempts += 1
            now = self._read(artifacts, agent)
            newer = {artifact for artifact in read if read[artifact] != now[artifact]}
            if not newer or spec.on_conflict == "redo":
                break
            yield from self.commit(agent, self._one_way_s() + next(pauses))
            yield from self.commit(agent, self._one_way_s())
            read = self._read(artifacts, agent)
            agent.time.read_anew(self.desk.agenda.now)
            metrics.merges += len(newer)
            yield from self.commit(agent, self._one_way_s() + fsum(self.merge_s() for _ in newer))
        self._write(agent, newer)
        yield from self.commit(agent, self._one_way_s())

    def _jitter(self, agent: AgentState) -> Draw:
        if agent.index not in self._jitters:
            uniforms = self.desk.streams.uniforms(Entity.AGENT, agent.index, Purpose.BACKOFF)
            self._jitters[agent.index] = uniforms
        return self._jitters[agent.index]

    def agree(self, agent: AgentState) -> Iterator[Step]:
        """Spend the time that the workspace itself needs before a commit stands."""
        yield from ()

    def _read(self, artifacts: list[int], agent: AgentState) -> dict[int, int]:
        versions = self._versions[agent.side]
        return {artifact: versions.get(artifact, 0) for artifact in artifacts}

    def split(self) -> None:
        """Give the other side of a partition its own versions."""
        self._versions[1] = dict(self._versions[0])

    def heal(self) -> None:
        """After a partition, make both sides' writes newer than anything that was read."""
        for artifact, version in self._versions[1].items():
            both = self._versions[0].get(artifact, 0) + version
            self._versions[0][artifact] = both

    def _write(self, agent: AgentState, newer: set[int]) -> None:
        """Write what the tasks without conflict write; reject the others."""
        graph, versions = self.desk.board.graph, self._versions[agent.side]
        for task in agent.call.picks:
            artifacts = (task,) if graph.artifacts is None else graph.artifacts[task]
            if newer.intersection(artifacts):
                agent.call.reject([task])
                continue
            for artifact in artifacts:
                versions[artifact] = versions.get(artifact, 0) + 1
