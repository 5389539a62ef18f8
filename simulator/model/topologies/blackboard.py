"""A blackboard: agents say nothing to each other and read what the others have noted."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from simulator.model.topologies._topology import Channel, Topology


class Blackboard(Topology):
    """Shared state in place of messages (Hayes-Roth 1985).

    What an agent would say is its note on the blackboard, which its next one replaces. Whoever
    calls reads all notes of the others, each time anew: what is read grows with n and not with
    what has ever been said, and nothing is delivered to anybody.
    """

    has_notes: ClassVar[bool] = True

    kind: Literal["blackboard"] = "blackboard"

    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return no channels."""
        return []
