"""Who is in the team, and who hears whom: agents made of a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from simulator.distributions.deterministic import constant
from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER, AgentState
from simulator.model.agents.channels import Log, Voice, connect
from simulator.model.agents.messages import Deliveries, Gossip, Link, Mailbox, Notes, Outlet
from simulator.model.answers import Difficulty
from simulator.model.metrics import Metrics
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import TaskGraph
from simulator.model.topologies import NO_MANAGER, Channel, Topology
from simulator.scenario.agent import Agent
from simulator.scenario.network import Network
from simulator.scenario.team import Team

_UNUSED = np.random.default_rng(0)
"""Shared by topologies that draw nothing: to make one for each is a tenth of the set-up time."""


def _beginning_with(spec: Agent, tokens: float) -> Agent:
    """Return an agent whose context begins with so many tokens."""
    context = spec.context.model_copy(update={"start_tokens": constant(tokens)})
    return spec.model_copy(update={"context": context})


class Roster:
    """The agents of one replication: workers, then coordinators, then verifiers.

    Parameters
    ----------
    team : Team
    verifiers : int
    topology : Topology
    network : Network
    graph : TaskGraph
    streams : Streams
    metrics : Metrics

    Attributes
    ----------
    managers : sequence of int, shape (workers + coordinators,)
        The coordinator that each reports to, or `NO_MANAGER`.
    shifts : list of lists of AgentState
        Who calls together in a round, one shift after another: workers, verifiers, then the
        coordinators, those next to the workers first.
    deliveries : Deliveries
        What mailboxes have been sent.
    difficulty : Difficulty
        The draws that they share.
    handed_in : Log or None
        What the aggregator of independent workers reads.
    """

    __slots__ = (
        "agents",
        "aggregates",
        "coordinators",
        "deliveries",
        "difficulty",
        "handed_in",
        "managers",
        "verifiers",
        "workers",
    )

    def __init__(
        self,
        team: Team,
        verifiers: int,
        topology: Topology,
        network: Network,
        graph: TaskGraph,
        streams: Streams,
        metrics: Metrics,
    ) -> None:
        specs = team.workers
        count = len(specs)
        self.deliveries = Deliveries()
        self.managers = topology.managers(count)
        coordinators = len(self.managers) - count
        default = team.agent or specs[0]
        voices = self._voices(count, topology, network, streams, metrics)
        voices += [Voice() for _ in range(verifiers)]
        self.difficulty = difficulty = Difficulty(graph, team.family_similarity, streams)

        def make(spec: Agent, role: int, number: int) -> AgentState:
            index = number + (count if role else 0) + (coordinators if role == VERIFIER else 0)
            voice = voices[index]
            return AgentState(spec, index, role, number, streams, difficulty, voice)

        if graph.start_tokens is not None:
            begun = {id(spec): _beginning_with(spec, graph.start_tokens) for spec in team.kinds}
            specs = [begun[id(spec)] for spec in specs]
        self.workers = [make(spec, WORKER, i) for i, spec in enumerate(specs)]
        lead, checker = team.coordinator or default, team.verifier or default
        self.coordinators = [make(lead, COORDINATOR, i) for i in range(coordinators)]
        self.verifiers = [make(checker, VERIFIER, i) for i in range(verifiers)]
        self.agents = self.workers + self.coordinators + self.verifiers
        metrics.agents = len(self.agents)
        self.aggregates = topology.aggregates and coordinators > 0
        self.handed_in: Log | None = None
        if self.aggregates:
            self.handed_in = Log()
            self.coordinators[0].memory.inbox.subscribe(self.handed_in)

    @property
    def has_more(self) -> bool:
        """Whether there are coordinators, notes or drift: calls that end in more than a commit."""
        extra = any(agent.drifts or agent.memory.inbox.notes is not None for agent in self.agents)
        return extra or bool(self.coordinators)

    @property
    def shifts(self) -> list[list[AgentState]]:
        """Who calls together in a round."""
        height: dict[int, int] = {}
        for agent in self.workers + self.coordinators:  # managers come after whom they manage
            level = height.setdefault(agent.index, 0)
            above = self.managers[agent.index]
            if above != NO_MANAGER:
                height[above] = max(height.get(above, 0), level + 1)
        levels: dict[int, list[AgentState]] = {}
        for agent in self.coordinators:
            levels.setdefault(height[agent.index], []).append(agent)
        staff = [levels[level] for level in sorted(levels)]
        return [shift for shift in (self.workers, self.verifiers, *staff) if shift]

    def _voices(
        self,
        workers: int,
        topology: Topology,
        network: Network,
        streams: Streams,
        metrics: Metrics,
    ) -> list[Voice]:
        """Return where workers and coordinators speak and what they hear, shape (agents,)."""
        agents = len(self.managers)
        rng = streams.generator(Purpose.TOPOLOGY) if topology.is_random else _UNUSED
        channels = topology.channels(workers, rng)
        if network.is_plain and topology.peers_per_message is None:
            voices = [Voice(*ends) for ends in connect(channels, agents)]
        else:
            voices = _mail(network, topology, channels, agents, streams, metrics, self.deliveries)
        if topology.has_notes and agents > 1:  # who is alone writes notes for nobody
            notes = Notes(agents)
            voices = [replace(voice, notes=notes) for voice in voices]
        return voices


def _mail(
    network: Network,
    topology: Topology,
    channels: Sequence[Channel],
    agents: int,
    streams: Streams,
    metrics: Metrics,
    deliveries: Deliveries,
) -> list[Voice]:
    """Return voices with a mailbox each, for links that delay, lose, or are drawn anew."""
    boxes = [Mailbox(i) for i in range(agents)]
    outboxes: list[list[Outlet]] = [[] for _ in range(agents)]
    said = [0] * agents
    for channel in channels:
        receivers = [boxes[i] for i in channel.receivers]
        for sender in channel.senders:
            if receivers in ([], [boxes[sender]]):
                continue
            link = Link(
                own=boxes[sender],
                mailboxes=receivers,
                delay=streams.draws(network.delay_s, Entity.AGENT, sender, Purpose.LINK_DELAY),
                loss=network.loss,
                duplication=network.duplication,
                rolls=streams.uniforms(Entity.AGENT, sender, Purpose.LINK),
                duplicates=streams.uniforms(Entity.AGENT, sender, Purpose.DUPLICATION),
                in_order=network.in_order,
                metrics=metrics,
                deliveries=deliveries,
            )
            peers = topology.peers_per_message
            if peers is None:
                outboxes[sender].append(link)
            else:
                rolls = streams.uniforms(Entity.AGENT, sender, Purpose.GOSSIP)
                outboxes[sender].append(Gossip(link, peers, rolls, said, topology.pulls))
    return [Voice(outbox=outbox, mailbox=box) for outbox, box in zip(outboxes, boxes, strict=True)]
