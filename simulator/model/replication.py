"""One replication, put together: the only place that knows all the parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import AgentState
from simulator.model.agents.cast import Cast
from simulator.model.agents.roster import Roster
from simulator.model.agents.talk import Talk
from simulator.model.board import Board
from simulator.model.call_end import CallEnd
from simulator.model.call_start import CallStart
from simulator.model.calls.bill import Bill
from simulator.model.calls.book import CallBook
from simulator.model.calls.bulkhead import Bulkhead
from simulator.model.calls.caller import Caller
from simulator.model.calls.phases import Phases
from simulator.model.calls.provider import ProviderState
from simulator.model.calls.requests import Requests
from simulator.model.calls.service import PlainService, Service
from simulator.model.calls.subagents import SubagentPool
from simulator.model.calls.tools import Tools
from simulator.model.calls.turns import Turns
from simulator.model.ending import Closing
from simulator.model.journal import Journal
from simulator.model.metrics import Metrics
from simulator.model.protocols import Setting
from simulator.model.protocols._looked_at import dispatcher_of
from simulator.model.resilience._pattern import FailureSetting
from simulator.model.resilience.failures import Failures
from simulator.model.resilience.health import Health
from simulator.model.steps import CallSteps
from simulator.model.streams import Streams
from simulator.model.tasks import TaskGraph
from simulator.model.team.changeover import Changeover
from simulator.model.team.commits import Commits
from simulator.model.team.coordination import Coordination
from simulator.model.team.hand_ins import HandIns
from simulator.model.team.partition import Partitions
from simulator.model.team.patterns import Patterns
from simulator.model.team.review import Reviews
from simulator.model.team.review_queue import ReviewQueue
from simulator.model.team.settlement import Settlement
from simulator.model.team.sides import Sides
from simulator.model.team.writes import Writes
from simulator.model.topologies import Topology
from simulator.model.trace import Event, Trace
from simulator.model.workspaces import Workspace, WorkspaceState
from simulator.model.workspaces._workspace import Desk, state_of
from simulator.scenario import Scenario
from simulator.scenario.resilience import Resilience


def cast_of(scenario: Scenario) -> Cast:
    """Return which agents every replication of a scenario has."""
    review = scenario.coordination.review
    verifiers = review.verifiers if review and review.by == "verifiers" else 0
    return Cast(scenario.team, verifiers, Topology.of(scenario.topology), scenario.network)


def _tell_of_agents(space: WorkspaceState, health: Health, resilience: Resilience) -> None:
    """Let a workspace know when agents go down, are back, or their tasks have gone to others."""
    if not space.spec.needs_others:
        return
    look = [lambda *_: space.look_again()]
    reassigns = resilience.detector is not None and resilience.detector.reassign
    health.tell(look, look, look if reassigns else ())


def _caller_of(scenario: Scenario, streams: Streams) -> Callable[[AgentState], Caller]:
    """Return what makes an agent a client of the scenario's provider."""
    fallback, errors = scenario.resilience.fallback, scenario.provider.errors
    return partial(Caller, fallback=fallback, errors=errors, streams=streams)


class Replication:
    """The parts of one replication; each is given only the parts that it uses.

    Parameters
    ----------
    scenario : Scenario
    cast : Cast
        Its agents.
    graph : TaskGraph
        The tasks of this replication.
    streams : Streams
    agenda : Agenda
        The engine's.
    trace : Trace or None
        Where events are written; None costs nothing.

    Attributes
    ----------
    is_stepwise : bool
        Whether a call is more than its service: it goes through `steps`.
    failures : Failures or None
        None where nothing can go wrong.
    closing : Closing
        Ends it.
    """

    __slots__ = (
        "_cuts",
        "_partitions",
        "bill",
        "book",
        "call_end",
        "call_start",
        "closing",
        "coordination",
        "failures",
        "is_stepwise",
        "journal",
        "roster",
        "sides",
        "steps",
        "streams",
        "subagents",
        "tools",
    )

    def __init__(
        self,
        scenario: Scenario,
        cast: Cast,
        graph: TaskGraph,
        streams: Streams,
        agenda: Agenda,
        trace: Trace | None,
    ) -> None:
        workspace = Workspace.of(scenario.workspace)
        resilience, said = scenario.resilience, scenario.coordination
        metrics, board = Metrics(tasks=len(graph)), Board(graph)
        self.streams = streams
        self.journal = journal = Journal(agenda, metrics, trace)
        self.roster = roster = Roster(cast, graph, streams, metrics)
        setting = Setting(
            board=board,
            specs=[kind.spec for kind in cast.workers],
            managers=roster.managers,
            streams=streams,
            metrics=metrics,
            agenda=agenda,
            journal=journal,
        )
        self.sides = sides = Sides(
            board,
            dispatcher_of(said.protocol, setting),
            roster.agents,
            agenda,
            journal,
            spare=int((1.0 - resilience.enough) * len(graph) + 1e-9),
            minority_goes_on=workspace.on_partition == "available",
        )
        talk = Talk(journal, roster.deliveries)
        review = said.review
        queue = ReviewQueue(review, roster.workers, roster.verifiers, graph.sizes, agenda)
        self.coordination = coordination = Coordination(
            roster.workers,
            roster.coordinators,
            roster.managers,
            roster.handed_in,
            agenda,
            talk,
            sides,
            queue,
            one_by_one=said.timing != "rounds",
        )

        phases = Phases(agenda, journal)
        self.bill = bill = Bill(metrics, scenario.is_priced, scenario.limits.budget_usd)
        provider = ProviderState(
            scenario.provider, scenario.faults, streams, agenda, metrics, phases
        )
        service: Service = PlainService(agenda, phases, provider)
        patterns = Patterns()
        self.failures: Failures | None = None
        if scenario.is_resilient:
            service = requests = Requests(
                resilience,
                scenario.provider.retry,
                roster.agents,
                _caller_of(scenario, streams),
                Bulkhead(
                    resilience.bulkhead or {},
                    scenario.team.group_of_workers,
                    agenda,
                    phases,
                ),
                agenda,
                journal,
                phases,
                provider,
                bill,
            )
            health = Health(roster.agents, agenda, journal, sides)
            patterns = self.failures = Failures(agenda, health, sides, requests.over)

        self.subagents = subagents = SubagentPool(
            cast.subagents,
            roster.difficulty,
            streams,
            agenda,
            journal,
            phases,
            len(roster.agents),
        )
        self.tools: Tools | None = None
        if cast.has_loops:
            kinds = (scenario.tool_names, scenario.stations, scenario.starts_at)
            self.tools = Tools(*kinds, streams, agenda, journal, phases, subagents)
            service = Turns(
                service,
                agenda,
                journal,
                bill,
                self.tools,
                phases,
                patterns.call_goes_on if patterns.watches else None,
                has_checkpoints=resilience.checkpoint is not None,
                keeps_rounds=scenario.has_rounds_of_turns,
            )
        space = state_of(
            workspace, Desk(board, metrics, roster.agents, streams, agenda, phases, service)
        )
        settlement = Settlement(
            journal,
            patterns,
            inputs_may_fail=workspace.reads_outdated or cast.hands_off,
        )
        # An artifact that belongs to one task has one writer.
        loss = 0.0 if graph.artifacts is None else workspace.overwrites
        writes = Writes(roster.agents, streams, agenda, journal, sides, settlement, loss)
        hand_ins = HandIns(roster.agents, queue, patterns, settlement, journal)
        commits = Commits(sides, hand_ins, settlement, writes, journal, workspace.idempotent)
        reviews = Reviews(review, queue, sides, settlement, agenda, journal)
        partitions = Partitions(
            roster.workers,
            roster.verifiers,
            agenda,
            journal,
            sides,
            coordination,
            settlement,
            space,
            patterns,
        )
        if self.failures is not None:
            change = Changeover(setting, sides, coordination, reviews, commits)
            about = FailureSetting(
                agents=roster.agents,
                streams=streams,
                agenda=agenda,
                journal=journal,
                sides=sides,
                health=health,
                callers=requests.callers,
                breakers=requests.breakers,
                queue=queue,
                given_up=requests.given_up,
                change_protocol=change.change_to,
            )
            self.failures.set_up(resilience, scenario.faults, scenario.copies_tasks, about)
            _tell_of_agents(space, health, resilience)
        self.steps = CallSteps(phases, service, space, sides.minority_goes_on)
        self.is_stepwise = scenario.has_steps or workspace.takes_time
        self.book = book = CallBook(service, bill, metrics)
        subagents.connect(service, book)
        self.call_start = CallStart(sides, queue, coordination, patterns, service, book, journal)
        self.call_end = CallEnd(
            roster.agents,
            agenda,
            journal,
            sides,
            talk,
            book,
            space,
            queue,
            reviews,
            coordination,
            commits,
            hand_ins,
            settlement,
            patterns,
            is_stepwise=self.is_stepwise,
            has_more=workspace.reads_outdated or roster.has_more or bool(scenario.team.forgetful),
        )
        self.closing = Closing(
            roster.agents,
            agenda,
            journal,
            sides,
            coordination,
            space,
            self.steps,
            self.call_end,
            partitions,
            settlement,
            None if self.failures is None else self.failures.health,
        )
        self._partitions, self._cuts = partitions, scenario.network.partitions
        journal.note(Event.RUN_START)

    def set_timers(self) -> None:
        """Let what the scenario says happen later: partitions, then faults."""
        self._partitions.set_timers(self._cuts)
        if self.failures is not None:
            self.failures.start()

    @property
    def metrics(self) -> Metrics:
        """The row of results that is being counted."""
        return self.journal.metrics

    @property
    def agents(self) -> list[AgentState]:
        """Workers, then coordinators, then verifiers."""
        return self.roster.agents

    def forget(self) -> None:
        """Break the circles of references between parts, after the run."""
        self.subagents.forget()
        if self.tools is not None:
            self.tools.forget()
        if self.failures is not None:
            self.failures.forget()
