"""A mesh: everybody hears everybody."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology


class Decentralised(Topology):
    """A full mesh of peers: a message goes to all n - 1 others."""

    kind: Literal["decentralised"] = "decentralised"

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return one channel on which all send and all listen."""
        everybody = range(workers)
        return [Channel(senders=everybody, receivers=everybody)]
