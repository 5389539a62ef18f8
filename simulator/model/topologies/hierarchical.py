"""A tree: workers report to managers, managers to managers, up to one root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from simulator.model.topologies._topology import Channel, Topology
from simulator.scenario.families import NO_MANAGER


class Hierarchical(Topology):
    """A tree whose leaves are the workers; each manager has up to `fan_out` subordinates.

    A manager reads the reports of its subordinates, answers them, and reports to its own
    manager what it has read, as short as its message is (a summary). The depth follows from
    the fan-out, ceil(log_fan_out(n)) levels of managers, unless `depth` says more.
    """

    kind: Literal["hierarchical"] = "hierarchical"
    fan_out: Annotated[int, Field(ge=2)] = 4
    """Subordinates of a manager at most."""
    depth: Annotated[int, Field(ge=1, le=20)] = 1
    """Levels of managers at least."""

    def managers(self, workers: int) -> Sequence[int]:
        """Return everybody's manager, level by level."""
        found: list[int] = []
        level, levels = workers, 0
        while level > 1 or levels < self.depth:
            above = -(-level // self.fan_out)
            first = len(found) + level
            found += [first + i * above // level for i in range(level)]
            level, levels = above, levels + 1
        return [*found, NO_MANAGER]

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return one channel up to each manager, and one from it to those around it."""
        managers = self.managers(workers)
        below: dict[int, list[int]] = {}
        for agent, manager in enumerate(managers):
            if manager != NO_MANAGER:
                below.setdefault(manager, []).append(agent)
        channels = []
        for manager, team in below.items():
            channels.append(Channel([agent for agent in team if agent < workers], (manager,)))
            above = [] if managers[manager] == NO_MANAGER else [managers[manager]]
            channels.append(Channel((manager,), team + above))
        return channels
