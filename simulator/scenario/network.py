"""What YAML may say about the links between agents."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.distributions import NonNegativeDistribution
from simulator.distributions.deterministic import constant
from simulator.spec import Fraction, NonNegative, Positive, Spec


class Partition(Spec):
    """A while in which the team is cut in two."""

    at_s: NonNegative
    """Simulated second at which it begins."""
    duration_s: Positive
    """How long it lasts."""
    minority: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """Share of the workers, the last ones, on the side without coordinators and leader."""


class Network(Spec):
    """Delay, loss and order of messages; partitions.

    Reports to a coordinator and its answers (assignments, verdicts) travel by an acknowledged
    protocol. Only the contents of messages are delayed or lost.
    """

    delay_s: NonNegativeDistribution = Field(default_factory=lambda: constant(0.0))
    """Seconds until a message can be read, drawn for each link and message."""
    loss: Fraction = 0.0
    """Probability that a delivery never arrives."""
    duplication: Fraction = 0.0
    """Probability that a delivery arrives twice, so that its tokens are read twice."""
    in_order: bool = False
    """Whether a link delivers in the order of sending, as TCP does."""
    partitions: tuple[Partition, ...] = ()
    """When the team is cut in two; they must not overlap."""

    @property
    def is_plain(self) -> bool:
        """Whether every message can be read by all receivers as soon as it is sent."""
        return not (
            self.delay_s.constant != 0.0 or self.loss or self.duplication or self.partitions
        )

    def problem_in_partitions(self) -> str | None:
        """Return what is wrong with the partitions: one begins during another."""
        end_s = 0.0
        for partition in sorted(self.partitions, key=lambda each: each.at_s):
            if partition.at_s < end_s:
                return f"network.partitions: one begins at {partition.at_s:g} s, during another"
            end_s = partition.at_s + partition.duration_s
        return None
