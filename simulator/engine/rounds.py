"""Synchronous timing: in each round all workers call, then a barrier, then the staff calls."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

import simpy
from simpy.events import URGENT

from simulator.engine.calls import Calls
from simulator.engine.clock import Clock
from simulator.engine.halfway import Halfway
from simulator.engine.harness import Harness
from simulator.engine.latecomers import Latecomers
from simulator.engine.own_calls import OwnCalls, in_order_of_requests
from simulator.engine.own_process import OwnProcess
from simulator.engine.schedule import LAST, CallDue, Schedule, Timing
from simulator.engine.straggler_gap import StragglerGap
from simulator.model.agents.agent import AgentState
from simulator.model.journal import Journal
from simulator.model.streams import Draw
from simulator.model.trace import Event
from simulator.scenario.coordination import CoordinationSpec


def _duration_s(agent: AgentState) -> float:
    return agent.time.duration_s


def _durations_s(agents: list[AgentState]) -> list[float]:
    found = []
    for agent in agents:  # in a comprehension, the compiled build would not know what it is
        found.append(agent.time.duration_s)
    return found


class Rounds(Timing):
    """Rounds with a barrier: each lasts as long as its slowest call.

    After the workers' barrier the verifiers call, and then the coordinators, level by level. Each
    of these shifts has its own barrier.

    Parameters
    ----------
    env : Schedule
    clock : Clock
    calls : Calls
    shifts : list of lists of AgentState
        Who calls together, one shift after another, the workers first.
    journal : Journal
    is_complete : callable
        Tells whether nothing is left to do.
    overhead : callable or None
        Draws the seconds of the harness after a round; None if it takes no time.
    coordination : CoordinationSpec
    wait_for : float
        Share of the workers' calls that a barrier waits for.
    """

    __slots__ = (
        "_barrier",
        "_callers",
        "_calls",
        "_calls_each",
        "_clock",
        "_env",
        "_gap",
        "_halfway",
        "_harness",
        "_has_news",
        "_in_order",
        "_is_complete",
        "_journal",
        "_metrics",
        "_must_call",
        "_news",
        "_of_turns",
        "_own",
        "_pending",
        "_rounds",
        "_served_s",
        "_share",
        "_staff",
        "_wanted",
        "_workers",
    )

    def __init__(
        self,
        env: Schedule,
        clock: Clock,
        calls: Calls,
        shifts: list[list[AgentState]],
        journal: Journal,
        is_complete: Callable[[], bool],
        overhead: Draw | None,
        coordination: CoordinationSpec,
        wait_for: float,
    ) -> None:
        self._env = env
        self._clock = clock
        self._calls = calls
        self._workers, self._staff = shifts[0], shifts[1:]
        self._journal = journal
        self._metrics = journal.metrics
        self._is_complete = is_complete
        self._must_call = coordination.idle_agents == "call"
        self._calls_each = coordination.calls_per_round
        everybody = [agent for shift in shifts for agent in shift]
        self._harness: Harness | None = None
        if overhead is not None:
            self._harness = Harness(env, clock, journal, overhead, everybody)
        self._gap = StragglerGap(journal.metrics)
        self._served_s: dict[int, float] = {}
        self._of_turns = coordination.round_of == "turn"
        self._halfway = Halfway()
        self._pending = 0
        self._share = wait_for
        self._wanted = math.inf
        """Calls on tasks for which the barrier still waits; infinite if it waits for all calls."""
        self._callers: list[AgentState] = []
        self._in_order: list[AgentState] = []
        self._barrier = env.event()
        self._news, self._has_news = env.event(), False
        self._own: dict[int, OwnCalls] = {}
        """For each agent in a call that has steps, or may be followed by others, its calls."""
        self._rounds = OwnProcess(env, self._go_round())

    def start(self) -> None:
        """Put the tasks on the board and start the first round."""
        self._clock.start(self)
        self._clock.keep_rounds(self._turn_ends)
        self._rounds.start()

    def react(self) -> None:
        """Let calls go on that wait, and a round begin if none is under way."""
        self._clock.take_woken()  # nobody sleeps: all are asked in the next round
        self._calls.resume()
        if not self._has_news:
            self._has_news = True
            self._news.succeed()

    def _go_round(self) -> Generator[simpy.Event | None, object, None]:
        env, clock, journal, metrics = self._env, self._clock, self._journal, self._metrics
        while not clock.check_limits():
            if journal.round >= clock.limits.max_rounds:
                clock.end("max_rounds")
                return
            started, done_before = env.now, metrics.tasks_done
            journal.begin_round(started)
            clock.begin_round(journal.round)
            if self._has_news:
                self._news, self._has_news = env.event(), False
            workers = self._begin(self._workers, self._must_call)
            somebody_called = bool(workers)
            if workers:
                yield self._call(workers, self._share)
                self._end_together()
            for staff in self._staff:
                callers = [] if self._is_complete() else self._begin(staff, False)
                if callers:
                    somebody_called = True
                    yield self._call(callers)
                    self._end_together()
            if len(workers) > 1:
                self._gap.note(self._latencies(workers))
            if clock.woken:
                clock.take_woken()  # nobody sleeps: all are asked in the next round
            if not somebody_called:
                journal.retract_round()
                yield self._news
                continue
            if metrics.tasks_done == done_before:
                metrics.idle_rounds += 1
            if journal.trace is not None:
                journal.note(Event.ROUND_END, duration_s=env.now - started, at_s=env.now)
            if self._harness is not None and not self._is_over():
                yield from self._harness.work()

    def _is_over(self) -> bool:
        """Return whether no round follows."""
        is_last = self._journal.round >= self._clock.limits.max_rounds
        return self._clock.check_limits() or is_last

    def _latencies(self, workers: list[AgentState]) -> list[float]:
        """Return the seconds that each worker has been in service in this round."""
        if self._of_turns:
            return [self._halfway.of_this_round_s(agent) for agent in workers]
        if self._calls_each == 1:
            return _durations_s(workers)
        return [self._served_s[agent.index] for agent in workers]

    def _begin(self, agents: list[AgentState], must_call: bool) -> list[AgentState]:
        """Return the agents that begin a call, or go on with one."""
        starts, now, halfway = self._calls.starts, self._env.now, self._halfway
        self._clock.reach(now)
        agents = self._calls.stuck.last_of(agents)
        if halfway:
            callers = [a for a in agents if a in halfway or starts.begin_call(a, now, must_call)]
        else:
            callers = [agent for agent in agents if starts.begin_call(agent, now, must_call)]
        if callers and self._harness is not None:
            self._harness.let_round_begin()
        return callers

    def _call(self, callers: list[AgentState], share: float = 1.0) -> simpy.Event | None:
        """Let calls that have begun go on; return the event of their barrier, None if it is timed.

        `_end_together` is to follow it.
        """
        if self._calls.is_stepwise or self._calls_each > 1 or not self._clock.only_calls_happen:
            return self._barrier_after(callers, share)
        # No agent sees the team before the last call has ended, so one event is enough for all.
        self._in_order = in_order = sorted(callers, key=_duration_s)
        self._env.due(self._rounds, in_order[-1].time.duration_s)
        return None

    def _end_together(self) -> None:
        """End the calls for which one event is enough, one after the other."""
        in_order, self._in_order = self._in_order, []
        ends = self._calls.ends
        for agent in in_order:
            ends.end_call(agent, agent.time.started_s + agent.time.duration_s)

    def _barrier_after(self, callers: list[AgentState], share: float = 1.0) -> simpy.Event:
        """Return the event that all calls of `callers` have ended.

        When `share` of them have succeeded, the others are cancelled. A call that has failed, or
        whose attempts have all failed their tests, does not count as a success.
        """
        env = self._env
        self._pending = len(callers)
        # Idle calls are not waited for, and do not count among the calls that must succeed.
        at_work = sum(1 for agent in callers if agent.call.picks) if share < 1.0 else 0
        self._wanted = math.ceil(share * at_work - 1e-9) if at_work else math.inf
        self._callers = callers
        self._barrier = env.event()
        if self._calls.is_stepwise or self._calls_each > 1:
            in_turn = in_order_of_requests(callers, self._metrics)
            if self._of_turns:
                in_turn = self._go_on(in_turn)
            for agent in in_turn:
                self._own[agent.index] = own = OwnCalls(self, agent)
                env.schedule(own, URGENT)
            return self._barrier
        # Scheduled in the order in which they will end, so that a large schedule is read in memory
        # order. A callback for each call, rather than a process, halves the number of events.
        for agent in sorted(callers, key=_duration_s):
            env.due(CallDue(agent, self), agent.time.duration_s)
        return self._barrier

    def _go_on(self, callers: list[AgentState]) -> list[AgentState]:
        """Let the agents that are in the middle of a call go on; return the others."""
        waiting = [agent.index for agent in self._halfway.go_on(callers)]
        for index in waiting:
            self._clock.resume(index)
        self._calls.resume()
        others = {agent.index for agent in callers}.difference(waiting)
        return [agent for agent in callers if agent.index in others]

    def _turn_ends(self, index: int, served_s: float) -> None:
        """Let an agent be at the barrier, in the middle of its call."""
        self._halfway.wait(index, served_s)
        self._be_at_barrier()

    def _be_at_barrier(self) -> None:
        self._pending -= 1
        if not self._pending:
            self._barrier.succeed()

    def call_ends(self, agent: AgentState) -> None:
        """End a call; the agent begins another of this round, or is at the barrier."""
        own = self._own.get(agent.index)
        if own is None:
            self._calls.ends.end_call(agent, self._env.now)
            self._be_at_barrier()
        else:
            self._end_one(own)

    def go_on(self, agent: AgentState) -> None:
        """Let an agent make its next call of this round; the first has begun."""
        calls, own = self._calls, self._own[agent.index]
        if own.made:
            self._clock.let_go()
            starts, now = calls.starts, self._env.now
            if self._is_last(own) or not starts.begin_call(agent, now, self._must_call):
                self._go_to_barrier(own)
                return
        if not calls.is_stepwise:
            self._env.due(CallDue(agent, self), agent.time.duration_s)
        elif calls.begin(agent, self):
            self._end_one(own)

    def _end_one(self, own: OwnCalls) -> None:
        """End a call of an agent, which is then at the barrier, or makes another.

        It begins that after all calls that end at this instant: theirs may be the last task.
        """
        own.end(self._calls, self._metrics, self._env.now)
        if self._is_last(own):
            self._go_to_barrier(own)
        else:
            self._clock.hold_up()
            self._env.schedule(own, LAST)

    def _is_last(self, own: OwnCalls) -> bool:
        """Return whether the call of an agent that has ended is its last of this round."""
        has_made_all = own.made == self._calls_each or own.agent.role or self._is_complete()
        return bool(has_made_all or self._wanted <= 0 or not self._clock.may_call)

    def _go_to_barrier(self, own: OwnCalls) -> None:
        self._served_s[own.agent.index] = own.served_s
        del self._own[own.agent.index]
        self._leave(own)

    def _leave(self, own: OwnCalls) -> None:
        """Let an agent be at the barrier; those that are too late for it wait no longer."""
        counts = own.is_at_work and own.is_effective
        self._wanted -= counts
        if self._halfway.leave(own.agent):
            return  # lost at the barrier
        self._be_at_barrier()
        if self._pending and counts and self._wanted == 0:
            Latecomers(self._callers, self._env, self._clock, self._calls)

    def forget(self) -> None:
        """Break the circles of references to the rounds, after the run."""
        self._rounds.forget()
        self._calls.forget()
        self._own.clear()
        del self._rounds

    def settle(self) -> None:
        """Take back what the harness has done after the last round."""
        if self._harness is not None:
            self._harness.settle()
