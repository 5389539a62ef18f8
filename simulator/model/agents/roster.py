"""The agents of a replication, made of the cast of its scenario."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER, AgentState
from simulator.model.agents.cast import Cast
from simulator.model.agents.channels import Log, Voice, connect
from simulator.model.agents.kind import Kind
from simulator.model.agents.messages import Deliveries, Gossip, Link, Mailbox, Notes, Outlet
from simulator.model.answers import Difficulty
from simulator.model.metrics import Metrics
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.tasks import AS_SAID, TaskGraph
from simulator.model.topologies import NO_MANAGER, Channel
from simulator.model.topologies._topology import links_of


class Roster:
    """The agents of one replication: workers, then coordinators, then verifiers.

    Parameters
    ----------
    cast : Cast
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
    has_more : bool
        Whether there are coordinators, notes or drift: calls that end in more than a commit.
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
        "has_more",
        "managers",
        "verifiers",
        "workers",
    )

    def __init__(
        self,
        cast: Cast,
        graph: TaskGraph,
        streams: Streams,
        metrics: Metrics,
    ) -> None:
        count, coordinators = len(cast.workers), cast.coordinators
        self.deliveries = Deliveries()
        self.managers = cast.managers
        voices = self._voices(cast, streams, metrics)
        voices += [Voice() for _ in range(cast.verifiers)]
        self.difficulty = difficulty = Difficulty(graph, cast.similarity, streams)

        def make(kind: Kind, role: int, number: int) -> AgentState:
            index = number + (count if role else 0) + (coordinators if role == VERIFIER else 0)
            voice = voices[index]
            factors = AS_SAID if role else graph.run_factors
            return AgentState(kind, index, role, number, streams, difficulty, voice, factors)

        kinds = cast.workers
        if graph.start_tokens is not None:
            kinds = cast.beginning_with(graph.start_tokens)
        self.workers = [make(kind, WORKER, i) for i, kind in enumerate(kinds)]
        self.coordinators = [make(cast.lead, COORDINATOR, i) for i in range(coordinators)]
        self.verifiers = [make(cast.checker, VERIFIER, i) for i in range(cast.verifiers)]
        self.agents = self.workers + self.coordinators + self.verifiers
        metrics.agents = len(self.agents)
        self.aggregates = cast.aggregates
        self.has_more = bool(coordinators) or cast.drifts or cast.has_notes
        self.handed_in: Log | None = None
        if self.aggregates:
            self.handed_in = Log()
            self.coordinators[0].memory.inbox.subscribe(self.handed_in)

    @property
    def shifts(self) -> list[list[AgentState]]:
        """Who calls together in a round."""
        if not self.coordinators:
            return [shift for shift in (self.workers, self.verifiers) if shift]
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

    def _voices(self, cast: Cast, streams: Streams, metrics: Metrics) -> list[Voice]:
        """Return where workers and coordinators speak and what they hear, shape (agents,)."""
        agents, channels = len(self.managers), cast.channels
        if channels is None:
            rng = streams.generator(Purpose.TOPOLOGY)
            channels = links_of(cast.topology, len(cast.workers), agents, rng)
        if cast.has_mail:
            voices = _mail(cast, channels, agents, streams, metrics, self.deliveries)
        else:
            voices = [Voice(*ends) for ends in connect(channels, agents)]
        if cast.has_notes:
            notes = Notes(agents)
            voices = [voice.with_notes(notes) for voice in voices]
        return voices


def _mail(
    cast: Cast,
    channels: Sequence[Channel],
    agents: int,
    streams: Streams,
    metrics: Metrics,
    deliveries: Deliveries,
) -> list[Voice]:
    """Return voices with a mailbox each, for links that delay, lose, or are drawn anew."""
    network, topology = cast.network, cast.topology
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
