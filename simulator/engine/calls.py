"""Calls that are more than their service: the model says what comes next, SimPy when."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import simpy

from simulator.engine.clock import Clock
from simulator.model.agent import AgentState
from simulator.model.team import TeamState


class Calls:
    """Takes calls through the steps of the model; wakes those that wait to be resumed.

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
        self._halted: dict[int, simpy.Event] = {}

    def take_through(self, agent: AgentState) -> Generator[simpy.Event, Any, None]:
        """Be a process for the length of one call of `agent`, which has begun."""
        env, team = self._env, self._team
        steps = team.steps(agent)
        while True:
            team.now = env.now
            try:
                seconds = next(steps)
            except StopIteration:
                break
            finally:
                self.resume()
            if team.stopped is not None:
                self._clock.stop(*team.stopped)
            if seconds is None:
                self._halted[agent.index] = env.event()
                yield self._halted[agent.index]
            else:
                yield env.timeout(seconds)

    def resume(self) -> None:
        """Let those go on whom the model has resumed."""
        resumed = self._team.resumed
        if resumed:
            for agent in resumed:
                self._halted.pop(agent.index).succeed()
            resumed.clear()
