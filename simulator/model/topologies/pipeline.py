"""A line: each agent speaks to the next."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology


class PipelineTopology(Topology):
    """A line of agents, each heard by the next one only."""

    kind: Literal["pipeline"] = "pipeline"

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return a channel from each agent but the last to the next."""
        return [Channel((i,), (i + 1,)) for i in range(workers - 1)]
