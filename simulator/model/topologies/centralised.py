"""A star: workers report to a coordinator, which answers them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology
from simulator.scenario.families import NO_MANAGER


class Centralised(Topology):
    """Workers report to an orchestrator; its answer goes to every worker.

    In rounds, the orchestrator makes one call after the workers' barrier, reading all their
    reports. Asynchronously, it answers one report at a time, first come first served, and the
    worker waits for the answer: a closed queue with one server.
    """

    kind: Literal["centralised"] = "centralised"

    def managers(self, workers: int) -> Sequence[int]:
        """Return the orchestrator for every worker."""
        return [workers] * workers + [NO_MANAGER]

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return the workers' way up and the orchestrator's way down."""
        everybody, orchestrator = range(workers), (workers,)
        return [
            Channel(senders=everybody, receivers=orchestrator),
            Channel(senders=orchestrator, receivers=everybody),
        ]
