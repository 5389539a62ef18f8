"""Replicated log: a leader commits a write when a majority has it (Ongaro & Ousterhout 2014)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from simulator.distributions import SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.model.agents.agent import AgentState
from simulator.model.calls.phases import Step
from simulator.model.streams import Purpose
from simulator.model.workspaces._workspace import Desk
from simulator.model.workspaces.optimistic import Optimistic, OptimisticState
from simulator.spec import Positive, Spec


class SlowReplica(Spec):
    """One replica that is slower than the others."""

    replica: Annotated[int, Field(ge=0)]
    """Number of the slow replica; replica 0 is the leader."""
    factor: Positive
    """Multiplies its times."""


class Consensus(Optimistic):
    """Every commit goes through a leader to N - 1 followers and stands with a majority.

    A commit takes the leader's own time and then the round trip to the (N // 2)-th fastest
    follower: with the leader itself, that is a majority. Commits are checked against the
    versions read, as in an optimistic workspace.
    """

    can_be_available: ClassVar[bool] = False

    kind: Literal["consensus"] = "consensus"  # type: ignore[assignment]
    replicas: Annotated[int, Field(ge=1, le=1000)] = 3
    """N, the leader included."""
    leader_s: SharedDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds that the leader takes for a commit."""
    round_trip_s: SharedDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds from the leader to a follower and back, each for itself."""
    slow: SlowReplica | None = None
    """A slow replica; the leader being slow, all round trips are."""

    @model_validator(mode="after")
    def _slow_replica_exists(self) -> Self:
        if self.slow is not None and self.slow.replica >= self.replicas:
            raise ValueError(f"slow: there are only replicas 0 to {self.replicas - 1}")
        return self

    def state(self, desk: Desk) -> ConsensusState:
        """Return the state of the workspace for one replication."""
        return ConsensusState(self, desk)


class ConsensusState(OptimisticState):
    """A leader and its followers."""

    __slots__ = ("_leader_s", "_round_trip_s")

    spec: Consensus

    def __init__(self, spec: Consensus, desk: Desk) -> None:
        super().__init__(spec, desk)
        self._leader_s = self.draws(spec.leader_s, Purpose.LEADER)
        self._round_trip_s = self.draws(spec.round_trip_s, Purpose.REPLICA)

    def agree(self, agent: AgentState) -> Iterator[Step]:
        """Wait for the leader and for the followers that make a majority with it."""
        yield from self.commit(agent, self.latency_s())

    def latency_s(self) -> float:
        """Return the seconds that one entry takes to be committed."""
        spec = self.spec
        slow, factor = (spec.slow.replica, spec.slow.factor) if spec.slow else (-1, 1.0)
        trips = [self._round_trip_s() for _ in range(spec.replicas - 1)]
        self.desk.metrics.replica_messages += 2 * len(trips)
        if slow > 0:
            trips[slow - 1] *= factor
        majority = sorted(trips)[spec.replicas // 2 - 1] if trips else 0.0
        return (self._leader_s() + majority) * (factor if slow == 0 else 1.0)
