"""Crashes at random, and repairs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from simulator.model.agents.agent import AgentState
from simulator.model.resilience._pattern import AgentFault, FailureSetting
from simulator.model.streams import Draw, Purpose
from simulator.scenario.faults import Crash

_INSTANT_S = 1e-6
"""A delay after which all events of the present instant are over."""


class Crashes(AgentFault):
    """Lets agents crash, each by an alternating renewal process of its own."""

    kind: ClassVar[str] = "crash"

    __slots__ = ("_agenda", "_health", "_repair", "_specs", "_up")

    def __init__(self, specs: Mapping[AgentState, Crash], setting: FailureSetting) -> None:
        self._specs = specs
        self._agenda = setting.agenda
        self._health = setting.health
        draws = setting.streams.draws
        self._up: dict[AgentState, Draw] = {}
        self._repair: dict[AgentState, Draw] = {}
        for agent, spec in specs.items():
            who = (agent.entity, agent.number)
            self._up[agent] = draws(spec.up_s, *who, Purpose.CRASH_UP)
            if spec.repair_s is not None:
                self._repair[agent] = draws(spec.repair_s, *who, Purpose.CRASH_REPAIR)

    def start(self) -> None:
        """Set the timers of the first crashes."""
        for agent in self._specs:
            self._await_crash(agent)

    def back(self, agent: AgentState) -> None:
        """Set the timer of the agent's next crash."""
        if agent in self._up:
            self._await_crash(agent)

    def _await_crash(self, agent: AgentState) -> None:
        at_s = self._agenda.now + max(_INSTANT_S, self._up[agent]())
        this = agent, self._health.lives[agent.index]
        # Crashes and repairs of who is idle must not keep a stuck team going.
        ends_call = partial(self._is_in_call, *this)
        self._agenda.at(at_s, partial(self._strike, *this), ends_call)

    def _is_in_call(self, agent: AgentState, life: int) -> bool:
        return agent.time.in_call and self._health.lives[agent.index] == life

    def _strike(self, agent: AgentState, life: int) -> None:
        self._health.after_calls([agent], partial(self._crash, agent, life), True)

    def _crash(self, agent: AgentState, life: int) -> None:
        if self._health.lives[agent.index] == life:
            repair = self._repair.get(agent)
            repair_s = None if repair is None else repair()
            self._health.crash(agent, repair_s, self._specs[agent].keeps_context)
