"""Falling back to a simpler protocol when too many are lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.board import NOBODY
from simulator.model.protocols import Protocol
from simulator.scenario.resilience import SimplerProtocol

if TYPE_CHECKING:
    from simulator.model.replication import TeamState
    from simulator.model.resilience.faults import Faults


class Simplification:
    """Watches for the loss that ends the protocol, and puts the simpler one in its place.

    Parameters
    ----------
    spec : SimplerProtocol
    team : TeamState
    faults : Faults

    Attributes
    ----------
    retired : set of int
        Agents that take no further part.
    """

    def __init__(self, spec: SimplerProtocol, team: TeamState, faults: Faults) -> None:
        self._spec = spec
        self._team = team
        self._faults = faults
        self._is_done = False
        self.retired: set[int] = set()
        faults.on_loss.append(self._lost)

    def _lost(self, agent: AgentState) -> None:
        if not self._is_done and self._is_bad(agent):
            team, life = self._team, self._faults.lives[agent.index]
            at_s = team.now + self._spec.after_s
            team.at(at_s, partial(self._look_again, agent, life), lambda: not self._is_done)

    def _is_bad(self, agent: AgentState) -> bool:
        if self._spec.when_lost == "coordinator":
            return agent.role == COORDINATOR
        down = self._faults.workers_down
        return down >= self._spec.share * len(self._team.workers)

    def _look_again(self, agent: AgentState, life: int) -> None:
        still = self._spec.when_lost == "workers" or self._faults.lives[agent.index] == life
        if not self._is_done and still and self._is_bad(agent):
            self._is_done = True
            self._switch()

    def _switch(self) -> None:
        """Start the simpler protocol on the board as it is; what is in flight is lost."""
        team, board = self._team, self._team.board
        for task in range(len(board.graph)):
            if not board.done[task]:
                board.owner[task] = NOBODY
        protocol = self._spec.protocol
        assert isinstance(protocol, Protocol)
        team.adopt(protocol.dispatcher(team.setting))
        if self._spec.agents is not None:
            up = [agent.index for agent in team.workers if not agent.is_down]
            going_on = up[: self._spec.agents]
            self.retired = {agent.index for agent in team.workers} - set(going_on)
        self.retired |= {agent.index for agent in team.coordinators}
        for agent in team.workers:
            if agent.is_down or agent.index in self.retired:
                team.give_away(agent)
        for agent in team.agents:
            if agent.in_call:
                agent.is_astray = True
                team.interrupt(agent, "simpler")
            if agent.role == WORKER:
                agent.manager = None
                agent.awaits_answer = False
        startable = [t for t, missing in enumerate(board.missing) if not (missing or board.done[t])]
        team.announce(startable, team.now)
        # By name: those who waited for a coordinator's answer are of use again.
        team.woken += [agent.index for agent in team.workers]
