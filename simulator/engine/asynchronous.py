"""Asynchronous timing: every agent loops on its own and waits only when it must."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from simulator.engine.clock import Clock
from simulator.model.agent import AgentState
from simulator.model.protocols import EVERYONE, SOMEONE
from simulator.model.team import TeamState


class Asynchronous:
    """One SimPy process an agent; an agent without work sleeps until it is concerned.

    A worker with a coordinator waits, after each call that reported, until its report has
    been answered; the coordinator answers one report at a time, first come first served.

    Parameters
    ----------
    env : simpy.Environment
    team : TeamState
    clock : Clock
    """

    def __init__(self, env: simpy.Environment, team: TeamState, clock: Clock) -> None:
        self._env = env
        self._team = team
        self._clock = clock
        self._asleep: dict[int, simpy.Event] = {}
        self._reports: simpy.Store | None = None

    def start(self) -> None:
        """Put the tasks on the board and start every agent."""
        self._clock.start(self._announce)
        coordinator = self._team.coordinator
        if coordinator is not None:
            self._reports = simpy.Store(self._env)
            self._env.process(self._coordinate(coordinator, self._reports))
        for agent in self._team.workers:
            self._env.process(self._work(agent))

    def _announce(self, tasks: list[int]) -> None:
        """Put tasks that can start on the board and wake whom they concern."""
        now, asleep = self._env.now, self._asleep
        for task in tasks:
            concerned = self._team.task_ready(task, now)
            if not asleep:
                continue
            if concerned == EVERYONE:
                for agent in list(asleep):
                    asleep.pop(agent).succeed()
            elif concerned == SOMEONE:
                asleep.pop(next(iter(asleep))).succeed()
            elif concerned in asleep:
                asleep.pop(concerned).succeed()

    def _work(self, agent: AgentState) -> Generator[simpy.Event, Any, None]:
        env, team, clock = self._env, self._team, self._clock
        while True:
            if not team.begin_call(agent, env.now, False):
                alarm = env.event()
                self._asleep[agent.index] = alarm
                yield alarm
                continue
            yield env.timeout(agent.duration_s)
            self._announce(team.end_call(agent, env.now))
            if clock.check_limits():
                return
            if self._reports is not None and agent.message_tokens >= 0:
                answered = env.event()
                self._reports.put(answered)
                yield answered

    def _coordinate(
        self, coordinator: AgentState, reports: simpy.Store
    ) -> Generator[simpy.Event, Any, None]:
        env, team, clock = self._env, self._team, self._clock
        while True:
            answered: simpy.Event = yield reports.get()
            team.begin_coordination(coordinator, env.now, 1)
            yield env.timeout(coordinator.duration_s)
            team.end_call(coordinator, env.now)
            if clock.check_limits():
                return
            answered.succeed()
