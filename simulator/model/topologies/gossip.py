"""Gossip: every message goes to a few peers drawn at random (Demers et al. 1987)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from simulator.model.topologies._topology import Channel, Topology


class GossipTopology(Topology):
    """A mesh on which each message goes to `peers` others, drawn anew every time."""

    kind: Literal["gossip"] = "gossip"
    peers: Annotated[int, Field(ge=1)] = 1
    """Others that each message goes to."""
    exchange: Literal["push", "push_pull"] = "push"
    """``push_pull``: who speaks to a peer also hears what that peer said last."""

    @property
    def peers_per_message(self) -> int:
        """Receivers drawn anew for each message."""
        return self.peers

    @property
    def pulls(self) -> bool:
        """Whether who sends to a peer also hears what that peer said last."""
        return self.exchange == "push_pull"

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return one channel on which all send and all may be drawn."""
        everybody = range(workers)
        return [Channel(senders=everybody, receivers=everybody)]
