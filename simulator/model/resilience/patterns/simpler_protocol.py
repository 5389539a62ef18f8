"""Falling back to a simpler protocol when too many are lost."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.resilience._pattern import FailureSetting, Pattern
from simulator.model.timers import AN_INSTANT
from simulator.model.why import Why
from simulator.scenario.resilience import SimplerProtocol


class Simplification(Pattern):
    """Watches for the loss that ends the protocol, and puts the simpler one in its place."""

    kind: ClassVar[str] = "simpler_protocol"

    __slots__ = (
        "_agenda",
        "_agents",
        "_change_protocol",
        "_health",
        "_is_done",
        "_sides",
        "_spec",
        "_spells_over",
        "_workers",
    )

    def __init__(self, spec: SimplerProtocol, setting: FailureSetting) -> None:
        self._spec = spec
        self._agents = setting.agents
        self._workers = setting.workers
        self._agenda = setting.agenda
        self._sides = setting.sides
        self._health = setting.health
        self._change_protocol = setting.change_protocol
        self._is_done = False
        self._spells_over = 0

    def lost(self, agent: AgentState) -> None:
        """Look again after a while, if the loss is bad enough."""
        if not self._is_done and self._is_bad(agent):
            this = agent, self._spell(agent)
            at_s = self._agenda.now + self._spec.after_s
            self._agenda.at(at_s, partial(self._look_again, *this), partial(self._lasts, *this))

    def back(self, agent: AgentState) -> None:
        """Note that enough workers are there again."""
        if not self._is_bad(agent):
            self._spells_over += 1

    def _spell(self, agent: AgentState) -> int:
        """Return which loss this is: that of the coordinator, or of too many workers at once."""
        by_coordinator = self._spec.when_lost == "coordinator"
        return self._health.lives[agent.index] if by_coordinator else self._spells_over

    def _lasts(self, agent: AgentState, spell: int) -> bool:
        """Return whether it has been bad since then, without a break."""
        return not self._is_done and self._spell(agent) == spell

    def _is_bad(self, agent: AgentState) -> bool:
        if self._spec.when_lost == "coordinator":
            return agent.role == COORDINATOR
        down = self._health.workers_down
        return down >= self._spec.share * len(self._workers) * (1.0 - AN_INSTANT)

    def _look_again(self, agent: AgentState, spell: int) -> None:
        if self._lasts(agent, spell):
            self._is_done = True
            self._switch()

    def _switch(self) -> None:
        """Start the simpler protocol on the board as it is; what is in flight is lost."""
        board, workers = self._sides.board, self._workers
        board.disown()
        in_review = set(self._change_protocol(self._spec.protocol))
        if self._spec.agents is not None:
            up = [agent for agent in workers if not agent.is_down]
            for agent in workers:
                if agent not in up[: self._spec.agents]:
                    agent.retire()
        for agent in self._agents:
            if agent.role == COORDINATOR:
                agent.retire()
        for agent in workers:
            if not agent.is_there:
                self._sides.give_away(agent)
        for agent in self._agents:
            if agent.time.in_call:
                agent.call.go_astray()
                self._agenda.interrupt(agent.index, Why.SIMPLER)
            if agent.role == WORKER:
                agent.go_on()
        waiting = [t for t, missing in enumerate(board.missing) if not (missing or board.done[t])]
        self._sides.announce([task for task in waiting if task not in in_review])
        # By name: those who waited for a coordinator's answer are of use again.
        self._agenda.wake(*[agent.index for agent in workers])
