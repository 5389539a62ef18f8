"""Agents that share the board and say nothing to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology
from simulator.scenario.families import NO_MANAGER


class Independent(Topology):
    """Agents that work in parallel without messages; what they did is aggregated once.

    The aggregator is a coordinator with one call, after the last task is done, in which it
    reads one message of each worker, who begin no calls meanwhile. One worker alone needs none.
    """

    is_silent: ClassVar[bool] = True

    kind: Literal["independent"] = "independent"
    aggregate: bool = True
    """Whether there is an aggregator."""

    @property
    def aggregates(self) -> bool:
        """Whether the coordinator makes one call, when all tasks are done, and no other."""
        return self.aggregate

    def managers(self, workers: int) -> Sequence[int]:
        """Return no manager for the workers; the aggregator comes after them."""
        return [NO_MANAGER] * (workers + (self.aggregate and workers > 1))

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return no channels."""
        return []
