"""What every topology does: say which channels the agents share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from simulator.errors import TeamsimError, what_is
from simulator.scenario.families import NO_MANAGER, TopologySpec

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


def managers_of(topology: Topology, workers: int) -> Sequence[int]:
    """Return everybody's manager; what a topology of another package says is looked at.

    Raises
    ------
    TeamsimError
        If there is something wrong with it.
    """
    managers = topology.managers(workers)
    if not topology.ships():
        _refuse(topology, broken_by_managers(managers, workers))
    return managers


def links_of(
    topology: Topology, workers: int, agents: int, rng: np.random.Generator
) -> Sequence[Channel]:
    """Return the channels of a team; what a topology of another package says is looked at.

    Raises
    ------
    TeamsimError
        If there is something wrong with it.
    """
    channels = topology.channels(workers, rng)
    if not topology.ships():
        _refuse(topology, broken_by_channels(channels, agents))
    return channels


def _refuse(topology: Topology, rule: str) -> None:
    if rule:
        raise TeamsimError(f"topology {topology.kind!r}: {rule}")


def broken_by_managers(managers: Sequence[int], workers: int) -> str:
    """Return which rule the managers that a topology names break; an empty text if none."""
    if not isinstance(managers, Sequence):
        return f"managers returned {what_is(managers)}, no list of agents"
    agents = range(len(managers))
    if len(managers) < workers:
        return f"managers has {len(managers)} entries"
    for agent, manager in enumerate(managers):
        if not (manager == NO_MANAGER or (manager in agents and manager >= workers)):
            return f"agent {agent} reports to {manager}, no coordinator"
    below = [agent for agent in agents if not _has_top(managers, agent)]
    return f"agent {below[0]} reports to itself" if below else ""


def _has_top(managers: Sequence[int], agent: int) -> bool:
    """Return whether one who reports to nobody is above an agent, at last."""
    for _ in managers:
        if managers[agent] == NO_MANAGER:
            return True
        agent = managers[agent]
    return False


def broken_by_channels(channels: Sequence[Channel], agents: int) -> str:
    """Return which rule the channels of so many agents break; an empty text if none."""
    if not isinstance(channels, Sequence):
        return f"channels returned {what_is(channels)}, no list of channels"
    for channel in channels:
        if not isinstance(channel, Channel):
            return f"channels holds {what_is(channel)}, no Channel"
        for named in (*channel.senders, *channel.receivers):
            if named not in range(agents):
                return f"a channel names agent {named}"
    return ""


def channels_of(graph: networkx.Graph[int]) -> list[Channel]:
    """Return the channels of a sparse graph: each node's to its neighbours (successors).

    The graph is not to be used any more.
    """
    channels = [Channel((node,), tuple(graph.neighbors(node))) for node in graph]
    vars(graph).pop("degree", None)  # a view that networkx keeps, and that keeps the graph
    return channels
