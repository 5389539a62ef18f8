"""A random graph in which every link is there with the same probability (Gilbert 1959)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology, channels_of
from simulator.spec import Fraction


class Random(Topology):
    """An Erdos-Renyi graph G(n, p), drawn anew for each replication; agents may be alone."""

    is_random: ClassVar[bool] = True

    kind: Literal["random"] = "random"
    density: Fraction = 0.3
    """Probability p of each link."""

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return a channel from each agent to its neighbours."""
        import networkx

        return channels_of(networkx.fast_gnp_random_graph(workers, self.density, seed=rng))
