"""The operations of one replication: calls of the model and of tools, and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.breakdown.lives import lives_of
from simulator.model.agents.cache_life import CacheLife
from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph
from simulator.model.topologies import Topology
from simulator.model.trace import FAILED, IN_VAIN, Event, Row
from simulator.model.workloads import Workload
from simulator.scenario import Scenario
from simulator.scenario.agent import Agent

WENT_WRONG = FAILED | {"cut_off", "error", "timeout", "outage", "impatient", "cancelled"}
"""Outcomes of calls and tools that failed."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A call of the model, a turn of a loop, or a call of a tool.

    Attributes
    ----------
    agent : int
    start_s, end_s : float
        Simulated seconds.
    tool : str or None
        Name of the tool; None for a call of the model.
    key : tuple of str
        Key that no other operation of the replication has.
    row : Row
        The event that ended it.
    goes_on : bool
        Whether it is a turn after which the loop goes on.
    """

    agent: int
    start_s: float
    end_s: float
    tool: str | None
    key: tuple[str, ...]
    row: Row
    goes_on: bool = False

    @property
    def is_cut_off(self) -> bool:
        """Whether the end of the run ended it."""
        return not self.goes_on and self.row.outcome == "cut_off"

    @property
    def went_wrong(self) -> bool:
        """Whether it failed."""
        return not self.goes_on and self.row.outcome in WENT_WRONG


def agents_of(scenario: Scenario, rows: Sequence[Row] = ()) -> list[Agent]:
    """Return what each agent is: workers, coordinators, verifiers, then sub-agents, by number.

    Parameters
    ----------
    scenario : Scenario
    rows : sequence of Row
        The trace of a replication, which tells of its sub-agents.
    """
    team, staff = scenario.team, scenario.staff
    kinds = {} if team.subagents is None else team.subagents.kinds
    default = team.workers[0] if team.agent is None else team.agent
    return [
        *team.workers,
        *[team.coordinator or default] * staff["coordinator"],
        *[team.verifier or default] * staff["verifier"],
        *[kinds[life.kind] for life in lives_of(rows)],
    ]


def operations_of(rows: Sequence[Row], scenario: Scenario) -> Iterator[Operation]:
    """Yield the operations of a replication, in the order in which they ended.

    Parameters
    ----------
    rows : sequence of Row
        Its trace.
    scenario : Scenario
    """
    tools, begun = scenario.tool_names, dict[int | None, float]()
    for number, row in enumerate(rows):
        waits = row.event is Event.WAIT and row.outcome in ("tool", "subagent", "barrier")
        if row.event in (Event.CALL_START, Event.SUBAGENT_START) or waits:
            begun[row.call] = row.time_s
        if row.agent is None:
            continue
        if row.event is Event.TOOL:
            start_s, key = row.time_s - (row.duration_s or 0.0), (str(row.call), str(number))
            yield Operation(row.agent, start_s, row.time_s, tools[row.peer or 0], key, row)
        elif row.event in (Event.CALL_END, Event.TURN, Event.SUBAGENT_END) and row.peer != 0:
            start_s, begun[row.call] = begun[row.call], row.time_s
            goes_on = row.event is Event.TURN
            call = (str(row.call), str(number)) if goes_on else (str(row.call),)
            yield Operation(row.agent, start_s, row.time_s, None, call, row, goes_on)


def cost_of(call: Operation, agent: Agent) -> float | None:
    """Return what a call of the model, or a turn, has cost in US dollars; None without a price.

    What was not in a cache was written to it, which may have a price of its own.

    Parameters
    ----------
    call : Operation
        No call of a tool.
    agent : Agent
        Whose call it is (`agents_of`).
    """
    if agent.price.is_free:
        return None
    read, cached = call.row.input_tokens or 0, call.row.cached_tokens or 0
    usd = agent.price.usd(read - cached, cached, call.row.output_tokens or 0)
    life = CacheLife.of(agent.context.prompt_cache)
    if life is not None:
        usd += life.surcharge_usd(life.written(read - cached, cached), agent.price)
    return usd


@dataclass(frozen=True, slots=True)
class Piece:
    """What an agent did for a task: from the start of its call to the end of its attempt."""

    task: int
    agent: int
    start_s: float
    end_s: float


def pieces_of(rows: Sequence[Row]) -> list[Piece]:
    """Return the last attempt at each task that was not in vain, in the order of their starts.

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.
    """
    begun: dict[int | None, float] = {}
    found: dict[int, Piece] = {}
    for row in rows:
        if row.event is Event.CALL_START:
            begun[row.call] = row.time_s
        elif row.event is not Event.ATTEMPT or row.outcome in IN_VAIN:
            continue
        elif row.task is not None and row.agent is not None:
            found[row.task] = Piece(row.task, row.agent, begun[row.call], row.time_s)
    return sorted(found.values(), key=lambda piece: (piece.start_s, piece.task))


def task_graph_of(scenario: Scenario, replication: int) -> TaskGraph:
    """Return the tasks of a replication, with what each waits for."""
    return Workload.of(scenario.workload).graph(Streams(scenario.seed, replication))


@dataclass(frozen=True, slots=True)
class Told:
    """A message from one agent to another, sent at the end of a call."""

    sender: int
    receiver: int
    time_s: float
    tokens: int


_MOST_RECEIVERS = 16
"""Most receivers of a message that are listed one by one."""


def messages_of(rows: Sequence[Row], scenario: Scenario) -> Iterator[Told]:
    """Yield messages with sender and receiver, if the topology alone determines the receivers.

    Parameters
    ----------
    rows : sequence of Row
        The trace of one replication.
    scenario : Scenario
    """
    hearers = _hearers(scenario)
    for row in rows:
        if row.event is Event.MESSAGE and row.agent is not None:
            for receiver in hearers.get(row.agent, ()):
                yield Told(row.agent, receiver, row.time_s, row.output_tokens or 0)


def _hearers(scenario: Scenario) -> Mapping[int, Sequence[int]]:
    topology = scenario.topology
    assert isinstance(topology, Topology)
    if topology.is_random or topology.has_notes or topology.peers_per_message is not None:
        return {}
    graph = topology.graph(scenario.team.worker_count)
    found = {sender: sorted(graph.successors(sender)) for sender in graph}
    return {sender: each for sender, each in found.items() if len(each) <= _MOST_RECEIVERS}
