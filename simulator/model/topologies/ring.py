"""A ring: each agent speaks to the next, the last to the first."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology


class Ring(Topology):
    """A ring of agents, each heard by the next one only."""

    kind: Literal["ring"] = "ring"

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return a channel from each agent to the next."""
        if workers == 1:
            return []
        return [Channel((i,), ((i + 1) % workers,)) for i in range(workers)]
