"""A small world: a ring of neighbourhoods with some links rewired (Watts and Strogatz 1998)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from simulator.model.topologies._topology import Channel, Topology, channels_of
from simulator.spec import Fraction


class SmallWorld(Topology):
    """A Watts-Strogatz graph, drawn anew for each replication."""

    is_random: ClassVar[bool] = True

    kind: Literal["small_world"] = "small_world"
    neighbours: Annotated[int, Field(ge=2, multiple_of=2)] = 4
    """Links of each agent before rewiring, half of them to each side."""
    rewiring: Fraction = 0.1
    """Probability that a link is rewired."""

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return a channel from each agent to its neighbours."""
        import networkx

        if workers <= self.neighbours:
            return channels_of(networkx.complete_graph(workers))
        graph = networkx.watts_strogatz_graph(workers, self.neighbours, self.rewiring, seed=rng)
        return channels_of(graph)
