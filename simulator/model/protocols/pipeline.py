"""A pipeline: every agent does one stage and hands on."""

from __future__ import annotations

from typing import Literal

from simulator.model.protocols._hands import Hands
from simulator.model.protocols._protocol import Protocol, Setting


class PipelineProtocol(Protocol):
    """Agent s does the tasks of stage s (of stage s mod n if there are more stages).

    The stage of a task is the number of tasks before it on its longest chain of dependencies.
    """

    kind: Literal["pipeline"] = "pipeline"

    @property
    def is_random(self) -> bool:
        """Whether agents choose by chance."""
        return False

    def dispatcher(self, setting: Setting) -> Hands:
        """Return the state of this protocol for one replication."""
        hands, graph = Hands(setting), setting.board.graph
        stage = [0] * len(graph)
        for task in graph.order:
            stage[task] = max((stage[d] + 1 for d in graph.dependencies[task]), default=0)
        setting.board.deal([s % setting.workers for s in stage])
        return hands
