"""One agent alone."""

from __future__ import annotations

from typing import Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology


class Single(Topology):
    """One agent alone: the baseline of every comparison."""

    kind: Literal["single"] = "single"

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return no channels."""
        return []

    def problem_in(self, workers: int) -> str | None:
        """Return a message if the team has more than one agent."""
        if workers == 1:
            return None
        return (
            f"topology 'single' is one agent alone, but the team has {workers} workers; "
            "use 'independent'"
        )
