"""Asynchronous timing: every agent loops on its own and waits only when it must."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from functools import partial

import simpy
from simpy.events import URGENT

from simulator.engine.calls import Calls
from simulator.engine.clock import Clock
from simulator.engine.schedule import LAST, NOBODY, CallDue, Due, Schedule, Timing
from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER, AgentState
from simulator.model.protocols import EVERYONE, SOMEONE, preferred
from simulator.model.why import Why


def _place(agent: AgentState) -> int:
    """Return an agent's place in the order of beginning: staff before the workers."""
    return (COORDINATOR, VERIFIER, WORKER).index(agent.role)


class Asynchronous(Timing):
    """Each agent calls as soon as it can; an agent without work sleeps until an event concerns it.

    A worker with a coordinator waits, after each call that reported, until its report has
    been answered; the coordinator answers one report at a time, first come first served.

    The end of a call begins the next; an agent has no process of SimPy, since those of a thousand
    agents would not fit into the processor's cache. The ends of all calls of an agent that are
    nothing but their service are one event, which is scheduled again.

    Parameters
    ----------
    env : Schedule
    clock : Clock
    calls : Calls
    agents : sequence of AgentState
        Workers, then coordinators, then verifiers.
    staleness : int or None
        Calls that a worker may be ahead of the slowest at work; None for no bound.
    looks_round : bool
        Whether a worker's next call depends on what others have asked it by then: it begins after
        all calls that end at the same instant.
    """

    __slots__ = (
        "_agents",
        "_asleep",
        "_calls",
        "_clock",
        "_detects_stuck",
        "_ends",
        "_env",
        "_looks_round",
        "_pace",
        "_waiting",
    )

    def __init__(
        self,
        env: Schedule,
        clock: Clock,
        calls: Calls,
        agents: Sequence[AgentState],
        staleness: int | None,
        looks_round: bool = False,
        detects_stuck: bool = False,
    ) -> None:
        self._env = env
        self._clock = clock
        self._calls = calls
        self._agents = agents
        self._looks_round = looks_round
        self._detects_stuck = detects_stuck
        self._pace = None if staleness is None else _Pace(env, staleness)
        # Finding the first key of a plain dict takes time for each key deleted before it.
        self._asleep: OrderedDict[int, _Alarm] = OrderedDict()
        self._waiting: dict[int, _Alarm] = {}
        """Agents asleep that could not take a task: only events meant for them wake them."""
        self._ends: list[CallDue] = []
        """Of each agent the end of its call, where calls are nothing but their service."""

    def start(self) -> None:
        """Put the tasks on the board and start every agent."""
        self._clock.start(self)
        if not self._calls.is_stepwise:
            self._ends = [CallDue(agent, self) for agent in self._agents]
        self._env.schedule(_Beginning(self), URGENT)

    def forget(self) -> None:
        """Break the circles of references to the timing, after the run."""
        self._calls.forget()
        self._asleep.clear()
        self._waiting.clear()
        self._ends.clear()
        self._pace = None

    def settle(self) -> None:
        """Have nothing to settle."""

    def react(self) -> None:
        """Wake whom the last events concern."""
        clock = self._clock
        if clock.woken:
            self._wake()
        if clock.resumed or clock.interrupted:
            self._calls.resume()

    def _wake(self) -> None:
        """Wake the agents that the last events concern."""
        asleep, waiting, woken = self._asleep, self._waiting, self._clock.take_woken()
        if asleep or waiting:
            for concerned in woken:
                if concerned == EVERYONE:
                    for agent in list(asleep):
                        self._ring(asleep.pop(agent))
                elif concerned == SOMEONE:
                    self._wake_one()
                elif concerned < EVERYONE:
                    self._wake_one(preferred(concerned))
                elif concerned in asleep:
                    self._ring(asleep.pop(concerned))
                elif concerned in waiting:
                    self._ring(waiting.pop(concerned))

    def _wake_one(self, first: int = NOBODY) -> None:
        """Wake one agent that is of use, `first` if it is one, else who has slept longest."""
        agents, asleep = self._agents, self._asleep
        if first in asleep and agents[first].is_of_use:
            self._env.due(asleep.pop(first).for_anyone(), 0.0)
            return
        for index in asleep:
            if agents[index].is_of_use:
                self._env.due(asleep.pop(index).for_anyone(), 0.0)
                return

    def _ring(self, alarm: _Alarm) -> None:
        """Wake an agent, after what is already to happen now."""
        self._env.due(alarm, 0.0)

    def begin(self) -> None:
        """Let everyone begin, after the tasks that arrive at the start have arrived."""
        for agent in sorted(self._agents, key=_place):
            pace = self._pace_of(agent)
            if pace is not None:
                pace.join(agent.index)
            self.go_on(agent)

    def _pace_of(self, agent: AgentState) -> _Pace | None:
        """Return the pace that an agent keeps; staff keeps none."""
        return None if agent.role else self._pace

    def go_on(self, agent: AgentState) -> None:
        """Let an agent call, as soon as it can; nobody begins a call when the run has ended."""
        env, clock, calls = self._env, self._clock, self._calls
        if clock.has_ended:  # just now: others may have been woken before
            return
        pace = None if self._pace is None else self._pace_of(agent)
        while True:
            if pace is not None and pace.is_too_far_ahead(agent.index):
                pace.news.callbacks.append(partial(self._is_caught_up, agent))
                return
            if clock.now != env.now:
                clock.reach(env.now)
            if not calls.starts.begin_call(agent, env.now, False):
                self._sleep(agent, pace)
                return
            if not calls.is_stepwise:
                env.due(self._ends[agent.index], agent.time.duration_s)
                return
            if clock.woken:
                self._wake()
            if not calls.begin(agent, self) or self._is_over_after(agent):
                return

    def call_ends(self, agent: AgentState) -> None:
        """End a call, and begin the next."""
        gives_way = self._looks_round and not agent.role
        if self._detects_stuck and agent.call.lost_to is Why.STUCK:
            gives_way = True
        if self._is_over_after(agent):
            return
        if gives_way:
            self._clock.hold_up()
            self._env.schedule(_Next(agent, self), LAST)
        else:
            self.go_on(agent)

    def look_round(self, agent: AgentState) -> None:
        """Let an agent call, now that all has ended that ends at this instant."""
        self._clock.let_go()
        self.go_on(agent)

    def _is_over_after(self, agent: AgentState) -> bool:
        """End an agent's call; return whether the run is over."""
        clock, calls = self._clock, self._calls
        calls.ends.end_call(agent, self._env.now)
        if clock.woken:
            self._wake()
        if clock.resumed or clock.interrupted:
            calls.resume()
        if clock.check_limits():
            return True
        pace = None if self._pace is None else self._pace_of(agent)
        if pace is not None:
            pace.advance(agent.index)
        return False

    def _is_caught_up(self, agent: AgentState, event: simpy.Event) -> None:
        """Let an agent go on with which others may have caught up."""
        self.go_on(agent)

    def _sleep(self, agent: AgentState, pace: _Pace | None) -> None:
        """Wait for an event that concerns the agent; meanwhile no agent keeps pace with it."""
        alarm = _Alarm(agent, self)
        if agent.is_of_use:
            self._asleep[agent.index] = alarm
        else:
            self._waiting[agent.index] = alarm
        if pace is not None:
            pace.leave(agent.index)

    def wakes(self, agent: AgentState, is_for_anyone: bool) -> None:
        """Let an agent that has slept call if it can; else another, if it `is_for_anyone`."""
        pace = self._pace_of(agent)
        if pace is not None:
            pace.join(agent.index)
        self.go_on(agent)
        has_task = agent.time.in_call and agent.call.picks
        if is_for_anyone and not has_task and self._leaves_it(agent):
            self._wake_one()

    def _leaves_it(self, agent: AgentState) -> bool:
        """Return whether an agent does something else than the task for which it was woken."""
        if agent.time.in_call:
            return self._calls.starts.leaves_tasks(agent)
        # Who has found nothing sleeps again; others wait, or have become of no use just now.
        return agent.index not in self._asleep


class _Next(Due):
    """That an agent begins its next call, after all else that happens at this instant."""

    __slots__ = ("_agent", "_timing")

    def __init__(self, agent: AgentState, timing: Asynchronous) -> None:
        self._agent, self._timing = agent, timing

    def happen(self) -> None:
        """Let it."""
        self._timing.look_round(self._agent)


class _Beginning(Due):
    """That all agents begin."""

    __slots__ = ("_timing",)

    def __init__(self, timing: Asynchronous) -> None:
        self._timing = timing

    def happen(self) -> None:
        """Let them."""
        self._timing.begin()


class _Alarm(Due):
    """That an agent which sleeps is woken."""

    __slots__ = ("_agent", "_is_for_anyone", "_timing")

    def __init__(self, agent: AgentState, timing: Asynchronous) -> None:
        self._agent, self._timing = agent, timing
        self._is_for_anyone = False

    def for_anyone(self) -> _Alarm:
        """Wake it because of what anyone may do."""
        self._is_for_anyone = True
        return self

    def happen(self) -> None:
        """Let it go on."""
        self._timing.wakes(self._agent, self._is_for_anyone)


class _Pace:
    """Holds back agents that are more than `staleness` calls ahead of the slowest at work.

    Attributes
    ----------
    news : simpy.Event
        That agents which are held back may go on.
    """

    __slots__ = ("_at_work", "_calls", "_env", "_slowest", "_staleness", "news")

    def __init__(self, env: Schedule, staleness: int) -> None:
        self._env = env
        self._staleness = staleness
        self._calls: Counter[int] = Counter()
        self._at_work: Counter[int] = Counter()
        """Agents at work by their number of calls."""
        self._slowest = 0
        self.news = env.event()

    def join(self, agent: int) -> None:
        """Count an agent among those at work; it need not make up for calls missed in its sleep."""
        if self._at_work:
            self._calls[agent] = max(self._calls[agent], self._slowest)
        else:
            self._slowest = self._calls[agent]
        self._at_work[self._calls[agent]] += 1

    def leave(self, agent: int) -> None:
        """Let no others wait for this agent any longer."""
        self._take_off(self._calls[agent])
        self._catch_up()

    def advance(self, agent: int) -> None:
        """Count a call."""
        self._take_off(self._calls[agent])
        self._calls[agent] += 1
        self._at_work[self._calls[agent]] += 1
        self._catch_up()

    def _take_off(self, calls: int) -> None:
        self._at_work[calls] -= 1
        if not self._at_work[calls]:
            del self._at_work[calls]

    def _catch_up(self) -> None:
        """Find the slowest agent again, and wake the agents that may go on."""
        before = self._slowest
        while self._at_work and self._slowest not in self._at_work:
            self._slowest += 1
        if self._slowest > before or not self._at_work:
            self.news.succeed()
            self.news = self._env.event()

    def is_too_far_ahead(self, agent: int) -> bool:
        """Return whether the agent is to wait for `news`."""
        return self._calls[agent] - self._slowest > self._staleness
