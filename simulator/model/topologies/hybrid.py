"""A centre with peer links: an orchestrator, and workers who also talk to their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from simulator.model.topologies._topology import Channel, Topology
from simulator.scenario.families import NO_MANAGER


class Hybrid(Topology):
    """A star whose workers also hear their neighbours, `peers` of them, on a ring."""

    kind: Literal["hybrid"] = "hybrid"
    peers: Annotated[int, Field(ge=1)] = 2
    """Neighbours that hear a worker (fewer in teams that are smaller)."""

    def managers(self, workers: int) -> Sequence[int]:
        """Return the orchestrator for every worker."""
        return [workers] * workers + [NO_MANAGER]

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return each worker's channel to centre and neighbours, and the centre's to all."""
        peers = min(self.peers, workers - 1)
        # Neighbours to the right and to the left in turn: 1, -1, 2, -2, ...
        steps = [(i // 2 + 1) * (-1) ** i for i in range(peers)]
        around = [
            Channel((i,), (*((i + step) % workers for step in steps), workers))
            for i in range(workers)
        ]
        return [*around, Channel((workers,), range(workers))]
