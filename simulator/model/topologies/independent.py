"""Agents that share the board and say nothing to each other."""

from __future__ import annotations

from typing import Literal

from simulator.model.topologies._topology import Channel, Topology


class Independent(Topology):
    """Agents that share the task board and send no messages."""

    kind: Literal["independent"] = "independent"

    def channels(self, workers: int) -> list[Channel]:
        """Return no channels."""
        return []
