"""One agent alone."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology


class Single(Topology):
    """One agent alone: the baseline of every comparison."""

    kind: Literal["single"] = "single"

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return no channels."""
        return []

    def problem_in(self, scenario: Any) -> str | None:
        """Return a message if the team has more than one agent."""
        size = scenario.team.worker_count
        if size == 1:
            return None
        return (
            f"topology 'single' is one agent alone, but the team has {size} workers; "
            "use 'independent'"
        )
