"""A scale-free graph: newcomers link to those with many links (Barabasi and Albert 1999)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from simulator.model.topologies._topology import Channel, Topology, channels_of


class ScaleFree(Topology):
    """A Barabasi-Albert graph, drawn anew for each replication: few hubs, many leaves."""

    is_random: ClassVar[bool] = True

    kind: Literal["scale_free"] = "scale_free"
    links: Annotated[int, Field(ge=1)] = 2
    """Links m that each newcomer brings; m (n - m) in all."""

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return a channel from each agent to its neighbours."""
        import networkx

        if workers <= self.links:
            return channels_of(networkx.complete_graph(workers))
        return channels_of(networkx.barabasi_albert_graph(workers, self.links, seed=rng))
