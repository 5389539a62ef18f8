"""Sub-agents: calls of tools that are loops of other agents, served as all calls are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simulator.errors import TeamsimError
from simulator.model.agenda import Agenda
from simulator.model.agents.agent import SUBAGENT, AgentState
from simulator.model.agents.cast import SubagentCast
from simulator.model.agents.channels import Voice
from simulator.model.agents.timesheet import WAITING
from simulator.model.agents.toolkit import ToolCall
from simulator.model.answers import Difficulty
from simulator.model.calls.book import CallBook
from simulator.model.calls.end_rows import note_end
from simulator.model.calls.phases import Phases, Steps
from simulator.model.calls.runs import CANCELLED, CUT_OFF, DONE, ERROR, Run
from simulator.model.calls.service import CallLostError, Service
from simulator.model.journal import Journal
from simulator.model.stream_numbers import number_of_child
from simulator.model.streams import Purpose, Streams
from simulator.model.trace import ANSWERED, Event
from simulator.model.why import Why
from simulator.scenario.agent import Agent
from simulator.scenario.subagents import MOST_DEPTH


@dataclass(slots=True, eq=False)
class _Subagent:
    """A sub-agent under way."""

    agent: AgentState
    run: Run
    depth: int
    began_s: float
    over: Callable[[bool], None]
    """Told whether it has failed, when it ends by itself."""
    how: str = ""
    """How it ends, where somebody else has said so."""

    def end_as(self, how: str) -> None:
        """Set how it ends, where that is not yet set."""
        self.how = self.how or how


class SubagentPool:
    """Starts sub-agents and brings them to their ends.

    A sub-agent is an `AgentState` of its own, made when it begins; its draws are named
    by who starts it, with which tool, and by its ordinal among these. It goes through the same
    service as all agents; its time is booked aside (`AgentState.is_of_team`).

    Parameters
    ----------
    cast : SubagentCast or None
        None where there are none.
    difficulty : Difficulty
    streams : Streams
    agenda : Agenda
    journal : Journal
    phases : Phases
    agents : int
        How many there are in the team: sub-agents are numbered from there on.
    """

    __slots__ = (
        "_agenda",
        "_asked",
        "_book",
        "_difficulty",
        "_journal",
        "_kinds",
        "_last_kinds",
        "_left",
        "_max_depth",
        "_metrics",
        "_next",
        "_of_run",
        "_phases",
        "_service",
        "_streams",
        "_under_way",
    )

    def __init__(
        self,
        cast: SubagentCast | None,
        difficulty: Difficulty,
        streams: Streams,
        agenda: Agenda,
        journal: Journal,
        phases: Phases,
        agents: int,
    ) -> None:
        self._difficulty = difficulty
        self._streams = streams
        self._agenda = agenda
        self._journal = journal
        self._metrics = journal.metrics
        self._phases = phases
        self._kinds = {} if cast is None else cast.kinds
        self._last_kinds = {} if cast is None else cast.last_kinds
        self._max_depth = None if cast is None else cast.max_depth
        self._left = None if cast is None else cast.max_total
        self._next = agents
        self._asked: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._under_way: dict[int, _Subagent] = {}
        self._of_run: dict[Run, _Subagent] = {}
        self._service: Service
        self._book: CallBook

    def connect(self, service: Service, book: CallBook) -> None:
        """Have sub-agents served from now on, and their calls booked."""
        self._service = service
        self._book = book

    def forget(self) -> None:
        """Forget who serves: it holds whoever runs tools."""
        self._under_way.clear()
        self._of_run.clear()
        del self._service, self._book

    def agents(self) -> list[AgentState]:
        """Return the sub-agents that are under way."""
        return [each.agent for each in self._under_way.values()]

    def allowed(self, calls: Sequence[ToolCall]) -> Sequence[ToolCall]:
        """Return calls of tools without those that would start too many sub-agents."""
        if self._left is None:
            return calls
        left, found = self._left, []
        for call in calls:
            starts = call.tool.starts is not None
            if not starts or left > 0:
                found.append(call)
            left -= starts
        return found

    def ask(self, run: Run) -> None:
        """Ask for a sub-agent, which begins when `start` says so."""
        parent, name = run.own.agent, run.call.tool.name
        ordinal = self._asked[parent.index, name]
        self._asked[parent.index, name] += 1
        if self._left is not None:
            self._left -= 1
        run.name_child(number_of_child(parent.entity, parent.number, name, ordinal))

    def start(self, run: Run, over: Callable[[bool], None]) -> None:
        """Let a sub-agent read its prompt and begin; `over` is told whether it has failed."""
        starts, parent, now = run.call.tool.starts, run.own.agent, self._agenda.now
        assert starts is not None
        depth = 1 + self._depth_of(parent)
        if depth > MOST_DEPTH:
            raise TeamsimError(
                f"sub-agents of kind {starts.agent!r} are {depth} levels below the team: say "
                f"'max_depth' in team.subagents, up to {MOST_DEPTH}"
            )
        kinds = self._last_kinds if depth == self._max_depth else self._kinds
        who = (kinds[starts.agent], self._next, SUBAGENT, run.child)
        agent = AgentState(*who, self._streams, self._difficulty, Voice())
        self._next += 1
        agent.work_for(parent.member)
        if starts.context == "forked":
            shares_cache = _has_prompt_of(agent.spec, parent.spec)
            agent.memory.fork(parent.memory, shares_cache, not run.call.tool.is_background)
        each = _Subagent(agent, run, depth, now, over)
        self._under_way[agent.index] = self._of_run[run] = each
        self._service.join(agent)
        self._begin_call(agent, starts.work, now)
        self._metrics.sub_agents += 1
        where = (agent.index, agent.call.number)
        kind = starts.agent
        self._journal.note(Event.SUBAGENT_START, *where, peer=parent.index, outcome=kind)
        self._agenda.begin(agent.index)
        if agent.spec.faults.crash is not None:
            up_s = agent.spec.faults.crash.up_s
            draw = self._streams.draws(up_s, agent.entity, agent.number, Purpose.CRASH_UP)
            is_there = partial(self._under_way.__contains__, agent.index)
            self._agenda.at(now + draw(), partial(self._strike, agent.index), is_there)

    def _depth_of(self, agent: AgentState) -> int:
        return self._under_way[agent.index].depth if agent.role == SUBAGENT else 0

    def _begin_call(self, agent: AgentState, work: float, now: float) -> None:
        """Read the prompt and begin to write."""
        memory, loop = agent.memory, agent.loop
        memory.read(now, None)
        if loop is not None:
            loop.begin(work, False, False)
            work = loop.work
        output, message, duration_s = agent.compose(work, False, 0)
        self._book.begin(agent, now, [], work, output, message, duration_s)
        agent.time.begin_steps()

    def _strike(self, index: int) -> None:
        """Let a sub-agent crash now, after its call if that ends at this very instant."""
        is_there = partial(self._under_way.__contains__, index)
        self._agenda.at(self._agenda.instant_ends_s(), partial(self._crash, index), is_there)

    def _crash(self, index: int) -> None:
        if index not in self._under_way:
            return
        self._metrics.crashes += 1
        self._metrics.fault_events += 1
        self._journal.note(Event.FAULT, index, outcome="crash")
        self._agenda.interrupt(index, Why.CRASH)

    def steps(self, index: int) -> tuple[AgentState, Steps]:
        """Return a sub-agent that begins, and its steps."""
        each = self._under_way[index]
        return each.agent, self._go(each)

    def _go(self, each: _Subagent) -> Steps:
        """Go through a sub-agent's loop to its end."""
        agent, service = each.agent, self._service
        lost = agent.call.lost_to
        if not lost:
            try:
                service.begin(agent)
                yield from service.serve(agent, agent.time.duration_s)
            except CallLostError as error:
                lost = error.why
                agent.call.fail(lost)
                if agent.time.waits_for:
                    self._phases.book_wait(agent)
                self._phases.enter(agent, WAITING)
                service.lost(agent, lost)
        self._phases.enter(agent, WAITING)
        agent.time.end_steps()
        how = each.how or _outcome(lost, each.run.call.fails)
        self._book.end(agent, self._agenda.now, how in ANSWERED)
        if how in ANSWERED:
            agent.memory.remember(agent.call.output)
        else:
            self._metrics.too_long_prompts += lost is Why.PROMPT_TOO_LONG
        self._leave(each, how)
        each.over(how != DONE)

    def end(self, run: Run, how: str) -> None:
        """End the sub-agent that a call is, if it is under way; `how` says why."""
        each = self._of_run.get(run)
        if each is None:
            return
        each.end_as(how)
        if how == CUT_OFF:
            self._cut_off(each)
        else:
            self._agenda.interrupt(each.agent.index, Why.CANCELLED)

    def _cut_off(self, each: _Subagent) -> None:
        """End a sub-agent with the run; what it has read, and written so far, is paid for."""
        agent = each.agent
        if agent.time.waits_for:
            self._phases.book_wait(agent)
        self._service.cut_off(agent)
        self._book.cut_off(agent, agent.time.earlier_s + agent.time.served_s)
        self._leave(each, CUT_OFF)

    def _leave(self, each: _Subagent, how: str) -> None:
        """Write that a sub-agent is over, and forget it."""
        agent, now = each.agent, self._agenda.now
        del self._under_way[agent.index], self._of_run[each.run]
        self._service.leave(agent)
        self._metrics.sub_agents_failed += how not in (DONE, CANCELLED, CUT_OFF)
        self._metrics.sub_agent_s += now - each.began_s
        self._metrics.compactions += agent.memory.compactions
        note_end(self._journal, Event.SUBAGENT_END, agent, how, how in ANSWERED)


def _outcome(lost: Why, fails: bool) -> str:
    """Return how a sub-agent has ended by itself."""
    if lost:
        return lost.value if lost is Why.PROMPT_TOO_LONG else "failed"
    return ERROR if fails else DONE


def _has_prompt_of(one: Agent, other: Agent) -> bool:
    """Return whether two agents share a model, a system prompt and a cache: prompts of one hit."""
    mine, theirs = one.context, other.context
    as_long = mine.system_tokens == theirs.system_tokens
    cache = mine.prompt_cache
    is_same = cache is not None and cache.is_of(theirs.prompt_cache)
    return as_long and one.family == other.family and is_same
