"""How work reaches agents, when they act, and who reviews what they did."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from simulator.distributions import SharedDistribution
from simulator.distributions.deterministic import constant
from simulator.registry import OneOf
from simulator.scenario.families import PROTOCOLS, ProtocolSpec
from simulator.spec import Fraction, NonNegative, Spec


class Review(Spec):
    """Who reviews finished tasks before they count as done, and how well.

    A review takes a call of the reviewer; a task that the reviewer rejects is done again.
    """

    by: Literal["coordinator", "verifiers", "peers"]
    """The worker's own coordinator; agents that do nothing else; or other workers."""
    verifiers: Annotated[int, Field(ge=1)] = 1
    """Number of verifiers, with ``by: verifiers``."""
    batch: Annotated[int, Field(ge=1)] = 1
    """Tasks that a verifier or a peer reviews in one call; a coordinator reviews all of them."""
    miss: Fraction = 0.0
    """Probability that a faulty task is accepted (false negative)."""
    false_alarm: Fraction = 0.0
    """Probability that a correct task is rejected (false positive)."""
    work: NonNegative = 0.5
    """Work units of the review for each work unit reviewed."""


class CoordinationSpec(Spec):
    """How work reaches agents, and when they act."""

    protocol: Annotated[ProtocolSpec, OneOf(PROTOCOLS)]
    """How work reaches agents."""
    timing: Literal["rounds", "asynchronous", "bounded_staleness"] = "rounds"
    """``rounds``: all call at once, then a barrier. ``asynchronous``: each on its own.
    ``bounded_staleness``: on its own, but at most `staleness` calls ahead of the slowest at
    work (stale synchronous parallel, Ho et al. 2013)."""
    staleness: Annotated[int, Field(ge=0)] = 1
    """Calls that an agent may be ahead, with ``timing: bounded_staleness``."""
    round_of: Literal["loop", "turn"] = "loop"
    """In rounds, what each agent does before the barrier: its whole call, even if that is a loop,
    or one turn, with the tools and sub-agents that follow it. Sub-agents do not act in rounds."""
    idle_agents: Literal["call", "wait"] = "call"
    """In rounds, whether an agent that finds no task makes its call anyway."""
    calls_per_round: Annotated[int, Field(ge=1)] = 1
    """In rounds, the calls that a worker makes one after another before the barrier."""
    round_overhead_s: SharedDistribution = Field(default_factory=lambda: constant(0.0))
    """Time of the harness between two rounds, in seconds (tests, bookkeeping)."""
    review: Review | None = None
    """Who checks finished tasks; nobody when absent."""
