"""Replicated artifacts: reads ask R of N replicas, writes reach W of them (Gifford 1979)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from simulator.distributions import SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.model.agents.agent import AgentState
from simulator.model.calls.phases import Step
from simulator.model.streams import Entity, Purpose
from simulator.model.workspaces._workspace import Desk, MergingWorkspace, WorkspaceState


class Quorum(MergingWorkspace):
    """Each read takes the newest of the first R of N answers, each write waits for W of N.

    There is no repair: a replica that was not among the first W keeps its old version. With
    R + W > N the two sets overlap and nobody reads an old version; otherwise who does works
    on outdated input, and errs as with a faulty dependency.
    """

    has_phases: ClassVar[bool] = True
    reads_outdated: ClassVar[bool] = True

    kind: Literal["quorum"] = "quorum"
    replicas: Annotated[int, Field(ge=1, le=1000)] = 3
    """N."""
    read: Annotated[int, Field(ge=1)] = 2
    """R."""
    write: Annotated[int, Field(ge=1)] = 2
    """W."""
    delay_s: SharedDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds until a replica has answered, each for itself."""

    @model_validator(mode="after")
    def _quorums_exist(self) -> Self:
        if max(self.read, self.write) > self.replicas:
            raise ValueError(
                f"a quorum of {max(self.read, self.write)} among {self.replicas} replicas: "
                "it can be all of them at most"
            )
        return self

    @property
    def is_random(self) -> bool:
        """Whether it matters which of the replicas answer first that answer at the same time."""
        return self.read + self.write <= self.replicas

    def state(self, desk: Desk) -> WorkspaceState:
        """Return the state of the workspace for one replication."""
        return _Replicas(self, desk)


class _Replicas(WorkspaceState):
    __slots__ = ("_delay_s", "_order", "_versions")

    spec: Quorum

    def __init__(self, spec: Quorum, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._delay_s = self.draws(spec.delay_s, Purpose.COMMIT)
        # Orders replicas that answer at the same time.
        self._order = desk.streams.uniforms(Entity.RUN, 0, Purpose.REPLICA)
        self._versions: dict[int, list[int]] = {}

    def _first(self, count: int) -> tuple[float, list[int]]:
        """Return when the first `count` replicas have answered, and which they are."""
        replicas = range(self.spec.replicas)
        answers = sorted((self._delay_s(), self._order(), i) for i in replicas)
        self.desk.metrics.replica_messages += 2 * len(answers)
        return answers[count - 1][0], [i for _, _, i in answers[:count]]

    def access(self, agent: AgentState) -> Iterator[Step]:
        """Read from R, serve, write to W."""
        seconds, asked = self._first(self.spec.read)
        yield from self.commit(agent, seconds)
        self._read(agent, asked)
        yield from self.serve(agent, agent.time.duration_s)
        seconds, reached = self._first(self.spec.write)
        yield from self.commit(agent, seconds)
        for artifact in self.artifacts(agent):
            versions = self._versions.setdefault(artifact, [0] * self.spec.replicas)
            newest = max(versions) + 1
            for replica in reached:
                versions[replica] = newest

    def _read(self, agent: AgentState, asked: list[int]) -> None:
        graph = self.desk.board.graph
        for task in agent.call.picks:
            outdated = False
            for source in (task, *graph.dependencies[task]):
                artifacts = (source,) if graph.artifacts is None else graph.artifacts[source]
                for artifact in artifacts:
                    versions = self._versions.get(artifact)
                    if versions and max(versions[i] for i in asked) < max(versions):
                        self.desk.metrics.stale_reads += 1
                        outdated = True
            if outdated:
                agent.call.note_outdated(task)
