"""What every topology does: say which channels the agents share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulator.scenario.families import TopologySpec

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class Channel:
    """A shared log: every sender's message reaches every receiver but itself.

    One channel with n members stands for n(n-1) links at the cost of one append a message.
    """

    senders: Sequence[int]
    receivers: Sequence[int]


class Topology(TopologySpec):
    """Makes the channels of a team."""

    is_random: ClassVar[bool] = False
    """Whether the channels are drawn, anew for each replication."""
    has_notes: ClassVar[bool] = False
    """Whether agents write notes that everybody reads instead of messages."""

    @property
    def peers_per_message(self) -> int | None:
        """Receivers drawn anew for each message among those of its channel; None: all of them."""
        return None

    @property
    def pulls(self) -> bool:
        """Whether who sends to a peer also hears what that peer said last."""
        return False

    @abstractmethod
    def channels(self, workers: int, rng: np.random.Generator) -> list[Channel]:
        """Return the channels of a team of `workers` agents and its coordinators.

        `rng` is the replication's where `is_random`; others must draw nothing from it.
        """

    def graph(self, workers: int, rng: np.random.Generator | None = None) -> networkx.DiGraph[int]:
        """Return the links as a directed graph, an edge from each agent to who hears it."""
        import networkx

        graph: networkx.DiGraph[int] = networkx.DiGraph()
        graph.add_nodes_from(range(len(self.managers(workers))))
        for channel in self.channels(workers, rng or np.random.default_rng(0)):
            graph.add_edges_from(
                (sender, receiver)
                for sender in channel.senders
                for receiver in channel.receivers
                if sender != receiver
            )
        return graph


def channels_of(graph: networkx.Graph[int]) -> list[Channel]:
    """Return the channels of a sparse graph: each node's to its neighbours (successors).

    The graph is not to be used any more.
    """
    channels = [Channel((node,), tuple(graph.neighbors(node))) for node in graph]
    vars(graph).pop("degree", None)  # a view that networkx keeps, and that keeps the graph
    return channels
