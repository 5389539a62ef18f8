"""What every topology does: say which channels the agents share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulator.registry import Plugin

if TYPE_CHECKING:
    import networkx

NO_MANAGER = -1


@dataclass(frozen=True, slots=True)
class Channel:
    """A shared log: every sender's message reaches every receiver but itself.

    One channel with n members stands for n(n-1) links at the cost of one append a message.
    """

    senders: Sequence[int]
    receivers: Sequence[int]


class Topology(Plugin):
    """Says who hears whom, and who reports to whom.

    Workers are agents 0..n-1; coordinators, where there are any, come after them, those next
    to the workers first. A coordinator reads what is reported to it and answers, takes no
    tasks, and is an agent that takes time.
    """

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

    @property
    def aggregates(self) -> bool:
        """Whether the coordinator makes one call, when all tasks are done, and no other."""
        return False

    def managers(self, workers: int) -> Sequence[int]:
        """Return the coordinator that each agent reports to, or `NO_MANAGER`.

        Returns
        -------
        sequence of int, shape (workers + coordinators,)
            Its length says how many coordinators there are.
        """
        return [NO_MANAGER] * workers

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
    """Return the channels of a sparse graph: each node's to its neighbours (successors)."""
    return [Channel((node,), tuple(graph.neighbors(node))) for node in graph]
