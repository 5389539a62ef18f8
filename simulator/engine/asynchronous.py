"""Asynchronous timing: every agent loops on its own and waits only when it must."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Generator, Sequence
from functools import partial

import simpy

from simulator.engine.calls import Calls, stop
from simulator.engine.clock import Clock
from simulator.engine.schedule import CallDue, Schedule, Timing
from simulator.model.agents.agent import COORDINATOR, VERIFIER, WORKER, AgentState
from simulator.model.protocols import EVERYONE, SOMEONE, preferred


def _place(agent: AgentState) -> int:
    """Return an agent's place in the order of beginning: staff before the workers."""
    return (COORDINATOR, VERIFIER, WORKER).index(agent.role)


class Asynchronous(Timing):
    """Each agent calls as soon as it can; an agent without work sleeps until an event concerns it.

    A worker with a coordinator waits, after each call that reported, until its report has
    been answered; the coordinator answers one report at a time, first come first served.

    An agent is a SimPy process if its calls have steps, or if it keeps pace with others. If a call
    is nothing but its service, the end of one begins the next, because the processes
    of a thousand agents would not fit into the processor's cache; the ends of all calls of an agent
    are one event, which is scheduled again.

    Parameters
    ----------
    env : Schedule
    clock : Clock
    calls : Calls
    agents : sequence of AgentState
        Workers, then coordinators, then verifiers.
    staleness : int or None
        Calls that a worker may be ahead of the slowest at work; None for no bound.
    """

    __slots__ = (
        "_agents",
        "_asleep",
        "_calls",
        "_clock",
        "_ends",
        "_env",
        "_pace",
        "_waiting",
        "processes",
    )

    def __init__(
        self,
        env: Schedule,
        clock: Clock,
        calls: Calls,
        agents: Sequence[AgentState],
        staleness: int | None,
    ) -> None:
        self._env = env
        self._clock = clock
        self._calls = calls
        self._agents = agents
        self._pace = None if staleness is None else _Pace(env, staleness)
        # Finding the first key of a plain dict takes time for each key deleted before it.
        self._asleep: OrderedDict[int, simpy.Event] = OrderedDict()
        self._waiting: dict[int, simpy.Event] = {}
        """Agents asleep that could not take a task: only events meant for them wake them."""
        self.processes: list[simpy.Process] = []
        """One for each agent, or a single one that starts all agents."""
        self._ends: list[CallDue] = []
        """Of each agent the end of its call, where calls are nothing but their service."""

    def start(self) -> None:
        """Put the tasks on the board and start every agent."""
        self._clock.start(self._react, lambda: None)
        everyone = sorted(self._agents, key=_place)
        if self._calls.is_stepwise or self._pace is not None:
            self.processes = [self._env.process(self._work(agent)) for agent in everyone]
        else:
            self._ends = [CallDue(agent, self) for agent in self._agents]
            self.processes = [self._env.process(self._begin(everyone))]

    def forget(self) -> None:
        """Break the circles of references to the agents' loops, after the run."""
        stop(self.processes)
        self._calls.forget()
        self._asleep.clear()
        self._waiting.clear()
        self._ends.clear()

    def _react(self) -> None:
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
                        asleep.pop(agent).succeed()
                elif concerned == SOMEONE:
                    self._wake_one()
                elif concerned < EVERYONE:
                    agent = preferred(concerned)
                    if agent in asleep:
                        asleep.pop(agent).succeed()
                    else:
                        self._wake_one()
                elif concerned in asleep:
                    asleep.pop(concerned).succeed()
                elif concerned in waiting:
                    waiting.pop(concerned).succeed()

    def _wake_one(self) -> None:
        agents = self._agents
        first = next((index for index in self._asleep if not agents[index].is_down), None)
        if first is not None:
            self._asleep.pop(first).succeed()

    def _alarm(self, agent: AgentState) -> simpy.Event:
        """Put the agent to sleep; return the event that wakes it."""
        alarm = self._env.event()
        if agent.is_of_use:
            self._asleep[agent.index] = alarm
        else:
            self._waiting[agent.index] = alarm
        return alarm

    def _begin(self, agents: list[AgentState]) -> Generator[simpy.Event, object, None]:
        """Let everyone begin, after the tasks that arrive at the start have arrived."""
        self._clock.reach(self._env.now)
        for agent in agents:
            self._call(agent)
        yield from ()

    def _call(self, agent: AgentState) -> None:
        """Let an agent call if it can, and again after that, or sleep."""
        env = self._env
        if self._calls.starts.begin_call(agent, env.now, False):
            env.due(self._ends[agent.index], agent.time.duration_s)
        else:
            self._alarm(agent).callbacks.append(partial(self._wakes, agent))

    def _wakes(self, agent: AgentState, event: simpy.Event) -> None:
        """Let an agent that has slept call if it can."""
        self._clock.reach(self._env.now)
        self._call(agent)

    def call_ends(self, agent: AgentState) -> None:
        """End a call that was nothing but its service, and begin the next."""
        self._calls.ends.end_call(agent, self._env.now)
        if self._clock.woken:
            self._wake()
        if not self._clock.check_limits():
            self._call(agent)

    def _sleep(self, agent: AgentState, pace: _Pace | None) -> Generator[simpy.Event, object, None]:
        """Wait for an event that concerns the agent; meanwhile no agent keeps pace with it."""
        alarm = self._alarm(agent)
        if pace is not None:
            pace.leave(agent.index)
        yield alarm
        if pace is not None:
            pace.join(agent.index)

    def _work(self, agent: AgentState) -> Generator[simpy.Event, object, None]:
        env = self._env
        clock, starts, ends = self._clock, self._calls.starts, self._calls.ends
        pace = None if agent.role else self._pace
        stepwise = self._calls.is_stepwise
        if pace is not None:
            pace.join(agent.index)
        while True:
            if pace is not None:
                yield from pace.keep(agent.index)
            clock.reach(env.now)
            if not starts.begin_call(agent, env.now, False):
                yield from self._sleep(agent, pace)
                continue
            if stepwise:
                if clock.woken:
                    self._wake()
                yield from self._calls.take_through(agent)
            else:
                yield env.timeout(agent.time.duration_s)
            ends.end_call(agent, env.now)
            if clock.woken:
                self._wake()
            if clock.resumed or clock.interrupted:
                self._calls.resume()
            if clock.check_limits():
                return
            if pace is not None:
                pace.advance(agent.index)


class _Pace:
    """Holds back agents that are more than `staleness` calls ahead of the slowest at work."""

    __slots__ = ("_at_work", "_calls", "_env", "_news", "_slowest", "_staleness")

    def __init__(self, env: Schedule, staleness: int) -> None:
        self._env = env
        self._staleness = staleness
        self._calls: Counter[int] = Counter()
        self._at_work: Counter[int] = Counter()
        """Agents at work by their number of calls."""
        self._slowest = 0
        self._news = env.event()

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
            self._news.succeed()
            self._news = self._env.event()

    def keep(self, agent: int) -> Generator[simpy.Event, object, None]:
        """Wait until the agent is not too far ahead."""
        while self._calls[agent] - self._slowest > self._staleness:
            yield self._news
