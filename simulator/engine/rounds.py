"""Synchronous timing: everybody calls, a barrier, the coordinator calls, and again."""

from __future__ import annotations

from collections.abc import Generator
from operator import attrgetter
from typing import Any

import simpy

from simulator.engine.clock import Clock
from simulator.model.agent import AgentState
from simulator.model.streams import Entity, Purpose, Streams
from simulator.model.team import TeamState
from simulator.model.trace import Event, Row
from simulator.scenario.schema import Coordination

_duration_s = attrgetter("duration_s")


class Rounds:
    """Rounds with a barrier: each lasts as long as its slowest call.

    Parameters
    ----------
    env : simpy.Environment
    team : TeamState
    clock : Clock
    coordination : Coordination
    streams : Streams
    """

    def __init__(
        self,
        env: simpy.Environment,
        team: TeamState,
        clock: Clock,
        coordination: Coordination,
        streams: Streams,
    ) -> None:
        self._env = env
        self._team = team
        self._clock = clock
        self._must_call = coordination.idle_agents == "call"
        overhead = coordination.round_overhead_s
        self._overhead = (
            None
            if overhead.constant == 0.0
            else streams.draws(overhead, Entity.RUN, 0, Purpose.ROUND_OVERHEAD)
        )
        self._pending = 0
        self._barrier = env.event()
        self._news = env.event()

    def start(self) -> None:
        """Put the tasks on the board and start the first round."""
        self._clock.start(self._announce)
        self._env.process(self._run())

    def _announce(self, tasks: list[int]) -> None:
        for task in tasks:
            self._team.task_ready(task, self._env.now)
        if tasks and not self._news.triggered:
            self._news.succeed()

    def _run(self) -> Generator[simpy.Event, Any, None]:
        env, team, clock = self._env, self._team, self._clock
        max_rounds = clock.limits.max_rounds
        gap_sum_s, gap_rounds = 0.0, 0
        while not clock.check_limits():
            if team.round >= max_rounds:
                clock.stop("max_rounds")
                return
            team.round += 1
            started, done_before = env.now, team.metrics.tasks_done
            if team.trace is not None:
                team.trace.add(Row(started, Event.ROUND_START, round=team.round))
            callers = self._begin(team.workers)
            if not callers:
                team.retract_round()
                if not clock.arrivals_left:
                    return
                self._news = env.event()
                yield self._news
                continue
            yield self._barrier_after(callers)
            coordinator = team.coordinator
            if coordinator is not None and team.board.left:
                reports = sum(subscription.unread for subscription in coordinator.inbox)
                if reports:
                    team.begin_coordination(coordinator, env.now, reports)
                    yield self._barrier_after([coordinator])
            if len(callers) > 1:
                latencies = [agent.duration_s for agent in callers]
                gap_sum_s += max(latencies) - sum(latencies) / len(latencies)
                gap_rounds += 1
                team.metrics.straggler_gap_s = gap_sum_s / gap_rounds
            if team.metrics.tasks_done == done_before:
                team.metrics.idle_rounds += 1
            if team.trace is not None:
                length = env.now - started
                row = Row(env.now, Event.ROUND_END, round=team.round, duration_s=length)
                team.trace.add(row._replace(peer=len(callers)))
            if self._overhead is not None:
                yield from self._harness()

    def _begin(self, workers: list[AgentState]) -> list[AgentState]:
        """Return the workers that begin a call."""
        begin, now, must_call = self._team.begin_call, self._env.now, self._must_call
        return [agent for agent in workers if begin(agent, now, must_call)]

    def _barrier_after(self, callers: list[AgentState]) -> simpy.Event:
        """Return the event that all calls of `callers` have ended."""
        env, ends, timeout = self._env, self._call_ends, simpy.Timeout
        self._pending = len(callers)
        self._barrier = env.event()
        # In the order in which they will end, so that a large schedule is walked in memory order;
        # a callback rather than a process for each call, for half the events.
        for agent in sorted(callers, key=_duration_s):
            timeout(env, agent.duration_s, agent).callbacks.append(ends)
        return self._barrier

    def _call_ends(self, event: simpy.Event) -> None:
        env, team = self._env, self._team
        freed = team.end_call(event._value, env._now)
        for task in freed:
            team.task_ready(task, env._now)
        self._pending -= 1
        if not self._pending:
            self._barrier.succeed()

    def _harness(self) -> Generator[simpy.Event, Any, None]:
        env, team = self._env, self._team
        assert self._overhead is not None
        started, seconds = env.now, self._overhead()
        yield env.timeout(seconds)
        for agent in team.agents:
            agent.waited_s += started - agent.free_since
            agent.free_since = env.now
        team.metrics.coordination_s += len(team.agents) * (env.now - started)
        if team.trace is not None:
            row = Row(env.now, Event.OVERHEAD, round=team.round, duration_s=env.now - started)
            team.trace.add(row)
