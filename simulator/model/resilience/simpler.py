"""Falling back to a simpler protocol when too many are lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from simulator.model.agenda import Agenda
from simulator.model.agents.agent import COORDINATOR, WORKER, AgentState
from simulator.model.agents.roster import Roster
from simulator.model.board import NOBODY
from simulator.model.protocols import Dispatcher, Protocol, Setting
from simulator.model.team.commits import Commits
from simulator.model.team.coordination import Coordination
from simulator.model.team.review import Reviews
from simulator.model.team.sides import Sides
from simulator.model.why import Why
from simulator.scenario.resilience import SimplerProtocol

if TYPE_CHECKING:
    from simulator.model.resilience.faults import Faults


class Simplification:
    """Watches for the loss that ends the protocol, and puts the simpler one in its place.

    Parameters
    ----------
    spec : SimplerProtocol
    setting : Setting
        What the simpler protocol is told.
    roster : Roster
    agenda : Agenda
    sides : Sides
    coordination : Coordination
    reviews : Reviews
    commits : Commits
    faults : Faults
    """

    def __init__(
        self,
        spec: SimplerProtocol,
        setting: Setting,
        roster: Roster,
        agenda: Agenda,
        sides: Sides,
        coordination: Coordination,
        reviews: Reviews,
        commits: Commits,
        faults: Faults,
    ) -> None:
        self._spec = spec
        self._setting = setting
        self._roster = roster
        self._agenda = agenda
        self._sides = sides
        self._coordination = coordination
        self._reviews = reviews
        self._commits = commits
        self._faults = faults
        self._is_done = False
        faults.on_loss.append(self._lost)

    def _lost(self, agent: AgentState) -> None:
        if not self._is_done and self._is_bad(agent):
            life = self._faults.lives[agent.index]
            at_s = self._agenda.now + self._spec.after_s
            self._agenda.at(at_s, partial(self._look_again, agent, life), lambda: not self._is_done)

    def _is_bad(self, agent: AgentState) -> bool:
        if self._spec.when_lost == "coordinator":
            return agent.role == COORDINATOR
        down = self._faults.workers_down
        return down >= self._spec.share * len(self._roster.workers)

    def _look_again(self, agent: AgentState, life: int) -> None:
        still = self._spec.when_lost == "workers" or self._faults.lives[agent.index] == life
        if not self._is_done and still and self._is_bad(agent):
            self._is_done = True
            self._switch()

    def _switch(self) -> None:
        """Start the simpler protocol on the board as it is; what is in flight is lost."""
        roster, board = self._roster, self._sides.board
        for task in range(len(board.graph)):
            if not board.done[task]:
                board.owner[task] = NOBODY
        protocol = Protocol.of(self._spec.protocol)
        self._adopt(protocol.dispatcher(self._setting))
        if self._spec.agents is not None:
            up = [agent for agent in roster.workers if not agent.is_down]
            for agent in roster.workers:
                if agent not in up[: self._spec.agents]:
                    agent.retire()
        for agent in roster.coordinators:
            agent.retire()
        for agent in roster.workers:
            if not agent.is_there:
                self._sides.give_away(agent)
        for agent in roster.agents:
            if agent.time.in_call:
                agent.call.go_astray()
                self._agenda.interrupt(agent.index, Why.SIMPLER)
            if agent.role == WORKER:
                agent.go_on()
        startable = [t for t, missing in enumerate(board.missing) if not (missing or board.done[t])]
        self._sides.announce(startable)
        # By name: those who waited for a coordinator's answer are of use again.
        self._agenda.woken.extend([agent.index for agent in roster.workers])

    def _adopt(self, dispatcher: Dispatcher) -> None:
        """Go on with another protocol, without coordinators."""
        self._sides.adopt(dispatcher)
        self._coordination.dissolve()
        freed = self._reviews.leave_out("coordinator", self._agenda.now)
        self._commits.adapt()
        self._agenda.woken.extend([dispatcher.task_ready(task) for task in freed])
