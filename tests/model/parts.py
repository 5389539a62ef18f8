"""What parts are built of where they are tested alone: a clock, a journal, tasks, agents."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, cast

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER, AgentState
from simulator.model.agents.channels import Log, Voice
from simulator.model.agents.kind import Kind
from simulator.model.agents.messages import Deliveries
from simulator.model.agents.talk import Talk
from simulator.model.agents.timesheet import WAITING
from simulator.model.answers import Difficulty
from simulator.model.board import Board
from simulator.model.calls.bill import Bill
from simulator.model.calls.book import CallBook
from simulator.model.calls.breakers import Breakers
from simulator.model.calls.given_up import GivenUp
from simulator.model.calls.phases import Phases, Step
from simulator.model.calls.provider import ProviderState
from simulator.model.calls.service import CallLostError, PlainService, Service
from simulator.model.journal import Journal
from simulator.model.metrics import Metrics
from simulator.model.protocols import Setting
from simulator.model.resilience._pattern import FailureSetting
from simulator.model.resilience.health import Health
from simulator.model.streams import Streams
from simulator.model.tasks import Task, TaskGraph
from simulator.model.team.commits import Commits
from simulator.model.team.coordination import Coordination
from simulator.model.team.hand_ins import HandIns
from simulator.model.team.partition import Partitions
from simulator.model.team.patterns import Patterns
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.settlement import Settlement
from simulator.model.team.sides import Sides
from simulator.model.team.writes import Writes
from simulator.model.timers import Timer
from simulator.model.topologies import NO_MANAGER
from simulator.model.trace import Event, Row, Trace
from simulator.model.workspaces._workspace import Desk
from simulator.scenario.agent import Agent
from simulator.scenario.coordination import Review
from simulator.scenario.families import PROTOCOLS, WORKSPACES
from simulator.scenario.faults import ScriptedFault
from simulator.scenario.provider import Provider

MOST_EVENTS = 100_000
"""Parts by themselves have less to do than this."""


class Clock(Agenda):
    """An agenda that is its own engine: what is due happens in the order of time."""

    def __init__(self) -> None:
        super().__init__()
        self._due: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()  # of what is due at the same time
        self._happened = 0

    def set_timer(self, time_s: float, timer: Timer) -> None:
        heappush(self._due, (time_s, next(self._order), timer))

    def count_turn(self) -> None:
        """Count no calls."""

    def end_turn(self, agent: int, served_s: float) -> None:
        """Keep no rounds."""

    def check_limits(self) -> bool:
        return False

    def happens(self) -> bool:
        """Let the next thing happen that is due; return whether there was one."""
        if not self._due or self.ending:
            return False
        self._happened += 1
        assert self._happened < MOST_EVENTS, "there is always something due: this never ends"
        now, _, timer = heappop(self._due)
        self.reach(now)
        timer.go_off()
        return True


def tasks(**needed: str) -> TaskGraph:
    """Return a graph: ``tasks(a="", b="a")`` has a task b that needs a."""
    return TaskGraph.of([Task(id=n, dependencies=tuple(d.split())) for n, d in needed.items()])


def bag(count: int) -> TaskGraph:
    """Return a graph of tasks that need each other for nothing."""
    return tasks(**{f"t{i}": "" for i in range(count)})


def model(**fields: Any) -> Agent:
    """Return an agent's parameters: calls of a second, a board that takes no tokens."""
    plain = {"latency": {"kind": "seconds", "base": 1}, "context": {}}
    data = {**plain, **fields}
    data["context"] = {"board_tokens_per_task": 0, **data["context"]}
    return Agent.model_validate(data)


def begin_call(
    agent: AgentState,
    picks: Sequence[int] = (0,),
    *,
    now: float = 0.0,
    seconds: float = 1.0,
    number: int = 1,
    work: float = 1.0,
    output: int = 100,
) -> CallBook:
    """Let an agent begin a call without a message; return the book in which it will end."""
    metrics = Metrics()
    book = CallBook(cast(Service, None), Bill(metrics, False, None), metrics)
    book.begun = number - 1
    book.begin(agent, now, list(picks), work, output, -1, seconds)
    return book


class Bench:
    """Agents, a clock and a journal, and what lets calls go through their steps.

    Parameters
    ----------
    workers : int
    graph : TaskGraph, optional
        One task where none is given.
    is_traced : bool
    **fields
        Parameters of the agents.
    """

    def __init__(
        self,
        workers: int = 1,
        graph: TaskGraph | None = None,
        is_traced: bool = False,
        **fields: Any,
    ) -> None:
        self.graph = graph or bag(1)
        self.clock, self.streams = Clock(), Streams(0, 0)
        self.metrics = Metrics(tasks=len(self.graph))
        self.journal = Journal(self.clock, self.metrics, Trace() if is_traced else None)
        self.phases = Phases(self.clock, self.journal)
        self.agents: list[AgentState] = []
        for _ in range(workers):
            self.join(**fields)
        self.ended_s: dict[int, float] = {}
        self.lost: dict[int, str] = {}
        self._calls: dict[int, Iterator[Step]] = {}

    def join(self, role: int = WORKER, voice: Voice | None = None, **fields: Any) -> AgentState:
        """Let one more agent be in the team."""
        number = sum(agent.role == role for agent in self.agents)
        difficulty = Difficulty(self.graph, 0.0, self.streams)
        who = (len(self.agents), role, number)
        agent = AgentState(Kind(model(**fields)), *who, self.streams, difficulty, voice or Voice())
        self.agents.append(agent)
        return agent

    def rows(self, event: Event) -> list[Row]:
        """Return what the trace holds of a kind."""
        assert self.journal.trace is not None
        return [row for row in self.journal.trace.rows if row.event is event]

    def begin(self, time_s: float, agent: AgentState, steps: Iterator[Step]) -> None:
        """Let an agent go through steps of a call from a time on."""

        def start() -> None:
            agent.time.in_call = True
            self.phases.enter(agent, WAITING)
            self._calls[agent.index] = steps
            self._go_on(agent)

        self.clock.at(time_s, start)

    def _go_on(self, agent: AgentState) -> None:
        try:
            pause = next(self._calls[agent.index])
        except (StopIteration, CallLostError) as end:
            if isinstance(end, CallLostError):
                self.lost[agent.index] = end.why
            self.ended_s[agent.index], agent.time.in_call = self.clock.now, False
            return
        if pause is not None:
            self.clock.at(self.clock.now + pause, lambda: self._go_on(agent))

    def run(self) -> dict[int, float]:
        """Let time pass until nothing is due; return when each agent's steps ended."""
        while self.clock.happens():
            for index in self.clock.resumed:
                self.clock.at(self.clock.now, lambda index=index: self._go_on(self.agents[index]))
            self.clock.resumed.clear()
        return self.ended_s


def provider(bench: Bench, *script: Mapping[str, Any], **fields: Any) -> ProviderState:
    """Return the provider of a bench."""
    faults = [ScriptedFault.model_validate(fault) for fault in script]
    who = (bench.streams, bench.clock, bench.metrics, bench.phases)
    return ProviderState(Provider.model_validate(fields), faults, *who)


class Crew(Bench):
    """Workers at a board: tasks dealt in turn, verifiers where there are reviews."""

    def __init__(
        self,
        graph: TaskGraph,
        workers: int = 2,
        protocol: str = "pre_assigned",
        workspace: dict[str, Any] | None = None,
        review: dict[str, Any] | None = None,
        spare: int = 0,
        goes_on: bool = False,
        patterns: Patterns | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(workers, graph, is_traced=True, **fields)
        self.workers = self.agents[:]
        spec = None if review is None else Review.model_validate(review)
        by_verifiers = spec is not None and spec.by == "verifiers"
        self.verifiers = [self.join(VERIFIER) for _ in range(spec.verifiers if by_verifiers else 0)]
        board = Board(graph)
        setting = Setting(
            board=board,
            specs=[agent.spec for agent in self.workers],
            managers=[workers] * workers,
            streams=self.streams,
            metrics=self.metrics,
            agenda=self.clock,
            journal=self.journal,
        )
        dispatcher = PROTOCOLS.get(protocol).model_validate({"kind": protocol}).dispatcher(setting)
        who = (self.agents, self.clock, self.journal)
        self.sides = Sides(board, dispatcher, *who, spare=spare, minority_goes_on=goes_on)
        self.sides.announce([task for task in range(len(graph)) if not board.missing[task]])
        self.queue = ReviewQueue(spec, self.workers, self.verifiers, graph.sizes, self.clock)
        space = workspace or {"kind": "last_writer_wins"}
        self.space = WORKSPACES.get(space["kind"]).model_validate(space)
        patterns, artifacts = patterns or Patterns(), graph.artifacts
        who = (self.agents, self.streams, self.clock, self.journal)
        inputs_may_fail = self.space.reads_outdated or any(
            agent.spec.errors.hand_off for agent in self.workers
        )
        self.settlement = Settlement(self.journal, patterns, inputs_may_fail)
        loss = 0.0 if artifacts is None else self.space.overwrites
        writes = Writes(*who, self.sides, self.settlement, loss)
        who = (self.agents, self.queue, patterns, self.settlement, self.journal)
        self.hand_ins = HandIns(*who)
        parts = (self.sides, self.hand_ins, self.settlement, writes, self.journal)
        self.commits = Commits(*parts, self.space.idempotent)
        self.clock.woken.clear()

    def do(self, worker: int, *picks: int, now: float = 0.0, read_s: float = 0.0) -> list[int]:
        """Let a worker's call end that has attempted tasks; return the tasks that it frees."""
        agent = self.agents[worker]
        agent.call.picks, agent.call.work, agent.time.duration_s = (
            list(picks),
            float(len(picks)),
            1.0,
        )
        agent.time.read_s = read_s
        return self.commits.commit(agent, now)

    def coordination(
        self, one_by_one: bool = True, handed_in: Log | None = None, levels: int = 0
    ) -> Coordination:
        """Return the reports of the crew to new coordinators, so many in a line above it."""
        leads = [self.join(COORDINATOR) for _ in range(levels)]
        above = [lead.index for lead in leads] + [NO_MANAGER]
        managers = [above[0]] * len(self.workers) + above[1:]
        who = (self.workers, leads, managers, handed_in)
        talk = Talk(self.journal, Deliveries())
        return Coordination(*who, self.clock, talk, self.sides, self.queue, one_by_one)

    def failure_setting(self, health: Health | None = None, **ports: Any) -> FailureSetting:
        """Return what the patterns of the crew are told."""
        who = (self.clock, self.journal)
        return FailureSetting(
            agents=self.agents,
            streams=self.streams,
            agenda=self.clock,
            journal=self.journal,
            sides=self.sides,
            health=health or Health(self.agents, *who, self.sides),
            queue=self.queue,
            **{
                "callers": (),
                "breakers": Breakers(None, *who, self.phases),
                "given_up": GivenUp(None),
                "change_protocol": lambda protocol: (),
                **ports,
            },
        )

    def partitions(self) -> Partitions:
        """Return what cuts the crew in two."""
        service = PlainService(self.clock, self.phases, provider(self))
        who = (self.streams, self.clock, self.phases, service)
        state = self.space.state(Desk(self.sides.board, self.metrics, self.agents, *who))
        parts = (self.clock, self.journal, self.sides, self.coordination(), self.settlement, state)
        return Partitions(self.workers, self.verifiers, *parts, Patterns())


def hands(crew: Crew) -> list[list[int]]:
    """Return which tasks that can start each worker would be given."""
    board = crew.sides.board.copy()
    fork = crew.sides.dispatcher.fork(board)
    return [sorted(fork.choose(agent.index, 99) or []) for agent in crew.workers]


def outcome(crew: Crew) -> tuple[int, int, int, int]:
    """Return how many tasks are done, correct, known to be faulty, and faulty unseen."""
    m = crew.metrics
    assert m.tasks_done == m.tasks_correct + m.faulty_detected + m.faulty_undetected
    return m.tasks_done, m.tasks_correct, m.faulty_detected, m.faulty_undetected
